import { setImmediate, setTimeout } from 'node:timers/promises'
import { TASKS, type OthersWork } from './others-work.js'

/**
 * To be called between pieces of long work on the event loop. Undefined where the last pause was a moment ago; else the work goes on once
 * it has settled.
 */
export type Pause = () => Promise<void> | undefined

export interface PausesOptions {
  /** What threads do that do not give way: see WorkerPoolOptions. */
  readonly work?: OthersWork | undefined
  /** Milliseconds of work between two pauses. */
  readonly sliceMs?: number
  /** The longest that one pause waits for those tasks. */
  readonly maxWaitMs?: number
}

/** A request comes to the event loop some six times on its way, and each time may have to wait for a piece of other work. */
const SLICE_MS = 0.1
/** As in threads that give way: work gets a tenth of the time where others always have tasks. */
const MAX_WAIT_MS = 10
const LOOK_MS = 1

/**
 * What threads that give way are to processors, this is to the event loop: requests come first, and long work goes on while they have no
 * tasks, or after a moment. All who pause here share one part of the event loop, since each waits for those before it.
 */
export function createPauses ({ work, sliceMs = SLICE_MS, maxWaitMs = MAX_WAIT_MS }: PausesOptions): Pause {
  let since = performance.now()
  let turn = Promise.resolve()
  const isBusy = (): boolean => work !== undefined && Atomics.load(work, TASKS) > 0
  const wait = async (): Promise<void> => {
    await setImmediate()
    const until = performance.now() + maxWaitMs
    while (isBusy() && performance.now() < until) await setTimeout(LOOK_MS)
    since = performance.now()
  }
  return () => {
    if (performance.now() - since < sliceMs) return undefined
    turn = turn.then(wait)
    return turn
  }
}
