import { setPriority } from 'node:os'
import { createLookout, TASKS, type OthersWork, type Seen } from './others-work.js'

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
 * While requests come, a thread rests for so many times as long as it worked. A request that comes while it works is answered later: one
 * that wakes up does not get the processor from a thread of low priority at once (Linux lets that have its slice first, which ends at a
 * tick, up to 4 ms later: RUN_TO_PARITY in kernel/sched/features.h, since 6.6), and two processors share memory and often a core.
 * So what counts is in how much of the time there is a thread at work: with this, in a quarter.
 */
const REST_FACTOR = 3
/** A long piece of work is not made up for by a long rest. */
const MAX_REST_MS = 10

/**
 * Undefined in a thread that does not give way. A thread works for one pool, whose counters stay in the same memory, though each task
 * brings an array of its own over it.
 */
let others: { readonly work: OthersWork, readonly look: (now: number) => Seen } | undefined
let since = performance.now()

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
  const worked = now - since
  if (worked < MIN_WORK_MS) return
  const { isBusy, isVisited } = others.look(now)
  if (isBusy) waitForOthers(others.work, now + Math.min(MAX_WAIT_MS, WAIT_FACTOR * worked))
  else if (isVisited) Atomics.wait(others.work, TASKS, 0, Math.min(MAX_REST_MS, REST_FACTOR * worked))
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
  if (counters !== undefined) others ??= { work: counters, look: createLookout(counters) }
  since = performance.now()
}
