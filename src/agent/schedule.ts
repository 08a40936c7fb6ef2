import { isPassing } from '../client/problem.js'
import { waitAfter } from '../client/retry.js'
import type { AppError } from '../errors.js'

export interface ScheduleOptions {
  /** About how long a settled object is left alone. */
  readonly refreshMs: number
  /** Longest wait while the service cannot be asked. */
  readonly retryMs: number
}

/** When each object is looked at next. Times are those of `performance.now()`. */
export interface Schedule {
  set(name: string, at: number): void
  forget(name: string): void
  isDue(name: string, now: number): boolean
  /** Whether anything waits for the service to be there again. */
  readonly isHeldUp: boolean
  /** Until when nothing is asked; 0 where nothing is held up. */
  readonly heldUntil: number
  settled(name: string, now: number): void
  /** @returns milliseconds until the next try */
  failed(name: string, error: AppError, now: number): number
  /** When something is due next; Infinity where there is nothing. */
  next(): number
}

const FIRST_WAIT_MS = 500

/** A token that the service does not take is none for all objects, and may be replaced at any time. */
export function isAccess ({ code }: AppError): boolean { return code === 'unauthorized' || code === 'forbidden' }

/** The service is fetching the kernel, which is that of all objects. */
function isFetching ({ code }: AppError): boolean { return code === 'fetching' }

/**
 * What the service cannot do for one object now (it is down, has asked to wait, fetches the kernel, or does not take the token) it cannot
 * do for the others either: they all wait. What is wrong with one object, or the kernel that nobody knows, is asked about again on its own,
 * ever more rarely.
 */
export function createSchedule ({ refreshMs, retryMs }: ScheduleOptions): Schedule {
  const due = new Map<string, number>()
  const failures = new Map<string, number>()
  let heldUntil = 0
  let heldTimes = 0
  const release = (): void => {
    heldUntil = 0
    heldTimes = 0
  }
  return {
    set (name, at) {
      due.set(name, at)
      failures.delete(name)
    },
    forget (name) {
      due.delete(name)
      failures.delete(name)
    },
    isDue: (name, now) => now >= heldUntil && now >= (due.get(name) ?? Infinity),
    get isHeldUp () { return heldTimes > 0 },
    get heldUntil () { return heldUntil },
    settled (name, now) {
      release()
      failures.delete(name)
      // Not all of a fleet at the same time.
      due.set(name, now + refreshMs * (0.8 + 0.4 * Math.random()))
    },
    failed (name, error, now) {
      if (isPassing(error) || isAccess(error) || isFetching(error)) {
        heldTimes++
        const wait = waitAfter(heldTimes, error, { baseMs: Math.min(FIRST_WAIT_MS, retryMs), maxMs: retryMs })
        heldUntil = now + wait
        due.set(name, now)
        return wait
      }
      release()
      const times = (failures.get(name) ?? 0) + 1
      failures.set(name, times)
      const maxMs = error.code === 'internal_error' ? Math.min(retryMs, refreshMs) : refreshMs
      const wait = waitAfter(times, error, { baseMs: Math.min(FIRST_WAIT_MS, refreshMs), maxMs })
      due.set(name, now + wait)
      return wait
    },
    next: () => Math.max(heldUntil, Math.min(Infinity, ...due.values()))
  }
}
