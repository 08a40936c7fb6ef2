import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/** Status of a request whose caller went away before the answer: nginx's number for it. */
const CALLER_GONE = 499

export interface RequestEnd {
  readonly status: number
  /** Whether all of the answer was handed to the network. */
  readonly isAnswered: boolean
  /** Milliseconds since the request began. */
  readonly ms: number
}

/** Told of every request when it is over. */
export type EndOfRequest = (request: FastifyRequest, end: RequestEnd) => void

/**
 * Tells of the end of every request, once, however it ends: Fastify's own hooks miss a caller that leaves after its upload.
 * One listener for all who want to know.
 */
export const requestEndPlugin = fp<{ onBegin: () => void, onEnd: readonly EndOfRequest[] }>(async (app, { onBegin, onEnd }) => {
  app.addHook('onRequest', (request, reply, done) => {
    onBegin()
    reply.raw.on('close', () => {
      const isAnswered = reply.raw.writableFinished
      const end: RequestEnd = { status: isAnswered ? reply.statusCode : CALLER_GONE, isAnswered, ms: reply.elapsedTime }
      for (const tell of onEnd) tell(request, end)
    })
    done()
  })
}, { name: 'corelo-request-end' })
