import type { FastifyReply } from 'fastify'
import { isLeaving } from './lifecycle.js'
import { headersOfEvery } from './plugins/request-id.js'

/** The bytes as a Buffer, wherever they are: not copied. */
export function viewOf (bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Sends bytes as they are. Fastify alone would take a view of shared memory for an object and make JSON of it; a serializer of
 * one's own goes before that, so that megabytes of BTF need not be copied on the event loop.
 */
export function sendBytes (reply: FastifyReply, bytes: Buffer): FastifyReply { return reply.serializer(asIs).send(bytes) }

function asIs (payload: unknown): string { return payload as string } // Fastify hands a Buffer on, too; its type knows only text

/** An answer that only has to be written. Its headers are names and values in turn. */
export interface ReadyAnswer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body?: Buffer
}

/**
 * Sends an answer whose headers are made already, beside those of every answer. Goes past
 * Fastify's own way of sending, which looks at each header again and costs a fifth of a small answer: `onSend` hooks do not run,
 * and what `reply.header` was told is not sent.
 */
export function sendAtOnce (reply: FastifyReply, { status, headers, body }: ReadyAnswer): void {
  const whole = headers.slice()
  whole.push(...headersOfEvery(reply.request.id))
  if (isLeaving(reply.server.lifecycle)) whole.push('connection', 'close')
  reply.raw.writeHead(status, whole) // first, since it may throw
  reply.hijack()
  reply.raw.end(body)
}
