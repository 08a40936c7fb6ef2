import { collectGarbage } from '../workers/collect.js'
import { createFairShare, type FairShare } from '../workers/fair-share.js'
import { createOthersWork } from '../workers/others-work.js'
import { createPauses } from '../workers/pauses.js'
import { createWorkerPool, type WorkerPool } from '../workers/pool.js'
import type { StartThreads } from '../workers/threads.js'
import type { ServiceHooks, ServiceSettings } from '../settings/service-options.js'

/** Tasks that may wait for each worker before requests are refused as too many. */
const QUEUE_PER_WORKER = 32

/** A thread that gives way takes longer for the same work where others are busy. */
const LANE_DEADLINE_FACTOR = 6

/** Where a service computes. */
export interface Threads {
  /** For requests. */
  readonly pool: WorkerPool
  /** For checks and what is made ahead: gives way to all others. */
  readonly lane: WorkerPool
  readonly laneThreads: number
  /** A caller with several checks has no more of the lane than one with a single check. */
  readonly turns: FairShare
  /** Lets requests have their turn between two pieces of a check's work on the event loop. */
  readonly pause: ReturnType<typeof createPauses>
  /** Whether there is work for requests or checks. */
  isBusy(): boolean
  /** Asks all threads, this one too, to collect garbage. */
  collectGarbage(): void
  close(): Promise<void>
}

/** @param startThreads where the threads come from; undefined: they are this service's own */
export function createThreads (
  settings: ServiceSettings, hooks: ServiceHooks & { readonly startThreads?: StartThreads }
): Threads {
  const work = createOthersWork()
  const pool = createWorkerPool({
    workers: settings.workers,
    work,
    queue: settings.queueLimit ?? settings.workers * QUEUE_PER_WORKER,
    deadlineMs: settings.deadlineMs,
    ...hooks
  })
  // Of the machine, checks have at most half the threads.
  const laneThreads = Math.max(1, Math.floor(settings.workers / 2))
  const lane = createWorkerPool({
    workers: laneThreads,
    queue: Infinity, // each check waits for its own tasks, and the checks are counted
    deadlineMs: LANE_DEADLINE_FACTOR * settings.deadlineMs,
    isBackground: true,
    work,
    ...hooks
  })
  return {
    pool,
    lane,
    laneThreads,
    turns: createFairShare({ running: laneThreads, allRunning: laneThreads, waiting: Infinity, allWaiting: Infinity }),
    pause: createPauses({ work }),
    isBusy: () => [pool, lane].some(threads => threads.stats().running + threads.stats().queued > 0),
    collectGarbage () {
      pool.collectGarbage()
      lane.collectGarbage()
      collectGarbage()
    },
    async close () { await Promise.all([pool.close(), lane.close()]) }
  }
}
