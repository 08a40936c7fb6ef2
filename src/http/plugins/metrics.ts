import fp from 'fastify-plugin'
import type { ErrorCode } from '../../errors.js'
import type { Metrics } from '../metrics.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly metrics: Metrics
  }
  interface FastifyRequest {
    /** The code of the problem that was answered. */
    problem: ErrorCode | null
  }
}

/** Status of a request whose caller went away before the answer: nginx's number for it. */
const CALLER_GONE = '499'

/** Counts and times every request. The route's pattern is the label, never the address itself. */
export const metricsPlugin = fp<{ metrics: Metrics }>(async (app, { metrics }) => {
  app.decorate('metrics', metrics)
  app.decorateRequest('problem', null)
  app.addHook('onRequest', (_request, _reply, done) => {
    metrics.requestsInFlight.inc()
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    metrics.requestsInFlight.dec()
    metrics.requestSeconds.observe({ method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode }, reply.elapsedTime / 1000)
    if (request.problem !== null) metrics.problems.inc({ code: request.problem })
    done()
  })
  app.addHook('onRequestAbort', (request, done) => {
    metrics.requestsInFlight.dec()
    metrics.requestSeconds.observe({ method: request.method, route: request.routeOptions.url ?? 'none', status: CALLER_GONE }, 0)
    done()
  })
}, { name: 'corelo-metrics' })
