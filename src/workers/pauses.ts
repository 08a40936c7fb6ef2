import { setImmediate, setTimeout } from 'node:timers/promises'
import { createLookout, type OthersWork } from './others-work.js'

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
  /** How long one pause is while requests come. */
  readonly restMs?: number
}

/** A request comes to the event loop some six times on its way, and each time may have to wait for a piece of other work. */
const SLICE_MS = 0.1
/** Where others always have tasks, work gets a hundredth of the time: more than nothing. */
const MAX_WAIT_MS = 10
const LOOK_MS = 1
/** While requests come, the event loop is theirs for so long after each slice: the shortest that a timer waits. */
const REST_MS = 1

/**
 * What threads that give way are to processors, this is to the event loop: requests come first, and long work goes on in short slices, with
 * a rest between them while requests come; where those have tasks, after these or after a moment. All who pause here share one part of the
 * event loop, since each waits for those before it.
 */
export function createPauses ({ work, sliceMs = SLICE_MS, maxWaitMs = MAX_WAIT_MS, restMs = REST_MS }: PausesOptions): Pause {
  let since = performance.now()
  let turn = Promise.resolve()
  const look = work === undefined ? undefined : createLookout(work)
  const wait = async (): Promise<void> => {
    await setImmediate()
    const until = performance.now() + maxWaitMs
    if (look?.(performance.now()).isVisited === true) {
      await setTimeout(restMs)
      while (look(performance.now()).isBusy && performance.now() < until) await setTimeout(LOOK_MS)
    }
    since = performance.now()
  }
  return () => {
    if (performance.now() - since < sliceMs) return undefined
    turn = turn.then(wait)
    return turn
  }
}
