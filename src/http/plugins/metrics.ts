import fp from 'fastify-plugin'
import type { SummaryCounter } from '../../check/summary.js'
import type { ErrorCode } from '../../errors.js'
import type { RelocateAnswer, Timing } from '../../relocation/types.js'
import type { Metrics } from '../metrics.js'
import type { EndOfRequest } from './request-end.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly metrics: Metrics
  }
  interface FastifyRequest {
    /** The code of the problem that was answered. */
    problem: ErrorCode | null
    /** The relocation that was answered. */
    answer: RelocateAnswer | null
    /** Knows the sum of the check that was answered. */
    check: SummaryCounter | null
  }
}

export const metricsPlugin = fp<{ metrics: Metrics }>(async (app, { metrics }) => {
  app.decorate('metrics', metrics)
  app.decorateRequest('problem', null)
  app.decorateRequest('answer', null)
  app.decorateRequest('check', null)
}, { name: 'corelo-metrics' })

/** Counts and times every request. The route's pattern is the label, never the address itself. */
export function countRequest (metrics: Metrics): EndOfRequest {
  return ({ method, route = 'none', problem, answer }, { status, ms }) => {
    metrics.countEnd()
    metrics.countRequest(method, route, status, ms / 1000)
    if (problem !== null) metrics.problems.inc({ code: problem })
    if (answer !== null) countRelocation(metrics, answer)
  }
}

function countRelocation (metrics: Metrics, { verdict, cached, timing }: RelocateAnswer): void {
  metrics.countRelocation(verdict, cached)
  countPhase(metrics, 'resolve', timing.resolve)
  countPhase(metrics, 'fetch', timing.fetch)
  countPhase(metrics, 'parse', timing.parse)
  countPhase(metrics, 'relocate', timing.relocate)
}

function countPhase (metrics: Metrics, phase: keyof Timing, ms: number): void {
  if (ms > 0) metrics.phaseSeconds.observe({ phase }, ms / 1000)
}
