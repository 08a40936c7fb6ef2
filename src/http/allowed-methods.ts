import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AppError } from '../errors.js'

/**
 * Collects the routes as they are registered and returns the handler for requests that fit none: 405 with `Allow` where the
 * address exists for another method, 404 otherwise. To be called before the first route.
 */
export function createNotFoundHandler (app: FastifyInstance): (request: FastifyRequest, reply: FastifyReply) => never {
  const methods = new Map<string, { pattern: RegExp, allow: Set<string> }>()
  app.addHook('onRoute', ({ method, url }) => {
    const entry = methods.get(url) ?? { pattern: toPattern(url), allow: new Set() }
    for (const each of [method].flat()) entry.allow.add(each)
    methods.set(url, entry)
  })
  return request => {
    const path = request.url.split('?', 1)[0] ?? ''
    const allow = [...methods.values()].flatMap(entry => entry.pattern.test(path) ? [...entry.allow] : [])
    if (allow.length === 0) throw new AppError('not_found', 'There is nothing at this address; GET /openapi.json lists what there is.')
    throw new AppError('method_not_allowed', `This address answers ${allow.join(', ')}, not ${request.method}.`, { allow })
  }
}

function toPattern (url: string): RegExp {
  const segments = url.split('/').map(segment => {
    if (segment.startsWith(':')) return '[^/]+'
    return segment === '*' ? '.*' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${segments.join('/')}$`)
}
