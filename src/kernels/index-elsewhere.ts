import { LRUCache } from 'lru-cache'
import { isWholeReference, type KernelQuery } from '../identity/reference.js'
import { atMost } from '../store/at-most.js'
import { createSingleFlight } from '../store/single-flight.js'
import type { KernelRecord } from './kernel-record.js'

/** What the tier behind the index knows. */
export interface Elsewhere {
  /**
   * All rows there that a query may mean.
   *
   * @throws AppError where it cannot be told which those are
   */
  find(query: KernelQuery): Promise<readonly KernelRecord[]>
  /** Told of each row that is put here, and of those from there of which more is known here. */
  offer(record: KernelRecord): void
  /** Age in milliseconds at which what it said of a name is asked for anew: behind the answer, and before it. */
  readonly renewMs?: number
  readonly maxAgeMs?: number
}

/** Asks the tier behind the index, and remembers when it was asked for what. */
export interface Asking {
  /** Whether what it said of a query is young enough to be answered from. It is asked anew behind the answer where that is not so young. */
  isCurrent(query: KernelQuery): boolean
  /**
   * Asks, unless that was done a moment ago. True where something was learned.
   *
   * @throws AppError what `find` throws, where nothing is known of the query
   */
  learn(query: KernelQuery): Promise<boolean>
}

/** A name that nobody has is asked for again and again; a moment's memory keeps that from becoming as many questions elsewhere. */
const MISS_MS = 1000
const DEFAULT_RENEW_MS = 5000
const DEFAULT_MAX_AGE_MS = 60_000
const MAX_ASKED = 10_000

/** @param take takes over a row from there, and says whether that was news */
export function createAsking (elsewhere: Elsewhere | undefined, take: (found: KernelRecord) => boolean): Asking {
  if (elsewhere === undefined) return { isCurrent: () => true, learn: async () => await Promise.resolve(false) }
  const { maxAgeMs = DEFAULT_MAX_AGE_MS, renewMs = DEFAULT_RENEW_MS } = elsewhere
  const questions = createSingleFlight<boolean>()
  /** When it told all that it has of a release, by performance.now(). */
  const askedAt = new LRUCache<string, number>(atMost(MAX_ASKED))

  const ageOf = ({ release }: KernelQuery): number => performance.now() - (askedAt.get(release) ?? -Infinity)
  const ask = ({ release }: KernelQuery): Promise<boolean> => questions.run(release, async () => {
    const now = performance.now()
    let isNews = false
    for (const found of await elsewhere.find({ release })) isNews = take(found) || isNews
    askedAt.set(release, now)
    return isNews
  })

  return {
    isCurrent (query) {
      const age = ageOf(query)
      if (age >= maxAgeMs) return false
      if (age >= renewMs) ask(query).catch(() => {}) // asked again before the next answer that is too old
      return true
    },
    async learn (query) {
      if (ageOf(query) < Math.min(MISS_MS, maxAgeMs)) return false
      const wasAsked = askedAt.has(query.release)
      try {
        return await ask(query)
      } catch (error) {
        // What it had when it was last asked is known. A whole reference that is held is what it is, whatever else there may be.
        if (wasAsked || isWholeReference(query)) return false
        throw error
      }
    }
  }
}
