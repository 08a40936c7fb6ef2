import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { CALLER_GONE } from './metrics.js'

/** One line a request, when it is over. */
export const requestLogPlugin = fp(async app => {
  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.once('close', () => {
      const level = request.routeOptions.config.operational === true ? 'debug' : 'info'
      request.log[level](lineOf(request, reply), reply.raw.writableFinished ? 'request' : 'request whose caller left')
    })
    done()
  })
}, { name: 'corelo-request-log' })

function lineOf (request: FastifyRequest, reply: FastifyReply): Record<string, unknown> {
  const { answer, identity, problem } = request
  return {
    request_id: request.id,
    method: request.method,
    route: request.routeOptions.url,
    status: reply.raw.writableFinished ? reply.statusCode : CALLER_GONE,
    ms: Math.round(reply.elapsedTime * 100) / 100,
    ...(identity === null ? {} : { identity: identity.name }),
    ...(problem === null ? {} : { code: problem }),
    ...(answer === null
      ? {}
      : { object: answer.objectSha256, btf: answer.btfSha256, kernel: answer.kernel, verdict: answer.verdict, cached: answer.cached })
  }
}
