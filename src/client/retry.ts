import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../errors.js'
import { isPassing, retryAfterOf } from './problem.js'

export interface Backoff {
  /** Milliseconds: the first wait is up to this, and each one after it up to twice the one before. */
  readonly baseMs: number
  readonly maxMs: number
}

export const DEFAULT_BACKOFF: Backoff = { baseMs: 500, maxMs: 60_000 }

/**
 * How long to wait after a number of failures in a row: a random time, so that those who failed together do not come back
 * together, and never less than the service asked for.
 *
 * @param failures 1 after the first
 * @param random 0 to 1
 */
export function waitAfter (
  failures: number,
  error: AppError,
  { baseMs, maxMs }: Backoff = DEFAULT_BACKOFF,
  random = Math.random()
): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30))
  const asked = retryAfterOf(error)
  return asked === undefined ? ceiling * (0.5 + random / 2) : asked + Math.min(ceiling, baseMs + asked / 2) * random
}

export interface RetryOptions {
  /** Milliseconds from now after which no other try begins. */
  readonly withinMs: number
  readonly backoff?: Backoff
  /** Which failures are worth another try. Default: all that may pass. */
  readonly isWorthATry?: (error: AppError) => boolean
  /** Told before each wait. */
  readonly onRetry?: (error: AppError, waitMs: number) => void
}

/**
 * Tries until it works, until it fails in a way that stays, or until the time is up.
 *
 * @throws the last failure
 */
export async function withRetries<T> (
  work: () => Promise<T>,
  { withinMs, backoff = DEFAULT_BACKOFF, isWorthATry = isPassing, onRetry }: RetryOptions
): Promise<T> {
  const end = performance.now() + withinMs
  for (let failures = 1; ; failures++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof AppError) || !isWorthATry(error)) throw error
      const wait = waitAfter(failures, error, backoff)
      if (performance.now() + wait > end) throw error
      onRetry?.(error, wait)
      await sleep(wait)
    }
  }
}
