import type { CheckOutcome, CheckState, CheckSummary, CheckWarning } from '../../src/check/wire.js'

/** States from the one that matters most. */
export const STATES: readonly CheckState[] = ['fails', 'unresolvable', 'error', 'unknown', 'unknown_kernel', 'not_fetched', 'loads']

/** An object that is checked: a column. */
export interface Column {
  readonly name: string
  /** Undefined until the service has said it. */
  readonly sha256: string | undefined
}

/** Why a check ended before all rows were there. */
export interface EarlyEnd {
  readonly code: string
  readonly detail: string
}

/** The last line of an answer. */
interface Ending {
  readonly summary: CheckSummary | null
  readonly problem?: EarlyEnd
  readonly warnings?: readonly CheckWarning[]
}

/** Whom a line is about. */
interface RowHead {
  readonly object: string
  readonly object_name: string
  readonly kernel: string
  /** Of a group, in the place of `kernel`. */
  readonly kernels?: readonly string[]
}

/** What is known of objects on kernels. Grows while rows come. */
export interface Matrix {
  readonly columns: readonly Column[]
  /** Each once. */
  readonly outcomes: readonly CheckOutcome[]
  /** By kernel: for each column the place in `outcomes`, or -1 while it is not known. */
  readonly kernels: ReadonlyMap<string, readonly number[]>
  readonly rows: number
  readonly summary: CheckSummary | undefined
  readonly earlyEnd: EarlyEnd | undefined
  /** Of objects that load for another reason than the reader may think. Known at the end. */
  readonly warnings: readonly CheckWarning[]
  /** Takes one line of the answer: of one kernel, or of a group. What is said of a cell later holds. */
  add(line: string): void
}

/** Before it: whom a row is about. After it: the outcome, in the same letters wherever it is the same. */
const OUTCOME = ',"state":'
/** A verdict may rest on the kernel's own version. That each kernel has one of its own makes no other outcome for who reads it. */
const OWN_VERSION = /"LINUX_KERNEL_VERSION = [\d.]+",?/g

/** @param wanted the objects in the order of the columns; names are different from each other */
export function createMatrix (wanted: readonly Column[]): Matrix {
  const columns: Column[] = [...wanted]
  const outcomes: CheckOutcome[] = []
  const kernels = new Map<string, number[]>()
  const known = new Map<string, number>()
  const places = new Map<string, number>()
  let rows = 0
  let summary: CheckSummary | undefined
  let earlyEnd: EarlyEnd | undefined
  let warnings: readonly CheckWarning[] = []

  const columnOf = (sha256: string, name: string): number => {
    let at = places.get(sha256)
    if (at !== undefined) return at
    at = columns.findIndex(column => column.sha256 === sha256)
    if (at === -1) at = columns.findIndex(column => column.sha256 === undefined && column.name === name)
    if (at === -1) at = columns.length
    columns[at] = { name: columns[at]?.name ?? name, sha256 }
    places.set(sha256, at)
    return at
  }
  const outcomeOf = (text: string): number => {
    const key = text.replaceAll(OWN_VERSION, '')
    let at = known.get(key)
    if (at === undefined) {
      at = outcomes.length
      outcomes.push(JSON.parse(`{${text.slice(1)}`) as CheckOutcome)
      known.set(key, at)
    }
    return at
  }

  return {
    columns,
    outcomes,
    kernels,
    get rows () { return rows },
    get summary () { return summary },
    get earlyEnd () { return earlyEnd },
    get warnings () { return warnings },
    add (line) {
      if (line.trim() === '') return // the service says that it is still there
      const at = line.indexOf(OUTCOME)
      if (!line.startsWith('{"object":') || at === -1) {
        const end = JSON.parse(line) as Ending
        summary = end.summary ?? undefined
        earlyEnd = end.problem
        warnings = end.warnings ?? []
        return
      }
      const head = JSON.parse(`${line.slice(0, at)}}`) as RowHead
      const column = columnOf(head.object, head.object_name)
      const outcome = outcomeOf(line.slice(at))
      for (const kernel of head.kernels ?? [head.kernel]) {
        let cells = kernels.get(kernel)
        if (cells === undefined) kernels.set(kernel, cells = [])
        while (cells.length < columns.length) cells.push(-1)
        if (cells[column] === -1) rows++
        cells[column] = outcome
      }
    }
  }
}

/** How many rows there are of each state. */
export function countStates ({ kernels, outcomes }: Matrix): ReadonlyMap<CheckState, number> {
  const byOutcome = outcomes.map(() => 0)
  for (const cells of kernels.values()) {
    for (const cell of cells) if (cell !== -1) byOutcome[cell] = (byOutcome[cell] ?? 0) + 1
  }
  const counts = new Map<CheckState, number>()
  outcomes.forEach(({ state }, i) => { counts.set(state, (counts.get(state) ?? 0) + (byOutcome[i] ?? 0)) })
  return counts
}
