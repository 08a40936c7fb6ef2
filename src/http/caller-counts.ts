import { LRUCache } from 'lru-cache'

/** Callers that are counted at once. One that was forgotten begins anew. */
const MAX_CALLERS = 50_000

export interface CallerCount {
  /** Requests of the caller since its minute began, this one included. */
  readonly current: number
  /** Milliseconds until the next minute begins. */
  readonly ttl: number
}

/** How many requests each caller has made in the minute that began with the first of them. */
export interface CallerCounts {
  /** Requests of one caller that are answered. */
  readonly perMinute: number
  count (caller: string): CallerCount
  /** Whether one more would be too many. Counts nothing. */
  isSpent (caller: string): boolean
}

const MINUTE_MS = 60_000

export function createCallerCounts (perMinute: number): CallerCounts {
  const minutes = new LRUCache<string, { readonly beganAt: number, count: number }>({ max: MAX_CALLERS })
  const find = (caller: string, now: number): { readonly beganAt: number, count: number } | undefined => {
    const minute = minutes.get(caller)
    return minute === undefined || minute.beganAt + MINUTE_MS <= now ? undefined : minute
  }
  return {
    perMinute,
    count (caller) {
      const now = Date.now()
      const minute = find(caller, now)
      if (minute === undefined) {
        minutes.set(caller, { beganAt: now, count: 1 })
        return { current: 1, ttl: MINUTE_MS }
      }
      return { current: ++minute.count, ttl: MINUTE_MS - (now - minute.beganAt) }
    },
    isSpent: caller => (find(caller, Date.now())?.count ?? 0) >= perMinute
  }
}
