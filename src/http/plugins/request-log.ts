import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { CALLER_GONE } from './metrics.js'

/** One line a request, when it is over. */
export const requestLogPlugin = fp(async app => {
  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.once('close', () => {
      const { url: route, config } = request.routeOptions
      const isOver = reply.raw.writableFinished
      request.log[config.operational === true ? 'debug' : 'info'](lineOf(request, reply, route, isOver ? reply.statusCode : CALLER_GONE), isOver ? 'request' : 'request whose caller left')
    })
    done()
  })
}, { name: 'corelo-request-log' })

/** Member by member: a line is written for every request, and spreading costs as much as the rest. */
function lineOf (request: FastifyRequest, { elapsedTime }: FastifyReply, route: string | undefined, status: number): Record<string, unknown> {
  const { answer, identity, problem } = request
  const line: Record<string, unknown> = { request_id: request.id, method: request.method, route, status, ms: Math.round(elapsedTime * 100) / 100 }
  if (identity !== null) line['identity'] = identity.name
  if (problem !== null) line['code'] = problem
  if (answer !== null) {
    line['object'] = answer.objectSha256
    line['btf'] = answer.btfSha256
    line['kernel'] = answer.kernel
    line['verdict'] = answer.verdict
    line['cached'] = answer.cached
  }
  return line
}
