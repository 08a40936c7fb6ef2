import { AppError } from '../errors.js'
import { abortable } from '../store/abortable.js'
import { hasEndedWorker, type CheckedRuns, type CheckRun } from '../workers/protocol.js'
import type { Pause } from '../workers/pauses.js'
import type { OutcomeKeys } from './outcome-keys.js'
import type { Outcomes } from './outcomes.js'
import type { StateOutcomes } from './state-outcomes.js'
import { createTasks, type Task } from './tasks.js'
import { CELLS_AT_ONCE, type Cell, type CheckedKernel, type KernelContent, type NamedObject } from './types.js'
import type { CheckOutcome } from './wire.js'

export interface RunOptions {
  readonly objects: readonly NamedObject[]
  readonly kernels: readonly CheckedKernel[]
  /** Kernels that have to be fetched before they are looked at: after all others. */
  readonly fetches: ReadonlyArray<() => Promise<CheckedKernel>>
  readonly keys: OutcomeKeys
  readonly outcomes: Outcomes
  readonly outcomeOf: StateOutcomes
  /** Relocates objects on one kernel. */
  readonly relocate: (content: KernelContent, runs: readonly CheckRun[]) => Promise<CheckedRuns>
  /** Kernels that are worked on at a time. */
  readonly concurrency: number
  readonly caller: string
  readonly signal: AbortSignal
  /** Lets requests have the event loop between pieces of work. */
  readonly pause?: Pause | undefined
}

/** Kernels whose keys are asked for at once, for each that is worked on at a time. */
const BATCH = 64

/**
 * Rows in the order in which they are known. One kernel is relocated for each outcome that is not known yet, and no work begins that
 * nobody waits for: neither while the rows are not taken, nor after the signal.
 *
 * @throws AppError the signal's reason; `draining`
 */
export async function * runCheck (options: RunOptions): AsyncGenerator<readonly Cell[]> {
  const { objects, kernels, fetches, signal, concurrency, pause = () => undefined } = options
  const ready: Cell[] = []
  const tasks = createTasks({ ...options, onReady: ({ object, kernel }, outcome) => { ready.push({ object, kernel, outcome }) } })
  const running = new Set<Promise<void>>()
  let fatal: unknown

  const work = async (task: Task): Promise<void> => {
    const entries = [...task.runs]
    try {
      const found = await options.relocate(task.content, entries.map(([object, run]) =>
        ({ object: object.bytes, objectSha256: object.sha256, releases: [...run.values()].map(({ release }) => release) })))
      if (found.state !== 'ready') throw new AppError('btf_unknown', 'The BTF of this kernel is not held any more.')
      for (const [i, [object]] of entries.entries()) {
        tasks.settle(task, object, found.outcomes[i] ?? [])
        await pause()
      }
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'draining') throw error
      // One object that takes too long must not decide about the others.
      if (hasEndedWorker(error) && entries.length > 1) {
        for (const [object, run] of entries) await work({ content: task.content, runs: new Map([[object, run]]) })
      } else {
        tasks.fail(task, options.outcomeOf(error.code === 'btf_unknown' ? 'unknown_kernel' : 'error', error.message))
      }
    }
  }
  const start = (job: Promise<unknown>): void => {
    const tracked: Promise<void> = job.then(() => {}, (error: unknown) => { fatal ??= error }).then(() => { running.delete(tracked) })
    running.add(tracked)
  }

  /** Looks for what is known of kernels: rows become ready, or tasks. A piece of work each time. */
  const plan = async function * (planned: readonly CheckedKernel[]): AsyncGenerator<void> {
    const size = BATCH * concurrency
    for (let at = 0; at < planned.length; at += size) {
      const batch = planned.slice(at, at + size)
      const held = batch.flatMap(kernel => 'content' in kernel ? [kernel] : [])
      for (const kernel of batch) {
        if ('outcome' in kernel) for (const object of objects) ready.push({ object, kernel: kernel.name, outcome: kernel.outcome })
      }
      const keys = held.length === 0 ? [] : await options.keys.of(objects, held.map(({ content }) => content), options)
      for (const [o, object] of objects.entries()) {
        /** Few of the kernels differ: each outcome is looked for once. */
        const known = new Map<string, CheckOutcome | undefined>()
        for (const [i, { name, content }] of held.entries()) {
          const key = keys[o]?.[i]
          if (key === undefined) throw new AppError('internal_error', 'A kernel of a check has no key.')
          if (!known.has(key.text)) known.set(key.text, tasks.find(object, key))
          const outcome = known.get(key.text)
          if (outcome !== undefined) ready.push({ object, kernel: name, outcome })
          else tasks.add({ object, kernel: name, content, key })
          const pausing = pause()
          if (pausing !== undefined) await pausing
        }
        if (ready.length >= CELLS_AT_ONCE) yield
      }
      yield
    }
  }

  const plans = plan(kernels)
  let isPlanned = false
  let fetched = 0
  const startNext = async (): Promise<void> => {
    const task = tasks.start()
    if (task !== undefined) return start(work(task))
    if (!isPlanned) {
      isPlanned = (await plans.next()).done === true
      return
    }
    const fetch = fetches[fetched++]
    if (fetch === undefined) return
    start((async () => {
      const pieces = plan([await fetch()])
      while ((await pieces.next()).done !== true); // the rows of one kernel are few
    })())
  }

  for (;;) {
    await pause()
    signal.throwIfAborted()
    if (fatal !== undefined) throw fatal
    const isAllStarted = isPlanned && tasks.queued === 0 && fetched >= fetches.length
    if (ready.length > 0) yield ready.splice(0, CELLS_AT_ONCE)
    else if (!isAllStarted && running.size < concurrency) await startNext()
    else if (running.size > 0) await abortable(Promise.race(running), signal)
    else return
  }
}
