import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AppError } from '../errors.js'

/** The address of OPTIONS that asks about the whole server. */
const ANY = '*'

/**
 * Collects the routes as they are registered and returns the handler for requests that fit none: where the address exists for another
 * method 405 with `Allow`, or 204 to OPTIONS, which asks for just that; 404 otherwise. To be called before the first route.
 */
export function createNotFoundHandler (app: FastifyInstance): (request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  const methods = new Map<string, { pattern: RegExp, allow: Set<string> }>()
  app.addHook('onRoute', ({ method, url }) => {
    const entry = methods.get(url) ?? { pattern: toPattern(url), allow: new Set() }
    for (const each of [method].flat()) entry.allow.add(each)
    methods.set(url, entry)
  })
  return (request, reply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const isMeant = (pattern: RegExp): boolean => path === ANY || pattern.test(path)
    const allow = [...new Set([...methods.values()].flatMap(entry => isMeant(entry.pattern) ? [...entry.allow] : []))]
    if (allow.length === 0) throw new AppError('not_found', 'There is nothing at this address; GET /openapi.json lists what there is.')
    if (request.method === 'OPTIONS') return reply.code(204).header('allow', allow.join(', ')).send()
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
