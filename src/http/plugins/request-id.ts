import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import fp from 'fastify-plugin'

const SANE = /^[A-Za-z0-9._:+/=@-]{1,128}$/

/** The caller's id where it is harmless to repeat in headers and logs, else one of ours. */
export function requestIdOf (request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE.test(given) ? given : randomUUID()
}

/** Every answer says which request it belongs to, and that its content is what its type says. */
export const requestIdPlugin = fp(async app => {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    done()
  })
}, { name: 'corelo-request-id' })
