import fp from 'fastify-plugin'
import type { ErrorCode } from '../../errors.js'
import type { RelocateAnswer, Timing } from '../../relocation/types.js'
import type { Metrics } from '../metrics.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly metrics: Metrics
  }
  interface FastifyRequest {
    /** The code of the problem that was answered. */
    problem: ErrorCode | null
    /** The relocation that was answered. */
    answer: RelocateAnswer | null
  }
}

/** Status of a request whose caller went away before the answer: nginx's number for it. */
export const CALLER_GONE = 499

const PHASES = ['resolve', 'fetch', 'parse', 'relocate'] as const satisfies ReadonlyArray<keyof Timing>

/** Counts and times every request. The route's pattern is the label, never the address itself. */
export const metricsPlugin = fp<{ metrics: Metrics }>(async (app, { metrics }) => {
  app.decorate('metrics', metrics)
  app.decorateRequest('problem', null)
  app.decorateRequest('answer', null)
  app.addHook('onRequest', (request, reply, done) => {
    metrics.countBegin()
    // Comes in every case and once; Fastify's hooks miss a caller that leaves after its upload.
    reply.raw.once('close', () => {
      const status = reply.raw.writableFinished ? reply.statusCode : CALLER_GONE
      metrics.countEnd()
      metrics.requestSeconds.observe({ method: request.method, route: request.routeOptions.url ?? 'none', status }, reply.elapsedTime / 1000)
      if (request.problem !== null) metrics.problems.inc({ code: request.problem })
      if (request.answer !== null) countRelocation(metrics, request.answer)
    })
    done()
  })
}, { name: 'corelo-metrics' })

function countRelocation (metrics: Metrics, { verdict, cached, timing }: RelocateAnswer): void {
  metrics.countRelocation(verdict, cached)
  for (const phase of PHASES) {
    if (timing[phase] > 0) metrics.phaseSeconds.observe({ phase }, timing[phase] / 1000)
  }
}
