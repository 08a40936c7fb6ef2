/**
 * What threads do that do not give way, as numbers in shared memory, which threads of the background look at between pieces of their work:
 * the tasks that they have at the moment, and how many requests were answered without one, which goes round.
 */
export type OthersWork = Int32Array

export const TASKS = 0
export const ANSWERS = 1

/** So long after others were last seen to have tasks, or to have answered without one, requests count as coming. */
const LULL_MS = 100

export function createOthersWork (): OthersWork { return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) }

/** What there was to see when somebody looked. */
export interface Seen {
  /** Others have tasks. */
  readonly isBusy: boolean
  /** Requests come, though there may be none at the moment: true wherever isBusy is. */
  readonly isVisited: boolean
}

/** Looks at the work of others again and again. What came between two looks is seen by the second. */
export function createLookout (others: OthersWork): (now: number) => Seen {
  let answered = Atomics.load(others, ANSWERS)
  let seenAt = -Infinity
  return now => {
    const isBusy = Atomics.load(others, TASKS) !== 0
    const answers = Atomics.load(others, ANSWERS)
    if (isBusy || answers !== answered) seenAt = now
    answered = answers
    return { isBusy, isVisited: now - seenAt < LULL_MS }
  }
}
