import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { AppError } from '../../errors.js'
import { acceptsGzip } from '../accept.js'
import { IMMUTABLE, isNoneMatchHit, REVALIDATE } from '../headers.js'
import { PAGE_FOLDER, readPageFiles, type PageFile } from '../page-files.js'
import { NOT_MODIFIED, text } from '../schemas/content.js'
import { segment } from '../schemas/fields.js'
import { NoQuery } from '../schemas/kernel.js'
import { responses } from '../schemas/problem.js'
import type { Routes } from './dependencies.js'

/** Everything comes from this host, no text becomes code, and no other page may show this one. */
const SECURITY = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin'
}

/** The page, which is open to everybody: what it asks the service for is not. */
export const pageRoutes: Routes = async app => {
  const files = readPageFiles(PAGE_FOLDER)
  const config = { access: 'open' } as const

  app.get('/', {
    schema: {
      operationId: 'page',
      tags: ['operations'],
      summary: 'The web page.',
      querystring: NoQuery,
      response: responses({ 200: { description: 'The page.', content: { 'text/html': text } }, 304: NOT_MODIFIED }, 'not_found')
    },
    config
  }, (request, reply) => {
    if (files === undefined) throw new AppError('not_found', 'The page was not built; run "npm run build" where the service is from.')
    return send(request, reply, files.index, REVALIDATE)
  })

  app.get('/assets/:name', {
    schema: { hide: true, params: Type.Object({ name: segment('Name of a file of the page.', 'index.js') }), querystring: NoQuery },
    config
  }, (request, reply) => {
    const file = files?.assets.get(request.params.name)
    if (file === undefined) throw new AppError('not_found', 'The page has no such file; load the page again.')
    return send(request, reply, file, IMMUTABLE)
  })
}

function send (request: FastifyRequest, reply: FastifyReply, { type, plain, gzip }: PageFile, cacheControl: string): FastifyReply {
  const compressed = acceptsGzip(request.headers['accept-encoding']) ? gzip : undefined
  const { etag, bytes } = compressed ?? plain
  reply.headers({ ...SECURITY, etag, 'cache-control': cacheControl, vary: 'accept-encoding' })
  if (isNoneMatchHit(request.headers['if-none-match'], etag)) return reply.code(304).send()
  if (compressed !== undefined) reply.header('content-encoding', 'gzip')
  return reply.header('content-type', type).send(bytes)
}
