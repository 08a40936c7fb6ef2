import type { FastifyReply } from 'fastify'

/** Answers with JSON. As bytes, since Fastify adds a charset to JSON in strings, which JSON's media type does not have. */
export function sendJson (reply: FastifyReply, value: unknown): FastifyReply {
  return reply.header('content-type', 'application/json').send(Buffer.from(JSON.stringify(value)))
}
