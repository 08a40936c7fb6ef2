import { AppError } from '../errors.js'

export interface FairShareLimits {
  /** Work under way, of one caller and of all. */
  readonly running: number
  readonly allRunning: number
  /** Work that waits, of one caller and of all. */
  readonly waiting: number
  readonly allWaiting: number
}

/** Room for what takes long and costs others little: callers take turns, and who asks for too much at once waits for itself alone. */
export interface FairShare {
  /**
   * Runs work when it is the caller's turn.
   *
   * @throws AppError `rate_limited` where the caller has too much waiting, `overloaded` where all together have
   */
  run<T>(caller: string, work: () => Promise<T>): Promise<T>
  readonly running: number
  readonly waiting: number
}

const RETRY_AFTER_SECONDS = 5

interface Caller {
  running: number
  readonly queue: Array<() => void>
}

export function createFairShare (limits: FairShareLimits): FairShare {
  /** In the order in which their turn comes. */
  const callers = new Map<string, Caller>()
  let running = 0
  let waiting = 0

  const take = (caller: Caller): void => {
    caller.running++
    running++
  }
  const admit = (): void => {
    for (const [name, caller] of callers) {
      if (running >= limits.allRunning) return
      const next = caller.running < limits.running ? caller.queue.shift() : undefined
      if (next === undefined) continue
      waiting--
      take(caller)
      callers.delete(name)
      callers.set(name, caller) // its next turn comes after all others'
      next()
    }
  }
  const leave = (name: string, caller: Caller): void => {
    caller.running--
    running--
    if (caller.running === 0 && caller.queue.length === 0) callers.delete(name)
    admit()
  }
  const enter = (name: string): { readonly caller: Caller, readonly turn: Promise<void> | undefined } => {
    const caller = callers.get(name) ?? { running: 0, queue: [] }
    if (caller.running < limits.running && running < limits.allRunning) {
      callers.set(name, caller)
      take(caller)
      return { caller, turn: undefined }
    }
    if (caller.queue.length >= limits.waiting) {
      throw new AppError('rate_limited',
        `${caller.running + caller.queue.length} kernels or modules that are not held are being asked for already on behalf of this ` +
        'caller, which is the limit; try again after the time in Retry-After.',
        { limit: limits.running + limits.waiting, retry_after: RETRY_AFTER_SECONDS })
    }
    if (waiting >= limits.allWaiting) {
      throw new AppError('overloaded',
        `${waiting} kernels or modules that are not held wait to be asked for, which is the limit; ` +
        'try again after the time in Retry-After.',
        { retry_after: RETRY_AFTER_SECONDS })
    }
    callers.set(name, caller)
    waiting++
    return { caller, turn: new Promise(resolve => { caller.queue.push(resolve) }) }
  }

  return {
    async run (name, work) {
      const { caller, turn } = enter(name)
      await turn
      try {
        return await work()
      } finally {
        leave(name, caller)
      }
    },
    get running () { return running },
    get waiting () { return waiting }
  }
}
