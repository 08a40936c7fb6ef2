import { setPriority } from 'node:os'
import { ANSWERS, TASKS, type OthersWork } from './others-work.js'

/**
 * Beside a thread that wants all of a processor, one of this niceness gets a tenth of it (110 of 1,134, by the kernel's
 * sched_prio_to_weight), and leaves it soon to one that wakes up. Less would let a busy service starve a check.
 */
const NICENESS = 10
/** The same measured by this thread's own clock: for each millisecond of work at most so many are waited. */
const WAIT_FACTOR = 9
/** Work that is not worth a look whether others have some. */
const MIN_WORK_MS = 0.25
const MAX_WAIT_MS = 100
/**
 * While requests come, the processor is left for a moment after each piece of work. A thread that wakes up does not get it from one of
 * low priority at once: Linux lets that have its slice first, which ends at a tick, up to 4 ms later (RUN_TO_PARITY in
 * kernel/sched/features.h, since 6.6).
 */
const REST_MS = 0.05
/** So long after others were last seen to have tasks, or to have answered without one, requests count as coming. */
const LULL_MS = 100

let others: OthersWork | undefined
let since = performance.now()
let answered = 0
let seenAt = -Infinity

/**
 * Lets this thread give way to all others, those of this process among them. Only Linux knows the priority of one thread
 * (setpriority(2), "C library/kernel differences"); elsewhere it would be that of the process.
 */
export function lowerPriority (): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(0, NICENESS)
  } catch {
    // a sandbox that forbids it: the thread works as fast as others
  }
}

/**
 * To be called between pieces of work: waits while threads that do not give way have tasks, though never so long that work would stop.
 * Two threads on two processors have the same memory and often the same core, so that a low priority alone does not keep others fast.
 */
export function giveWay (): void {
  if (others === undefined) return
  const now = performance.now()
  if (now - since < MIN_WORK_MS) return
  const isBusy = Atomics.load(others, TASKS) !== 0
  const answers = Atomics.load(others, ANSWERS)
  if (isBusy || answers !== answered) seenAt = now
  answered = answers
  if (isBusy) waitForOthers(others, now + Math.min(MAX_WAIT_MS, WAIT_FACTOR * (now - since)))
  else if (now - seenAt < LULL_MS) Atomics.wait(others, TASKS, 0, REST_MS)
  since = performance.now()
}

function waitForOthers (counter: OthersWork, until: number): void {
  for (let left = until - performance.now(); left > 0; left = until - performance.now()) {
    const tasks = Atomics.load(counter, TASKS)
    if (tasks === 0 || Atomics.wait(counter, TASKS, tasks, left) === 'timed-out') return
  }
}

/**
 * Begins a task: time without one was no work.
 *
 * @param counters of what other threads do: `giveWay` waits while they have tasks
 */
export function beginTask (counters: OthersWork | undefined): void {
  others = counters
  since = performance.now()
}
