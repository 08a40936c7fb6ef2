import { BrokenCircuitError, circuitBreaker, handleWhenResult, SamplingBreaker, type CircuitBreakerPolicy } from 'cockatiel'
import type { FetchLimits } from './limits.js'

/** Leaves an origin alone that mostly fails, so that it can recover and nobody waits for it. */
export interface Breakers {
  /** Runs the work, unless its origin is being left alone: then answers for how many more milliseconds. */
  run<T>(origin: string, work: () => Promise<T>): Promise<{ readonly result: T } | { readonly openForMs: number }>
}

/** `isFailure` tells by the result whether the origin is to blame. Origins are those of the settings, so that they are few. */
export function createBreakers<R> (limits: FetchLimits, isFailure: (result: R) => boolean): Breakers {
  const breakers = new Map<string, { readonly policy: CircuitBreakerPolicy, openedAt: number }>()

  const breakerOf = (origin: string) => {
    const known = breakers.get(origin)
    if (known !== undefined) return known
    const policy = circuitBreaker(handleWhenResult(result => isFailure(result as R)), {
      halfOpenAfter: limits.breakerOpenMs,
      breaker: new SamplingBreaker({
        threshold: 0.5,
        duration: limits.breakerWindowMs,
        minimumRps: limits.breakerCalls / (limits.breakerWindowMs / 1000)
      })
    })
    const breaker = { policy, openedAt: 0 }
    policy.onBreak(() => { breaker.openedAt = performance.now() })
    breakers.set(origin, breaker)
    return breaker
  }
  return {
    async run (origin, work) {
      const breaker = breakerOf(origin)
      try {
        return { result: await breaker.policy.execute(work) }
      } catch (error) {
        if (!(error instanceof BrokenCircuitError)) throw error
        return { openForMs: Math.max(0, breaker.openedAt + limits.breakerOpenMs - performance.now()) }
      }
    }
  }
}
