import { LRUCache } from 'lru-cache'
import { atMost } from '../store/at-most.js'
import type { Refusal, RefusalState } from './refusal.js'

/** How long what a source refused is believed, in milliseconds. */
export interface OutcomeLifetimes extends Readonly<Record<RefusalState, number>> {
  /** By how much the lifetimes of what may pass differ at random, as a share: replicas would otherwise all come back at once. */
  readonly jitter: number
}

const OUTCOME_LIFETIMES: OutcomeLifetimes = {
  absent: 3_600_000,
  malformed: 24 * 3_600_000,
  denied: 3_600_000,
  busy: 30_000,
  failed: 30_000,
  timeout: 30_000,
  jitter: 0.2
}

/**
 * What sources refused, for as long as the class of it is believed. Only in memory: what a newer version of the service may
 * be able to read is asked for again after its start.
 */
export interface Outcomes {
  /** What is still believed, with the time that is left of it. */
  get(key: string): (Refusal & { readonly leftMs: number }) | undefined
  keep(key: string, refusal: Refusal): void
  /** Refusals that are believed. */
  readonly size: number
}

const MAX_OUTCOMES = 20_000
/** Who may be asked again at once has been, more than once, and is given a moment. */
const LEAST_MS = 1000

/** States that mean nothing of the kernel, only of the moment. */
const PASSING: ReadonlySet<RefusalState> = new Set(['busy', 'failed', 'timeout'])

/** @param clock tells the milliseconds that have passed */
export function createOutcomes (lifetimes: Partial<OutcomeLifetimes> = {}, clock: { now: () => number } = performance): Outcomes {
  const times = { ...OUTCOME_LIFETIMES, ...lifetimes }
  const outcomes = new LRUCache<string, Refusal>({ ...atMost(MAX_OUTCOMES), ttl: OUTCOME_LIFETIMES.absent, ttlResolution: 0, perf: clock })

  const lifetimeOf = ({ state, retryAfterMs }: Refusal): number => {
    if (retryAfterMs !== undefined) return Math.max(retryAfterMs, LEAST_MS)
    return PASSING.has(state) ? times[state] * (1 + times.jitter * (2 * Math.random() - 1)) : times[state]
  }
  return {
    get (key) {
      const refusal = outcomes.get(key)
      return refusal === undefined ? undefined : { ...refusal, leftMs: outcomes.getRemainingTTL(key) }
    },
    keep (key, refusal) {
      const ttl = lifetimeOf(refusal)
      if (ttl >= 1) outcomes.set(key, refusal, { ttl })
    },
    get size () { return outcomes.size }
  }
}
