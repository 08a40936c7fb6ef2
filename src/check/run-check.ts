import { AppError } from '../errors.js'
import { vectorsAtOnce } from '../kernels/layout-tables.js'
import { abortable } from '../store/abortable.js'
import { createInterned } from '../store/interned.js'
import { hasEndedWorker, type CheckedRuns, type CheckRun } from '../workers/protocol.js'
import type { Pause } from '../workers/pauses.js'
import { createCellQueue } from './cell-batches.js'
import { at, CELLS_AT_ONCE, placeAt, type CellBatch } from './cells.js'
import { batchOf, listed, type KernelBatch } from './kernel-batches.js'
import type { OutcomeKey, OutcomeKeys } from './outcome-keys.js'
import type { Outcomes } from './outcomes.js'
import type { StateOutcomes } from './state-outcomes.js'
import { createTasks, type Task } from './tasks.js'
import type { CheckedKernel, KernelContent, NamedObject } from './types.js'
import type { CheckOutcome } from './wire.js'

export interface RunOptions {
  readonly objects: readonly NamedObject[]
  /** Checks of one fleet are to have one list. */
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

/** Rows for which planning stops, so that they are taken. */
const WORTH_TAKING = 256
/** In the place of an outcome. */
const NOT_LOOKED_FOR = -1
const NOT_KNOWN = -2
/** Keys of one object whose outcomes are remembered. Mostly there are some hundred; kernels that are not compared have one each. */
const MAX_KNOWN = 4096

/**
 * Rows in the order in which they are known. One kernel is relocated for each outcome that is not known yet, and no work begins that
 * nobody waits for: neither while the rows are not taken, nor after the signal.
 *
 * @throws AppError the signal's reason; `draining`
 */
export async function * runCheck (options: RunOptions): AsyncGenerator<CellBatch> {
  const { objects, kernels, fetches, signal, concurrency, pause = () => undefined } = options
  const all = listed(kernels)
  /** Behind the others come those that are fetched. */
  const withFetched = fetches.length === 0 ? [] : [...all.names]
  const names = fetches.length === 0 ? all.names : withFetched
  const outcomes = createInterned<CheckOutcome>()
  const ready = createCellQueue({ objects, kernels: names, outcomes: outcomes.list })
  const tasks = createTasks({
    ...options,
    onReady ({ place, kernel }, outcome) { ready.push(place, kernel, outcomes.placeOf(outcome)) }
  })
  /** Of each object, the outcomes of keys: places in the table. */
  const known = objects.map(() => new Map<OutcomeKey, number>())
  const running = new Set<Promise<void>>()
  let fatal: unknown

  const work = async (task: Task): Promise<void> => {
    const entries = [...task.runs]
    try {
      const found = await options.relocate(task.content, entries.map(([object, run]) =>
        ({ object: object.bytes, objectSha256: object.sha256, releases: [...run.values()].map(({ release }) => release) })))
      if (found.state !== 'ready') throw new AppError('btf_unknown', 'The BTF of this kernel is not held any more.')
      for (const [i, [object, run]] of entries.entries()) {
        const ofRun = found.outcomes[i] ?? []
        if ('fault' in ofRun) tasks.fail({ ...task, runs: new Map([[object, run]]) }, options.outcomeOf('error', ofRun.fault))
        else tasks.settle(task, object, ofRun)
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

  /** @returns places in the table of outcomes, NOT_KNOWN where it is not known yet */
  const find = (object: NamedObject, ofKeys: Map<OutcomeKey, number>, key: OutcomeKey): number => {
    const place = ofKeys.get(key)
    if (place !== undefined) return place
    const outcome = tasks.find(object, key)
    if (outcome === undefined) return NOT_KNOWN
    if (ofKeys.size >= MAX_KNOWN) ofKeys.clear()
    const found = outcomes.placeOf(outcome)
    ofKeys.set(key, found)
    return found
  }

  /** Looks for what is known of kernels: rows become ready, or tasks. A piece of work each time. */
  const plan = async function * ({ contents, places, others }: KernelBatch): AsyncGenerator<void> {
    for (const { place, outcome } of others) for (const o of objects.keys()) ready.push(o, place, outcomes.placeOf(outcome))
    let o = 0
    for (const { keys, places: keyOf } of contents.length === 0 ? [] : await options.keys.of(objects, contents, options)) {
      const object = at(objects, o)
      /** By the places of keys. */
      const found = new Int32Array(keys.length).fill(NOT_LOOKED_FOR)
      for (let i = 0; i < contents.length; i++) {
        const kernel = placeAt(places, i)
        const key = keyOf[i] ?? 0
        let outcome = found[key] ?? NOT_LOOKED_FOR
        if (outcome === NOT_LOOKED_FOR) found[key] = outcome = find(object, at(known, o), at(keys, key))
        if (outcome !== NOT_KNOWN) {
          ready.push(o, kernel, outcome)
          continue
        }
        tasks.add({ object, place: o, kernel, content: at(contents, i), key: at(keys, key) })
        const pausing = pause()
        if (pausing !== undefined) await pausing
      }
      o++
      const pausing = pause()
      if (pausing !== undefined) await pausing
      if (ready.length >= WORTH_TAKING) yield
    }
    yield
  }
  const planAll = async function * (): AsyncGenerator<void> {
    const size = vectorsAtOnce(objects.length) * concurrency
    for (let place = 0; ; place += size) {
      const batch = all.batchFrom(place, size)
      if (batch === undefined) return
      yield * plan(batch)
    }
  }
  const plans = planAll()
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
      const kernel = await fetch()
      const pieces = plan(batchOf([kernel], withFetched.push(kernel.name) - 1))
      while ((await pieces.next()).done !== true); // the rows of one kernel are few
    })())
  }

  for (;;) {
    await pause()
    signal.throwIfAborted()
    if (fatal !== undefined) throw fatal
    const isAllStarted = isPlanned && tasks.queued === 0 && fetched >= fetches.length
    if (ready.length > 0) yield ready.take(CELLS_AT_ONCE)
    else if (!isAllStarted && running.size < concurrency) await startNext()
    else if (running.size > 0) await abortable(Promise.race(running), signal)
    else return
  }
}
