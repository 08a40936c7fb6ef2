import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'

/**
 * The steps that a run may still take. Hostile BTF can make the compatibility rules try exponentially many pairs of types; a
 * count of steps stops that the same way on every machine, where a clock would not.
 */
export interface Work {
  left: number
  /** What there was to begin with. */
  readonly limit: number
}

export function newWork (steps: number = LIMITS.workSteps): Work { return { left: steps, limit: steps } }

/**
 * Takes a step, or several at once for a loop whose rounds are much cheaper.
 *
 * @throws AppError `relocation_failed` with reason `work_limit`, which ends the run and not just a record
 */
export function step (work: Work, count = 1): void {
  work.left -= count
  if (work.left < 0) {
    throw new AppError(
      'relocation_failed',
      `The object's types and the kernel's were compared for ${work.limit} steps without coming to an end. ` +
      'Types of one of the two nest or repeat more than a compiler makes them.',
      { reason: 'work_limit', limit: work.limit }
    )
  }
}

export function isWorkLimit (error: unknown): boolean { return error instanceof AppError && error.details['reason'] === 'work_limit' }

/**
 * Does something that takes steps, and falls back on `otherwise` where there are not enough of them: for what is nice to know,
 * such as a reason, and must never make a failure of what was done already.
 */
export function tryWithin<T> (run: () => T, otherwise: () => T): T {
  try {
    return run()
  } catch (error) {
    if (isWorkLimit(error)) return otherwise()
    throw error
  }
}
