import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import fp from 'fastify-plugin'

const SANE = /^[A-Za-z0-9._:+/=@-]{1,128}$/

/** The caller's id where it is harmless to repeat in headers and logs, else one of ours. */
export function requestIdOf (request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE.test(given) ? given : randomUUID()
}

/** What every answer says: which request it belongs to, and that its content is what its type says. Names and values in turn. */
export function headersOfEvery (id: string): [string, string, string, string] {
  return ['x-request-id', id, 'x-content-type-options', 'nosniff']
}

/** Puts those headers on what Fastify sends. What is sent past it has them from there. */
export const requestIdPlugin = fp(async app => {
  app.addHook('onSend', (request, reply, _payload, done) => {
    const [idName, id, sniffName, sniff] = headersOfEvery(request.id)
    reply.header(idName, id)
    reply.header(sniffName, sniff)
    done()
  })
}, { name: 'corelo-request-id' })
