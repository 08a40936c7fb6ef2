import { AppError } from '../errors.js'
import type { CheckedOutcome } from '../workers/protocol.js'
import type { OutcomeKey, OutcomeKeys } from './outcome-keys.js'
import type { Outcomes } from './outcomes.js'
import type { KernelContent, NamedObject } from './types.js'
import type { CheckOutcome } from './wire.js'

/** A row whose outcome is not known yet. */
export interface Row {
  readonly object: NamedObject
  /** Of the object and of the kernel, in tables. */
  readonly place: number
  readonly kernel: number
  readonly content: KernelContent
  readonly key: OutcomeKey
}

/** What one kernel has to be looked at for: its BTF is read once. */
export interface Task {
  readonly content: KernelContent
  /** By object, and by the text of the key. */
  readonly runs: Map<NamedObject, Map<string, Wanted>>
}

/** An outcome that is to be found out. */
interface Wanted {
  readonly release: string
  readonly key: OutcomeKey
}

/** Finds for rows the kernels that have to be relocated for: one for all that have one outcome. */
export interface Tasks {
  /** The outcome of a key, where it is known. */
  find(object: NamedObject, key: OutcomeKey): CheckOutcome | undefined
  /** Takes a row whose key has no outcome that is known. */
  add(row: Row): void
  /** The next task, to be settled or failed. Undefined where there is none at the moment. */
  start(): Task | undefined
  /** Tasks that have not begun. */
  readonly queued: number
  /** What was found out about an object by a task: as many outcomes as are wanted of it, in their order. */
  settle(task: Task, object: NamedObject, found: readonly CheckedOutcome[]): void
  /**
   * Gives all rows of the task's own kernel an outcome. What went wrong with one kernel says nothing of others that have its layouts:
   * the next of them is looked at in its place.
   */
  fail(task: Task, outcome: CheckOutcome): void
}

export interface TasksOptions {
  readonly keys: OutcomeKeys
  readonly outcomes: Outcomes
  readonly onReady: (row: Row, outcome: CheckOutcome) => void
}

/** Kernels with the same patches for an object, of which one is being looked at. */
interface Scope {
  readonly task: Task
  /** Rows of other verifiers that came after the task had begun: most outcomes turn out to be those of every verifier. */
  readonly later: Row[]
}

/** What is looked for of one object. */
interface OfObject {
  /** By their names, those of which a kernel is being looked at. */
  readonly scopes: Map<string, Scope>
  /** Rows by the text that their outcome will be known under. */
  readonly waiting: Map<string, Row[]>
}

export function createTasks ({ keys, outcomes, onReady }: TasksOptions): Tasks {
  /** Tasks that have not begun, by their content. */
  const queue = new Map<string, Task>()
  const byObject = new Map<NamedObject, OfObject>()
  const ofObject = (object: NamedObject): OfObject => {
    let known = byObject.get(object)
    if (known === undefined) {
      known = { scopes: new Map(), waiting: new Map() }
      byObject.set(object, known)
    }
    return known
  }

  const find: Tasks['find'] = (object, { scope, text }) => outcomes.get(keyText(object, scope)) ?? outcomes.get(keyText(object, text))

  const isQueued = (task: Task): boolean => queue.get(contentText(task.content)) === task

  const taskFor = (content: KernelContent): Task => {
    const name = contentText(content)
    const task = queue.get(name) ?? { content, runs: new Map<NamedObject, Map<string, Wanted>>() }
    queue.set(name, task)
    return task
  }

  const open = ({ scopes }: OfObject, name: string, content: KernelContent): Scope => {
    const scope: Scope = { task: taskFor(content), later: [] }
    scopes.set(name, scope)
    return scope
  }

  const add: Tasks['add'] = row => {
    const { object, content, key } = row
    const own = ofObject(object)
    const known = own.scopes.get(key.scope)
    if (known === undefined) {
      // Of this very BTF it may be known from before there was a table of its layouts.
      const outcome = find(object, key) ?? find(object, keys.alone(object, content))
      if (outcome !== undefined) return onReady(row, outcome)
    }
    const scope = known ?? open(own, key.scope, content)
    const others = own.waiting.get(key.text) ?? (isQueued(scope.task) ? undefined : scope.later)
    if (others !== undefined) {
      others.push(row)
    } else {
      addRun(scope.task, row)
      own.waiting.set(key.text, [row])
    }
  }

  /** Rows that wait for a text, which wait no more. */
  const take = (object: NamedObject, { text }: OutcomeKey): readonly Row[] => {
    const { waiting } = ofObject(object)
    const rows = waiting.get(text) ?? []
    waiting.delete(text)
    return rows
  }

  /** Ends the looking at one kernel of each scope. @returns rows that came meanwhile */
  const close = (object: NamedObject, wanted: readonly Wanted[]): readonly Row[] => {
    const { scopes } = ofObject(object)
    const later: Row[] = []
    for (const { key: { scope } } of wanted) {
      later.push(...scopes.get(scope)?.later ?? [])
      scopes.delete(scope)
    }
    return later
  }

  return {
    find,
    add,
    start () {
      const [task] = queue.values()
      if (task !== undefined) queue.delete(contentText(task.content))
      return task
    },
    get queued () { return queue.size },
    settle ({ content, runs }, object, found) {
      const wanted = [...runs.get(object)?.values() ?? []]
      if (found.length !== wanted.length) {
        throw new AppError('internal_error', `A check of an object has ${found.length} outcomes; it was asked for ${wanted.length}.`)
      }
      const later = close(object, wanted)
      const others: Row[] = []
      wanted.forEach(({ release, key }, i) => {
        const one = found[i]
        if (one === undefined) return
        const own = one.isOfLayout ? key : keys.alone(object, { ...content, release })
        const isSame = own.scope === key.scope
        if (!isSame) keys.noteAlone(object, key.scope)
        const outcome = outcomes.set(keyText(object, one.isOfRelease ? own.text : own.scope), one.json)
        for (const row of [...take(object, key), ...(i === 0 ? later : [])]) {
          const mine = isSame ? row.key : keys.alone(object, row.content)
          if (one.isOfRelease ? mine.text === own.text : mine.scope === own.scope) onReady(row, outcome)
          else others.push({ ...row, key: mine })
        }
      })
      for (const row of others) add(row)
    },
    fail ({ content, runs }, outcome) {
      const failed = contentText(content)
      for (const [object, run] of runs) {
        const wanted = [...run.values()]
        const rows = wanted.flatMap(({ key }) => take(object, key))
        for (const row of [...rows, ...close(object, wanted)]) {
          if (contentText(row.content) === failed) onReady(row, outcome)
          else add(row)
        }
      }
    }
  }
}

function addRun ({ runs }: Task, { object, content: { release }, key }: Row): void {
  const run = runs.get(object) ?? new Map<string, Wanted>()
  runs.set(object, run)
  run.set(key.text, { release, key })
}

function keyText (object: NamedObject, text: string): string { return `${object.sha256} ${text}` }

function contentText ({ btf, modules }: KernelContent): string { return `${btf} ${modules.join()}` }
