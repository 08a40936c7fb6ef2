import { AppError } from '../errors.js'
import { abortable } from '../store/abortable.js'
import { hasEndedWorker, type CheckedRuns, type CheckRun } from '../workers/protocol.js'
import type { Pause } from '../workers/pauses.js'
import type { OutcomeKeys } from './outcome-keys.js'
import type { Outcomes } from './outcomes.js'
import type { StateOutcomes } from './state-outcomes.js'
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

/** What one kernel has to be looked at for. */
interface Task {
  readonly content: KernelContent
  /** By object and release. */
  readonly runs: Map<NamedObject, Map<string, RunKey>>
}

/** What an outcome is known under: `own` is what the keys gave for the kernel, `text` has the object too. */
interface RunKey {
  readonly text: string
  readonly own: string
}

/** A row whose outcome somebody is finding out. */
interface Waiting {
  readonly object: NamedObject
  readonly kernel: string
  readonly content: KernelContent
}

function keyText (object: NamedObject, own: string): string { return `${object.sha256} ${own}` }

/**
 * Rows in the order in which they are known. One kernel is relocated for each outcome that is not known yet, and no work begins that
 * nobody waits for: neither while the rows are not taken, nor after the signal.
 *
 * @throws AppError the signal's reason; `draining`
 */
export async function * runCheck (options: RunOptions): AsyncGenerator<readonly Cell[]> {
  const { objects, kernels, fetches, outcomes, signal, concurrency, pause = () => undefined } = options
  const ready: Cell[] = []
  const waiting = new Map<string, Waiting[]>()
  /** Tasks for kernels whose outcome turned out not to be that of others. */
  const apart: Task[] = []
  const running = new Set<Promise<void>>()
  let fatal: unknown

  const settle = (key: string, outcome: CheckOutcome): void => {
    for (const { object, kernel } of waiting.get(key) ?? []) ready.push({ object, kernel, outcome })
    waiting.delete(key)
  }
  /** An outcome that is of one BTF alone: every other kernel that waits for it is relocated for by itself. */
  const settleAlone = (object: NamedObject, key: RunKey, content: KernelContent, outcome: CheckOutcome): void => {
    const own = options.keys.alone(object, content)
    if (key.own === own) return settle(key.text, outcome)
    const cells = waiting.get(key.text) ?? []
    waiting.delete(key.text)
    const tasks = new Map<string, Task>()
    for (const cell of cells) {
      const alone = options.keys.alone(object, cell.content)
      const text = keyText(object, alone)
      const known = alone === own ? outcome : outcomes.get(text)
      if (known !== undefined) ready.push({ object, kernel: cell.kernel, outcome: known })
      else if (!join(waiting, text, cell)) addRun(tasks, object, cell.content, { text, own: alone })
    }
    apart.push(...tasks.values())
  }
  /** What went wrong with one kernel says nothing of others that have its layouts: the next of them is looked at in its place. */
  const fail = ({ content, runs }: Task, outcome: CheckOutcome): void => {
    const tasks = new Map<string, Task>()
    for (const [object, releases] of runs) {
      for (const [release, key] of releases) {
        const own = options.keys.alone(object, { ...content, release })
        const isFailed = (cell: Waiting): boolean => cell.content.btf === content.btf && options.keys.alone(object, cell.content) === own
        const cells = waiting.get(key.text) ?? []
        for (const { kernel } of cells.filter(isFailed)) ready.push({ object, kernel, outcome })
        const others = cells.filter(cell => !isFailed(cell))
        const [next] = others
        if (next === undefined) {
          waiting.delete(key.text)
        } else {
          waiting.set(key.text, others)
          addRun(tasks, object, next.content, key)
        }
      }
    }
    apart.push(...tasks.values())
  }
  const work = async (task: Task): Promise<void> => {
    const entries = [...task.runs]
    try {
      const found = await options.relocate(task.content, entries.map(([object, releases]) =>
        ({ object: object.bytes, objectSha256: object.sha256, releases: [...releases.keys()] })))
      if (found.state !== 'ready') throw new AppError('btf_unknown', 'The BTF of this kernel is not held any more.')
      for (const [i, [object, releases]] of entries.entries()) {
        [...releases].forEach(([release, key], j) => {
          const one = found.outcomes[i]?.[j]
          if (one === undefined) throw new AppError('internal_error', 'A check of objects has fewer outcomes than it was asked for.')
          if (one.isOfLayout) return settle(key.text, outcomes.set(key.text, one.json))
          const content = { ...task.content, release }
          const own = options.keys.alone(object, content)
          if (key.own !== own) options.keys.noteAlone(object, key.own)
          settleAlone(object, key, content, outcomes.set(keyText(object, own), one.json))
        })
        await pause()
      }
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'draining') throw error
      // One object that takes too long must not decide about the others.
      if (hasEndedWorker(error) && entries.length > 1) {
        for (const [object, releases] of entries) await work({ content: task.content, runs: new Map([[object, releases]]) })
      } else {
        fail(task, options.outcomeOf(error.code === 'btf_unknown' ? 'unknown_kernel' : 'error', error.message))
      }
    }
  }
  const start = (job: Promise<unknown>): void => {
    const tracked: Promise<void> = job.then(() => {}, (error: unknown) => { fatal ??= error }).then(() => { running.delete(tracked) })
    running.add(tracked)
  }

  /** Tasks for kernels whose outcomes are not known; rows of the others become ready by the way. */
  const plan = async function * (planned: readonly CheckedKernel[]): AsyncGenerator<Task | undefined> {
    const size = BATCH * concurrency
    for (let at = 0; at < planned.length; at += size) {
      const batch = planned.slice(at, at + size)
      const tasks = new Map<string, Task>()
      const held = batch.flatMap(kernel => 'content' in kernel ? [kernel] : [])
      for (const kernel of batch) {
        if ('outcome' in kernel) for (const object of objects) ready.push({ object, kernel: kernel.name, outcome: kernel.outcome })
      }
      const texts = held.length === 0 ? [] : await options.keys.of(objects, held.map(({ content }) => content), options)
      for (const [o, object] of objects.entries()) {
        /** Few of the kernels differ: each outcome is looked for once. */
        const known = new Map<string, { readonly text: string, readonly outcome: CheckOutcome | undefined }>()
        held.forEach(({ name, content }, i) => {
          const own = texts[o]?.[i] ?? ''
          let found = known.get(own)
          if (found === undefined) {
            const text = keyText(object, own)
            known.set(own, found = { text, outcome: outcomes.get(text) })
          }
          const { text } = found
          // Of this very BTF it may be known from before there was a table of its layouts.
          const outcome = found.outcome ?? outcomes.get(keyText(object, options.keys.alone(object, content)))
          if (outcome !== undefined) ready.push({ object, kernel: name, outcome })
          else if (!join(waiting, text, { object, kernel: name, content })) addRun(tasks, object, content, { text, own })
        })
        if (ready.length >= CELLS_AT_ONCE) yield undefined
        await pause()
      }
      for (const task of tasks.values()) yield task
      yield undefined
    }
  }

  const tasks = plan(kernels)
  let isPlanned = false
  let fetched = 0
  const startNext = async (): Promise<void> => {
    const task = apart.shift()
    if (task !== undefined) return start(work(task))
    if (!isPlanned) {
      const next = await tasks.next()
      isPlanned = next.done === true
      if (next.done !== true && next.value !== undefined) start(work(next.value))
      return
    }
    const fetch = fetches[fetched++]
    if (fetch === undefined) return
    start((async () => {
      const kernel = await fetch()
      for await (const task of plan([kernel])) if (task !== undefined) await work(task)
    })())
  }

  for (;;) {
    await pause()
    signal.throwIfAborted()
    if (fatal !== undefined) throw fatal
    const isAllStarted = isPlanned && apart.length === 0 && fetched >= fetches.length
    if (ready.length > 0) yield ready.splice(0, CELLS_AT_ONCE)
    else if (!isAllStarted && running.size < concurrency) await startNext()
    else if (running.size > 0) await abortable(Promise.race(running), signal)
    else return
  }
}

/** Whether somebody waits for this outcome already. */
function join<T> (waiting: Map<string, T[]>, key: string, cell: T): boolean {
  const known = waiting.get(key)
  if (known === undefined) waiting.set(key, [cell])
  else known.push(cell)
  return known !== undefined
}

/** Kernels of one content are one task: its BTF is read once. */
function addRun (tasks: Map<string, Task>, object: NamedObject, content: KernelContent, key: RunKey): void {
  const name = `${content.btf} ${content.modules.join()}`
  const task = tasks.get(name) ?? { content, runs: new Map<NamedObject, Map<string, RunKey>>() }
  tasks.set(name, task)
  const releases = task.runs.get(object) ?? new Map<string, RunKey>()
  task.runs.set(object, releases)
  releases.set(content.release, key)
}
