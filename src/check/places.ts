import { AppError } from '../errors.js'
import type { CheckLimits } from './limits.js'

/** Room for checks: one caller cannot take all of it. */
export interface Places {
  /**
   * Takes a place. What it gives back gives the place back, however often it is called.
   *
   * @throws AppError `overloaded` where all places are taken, `rate_limited` where the caller has all that one may have
   */
  take(caller: string): () => void
  readonly taken: number
}

const RETRY_AFTER_SECONDS = 5

export function createPlaces ({ atOnceOfCaller, atOnce }: Pick<CheckLimits, 'atOnceOfCaller' | 'atOnce'>): Places {
  const callers = new Map<string, number>()
  let taken = 0
  return {
    take (caller) {
      if (taken >= atOnce) {
        throw new AppError('overloaded',
          `${taken} checks run already, which is the most at a time; try again in ${RETRY_AFTER_SECONDS} s.`,
          { retry_after: RETRY_AFTER_SECONDS, limit: atOnce })
      }
      const own = callers.get(caller) ?? 0
      if (own >= atOnceOfCaller) {
        throw new AppError('rate_limited',
          `${own} checks of this caller run already, which is the most that one may have; try again in ${RETRY_AFTER_SECONDS} s.`,
          { retry_after: RETRY_AFTER_SECONDS, limit: atOnceOfCaller })
      }
      callers.set(caller, own + 1)
      taken++
      let isTaken = true
      return () => {
        if (!isTaken) return
        isTaken = false
        taken--
        const left = (callers.get(caller) ?? 1) - 1
        if (left > 0) callers.set(caller, left)
        else callers.delete(caller)
      }
    },
    get taken () { return taken }
  }
}
