import { AppError } from '../errors.js'

export interface AdmissionOptions {
  /** Tasks that run at a time. */
  readonly run: number
  /** Tasks that may wait. One more is refused at once, since a queue without end only makes everyone late. */
  readonly queue: number
}

/**
 * The bulkhead in front of the pool. The pool's own limit is of no use here: piscina does not count abortable tasks against
 * `maxQueue`, and every task of ours is one.
 */
export interface Admission {
  /**
   * Waits for a place, first come first served.
   *
   * @param deadlineAt by performance.now(); who has not got a place by then is refused
   * @throws AppError `overloaded` with `retry_after` in seconds, `deadline_exceeded`, `draining`
   */
  enter(deadlineAt: number): Promise<void> | undefined
  /** Gives the place back after `ms` milliseconds of work. */
  leave(ms: number): void
  readonly running: number
  readonly queued: number
  readonly refused: number
  /** Refuses all who wait, and all to come. Resolves when the last task has left. */
  close(): Promise<void>
}

interface Waiter {
  readonly deadlineAt: number
  readonly admit: () => void
  readonly refuse: (error: AppError) => void
}

/** How much of the newest task's time goes into the average. */
const AVERAGE_WEIGHT = 0.05

export function createAdmission (options: AdmissionOptions): Admission {
  const waiters: Waiter[] = []
  let head = 0
  let running = 0
  let refused = 0
  let averageMs = 1
  let closed: { readonly resolve: () => void, readonly promise: Promise<void> } | undefined

  const queued = (): number => waiters.length - head
  const next = (): Waiter | undefined => {
    const waiter = waiters[head]
    if (waiter === undefined) return undefined
    head++
    if (head === waiters.length) {
      waiters.length = 0
      head = 0
    }
    return waiter
  }
  const retryAfter = (): number => Math.max(1, Math.ceil(averageMs * queued() / options.run / 1000))

  return {
    enter (deadlineAt) {
      if (closed !== undefined) throw draining()
      if (running < options.run) {
        running++
        return undefined
      }
      if (queued() >= options.queue) {
        refused++
        const seconds = retryAfter()
        throw new AppError('overloaded',
          `All ${options.run} workers are busy and ${queued()} requests wait already; try again in ${seconds} s.`,
          { retry_after: seconds })
      }
      return new Promise((resolve, reject) => { waiters.push({ deadlineAt, admit: resolve, refuse: reject }) })
    },
    leave (ms) {
      averageMs += AVERAGE_WEIGHT * (ms - averageMs)
      const now = performance.now()
      for (let waiter = next(); waiter !== undefined; waiter = next()) {
        if (waiter.deadlineAt > now) {
          waiter.admit()
          return
        }
        waiter.refuse(new AppError('deadline_exceeded', 'No worker became free before the deadline.', {}))
      }
      running--
      if (running === 0) closed?.resolve()
    },
    get running () { return running },
    get queued () { return queued() },
    get refused () { return refused },
    async close () {
      if (closed === undefined) {
        let resolve = (): void => {}
        const promise = new Promise<void>(_resolve => { resolve = _resolve })
        closed = { resolve, promise }
        for (let waiter = next(); waiter !== undefined; waiter = next()) waiter.refuse(draining())
        if (running === 0) resolve()
      }
      await closed.promise
    }
  }
}

function draining (): AppError { return new AppError('draining', 'The service is stopping; ask another replica.', { retry_after: 1 }) }
