import type { CheckState } from '../../src/check/wire.js'
import { groupBy } from './group-by.js'
import { STATES, type Matrix } from './matrix.js'

/** Kernels on which every object has one outcome. */
export interface Group {
  readonly key: string
  /** Those of the first kernel: places in the matrix' outcomes, one for each column; -1 while it is not known. */
  readonly cells: readonly number[]
  /** In order. */
  readonly kernels: readonly string[]
}

/** A row of the table: a group, or a kernel of one. */
export type Item =
  | { readonly type: 'group', readonly group: Group, readonly isOpen: boolean }
  | KernelItem

export interface KernelItem {
  readonly type: 'kernel'
  readonly kernel: string
  readonly cells: readonly number[]
  /** 2: within a group. */
  readonly level: 1 | 2
  /** Among those of its level, from 1. */
  readonly position: number
  readonly of: number
}

/** Which rows are meant, and how they are shown. */
export interface RowChoice {
  readonly grouping: 'outcome' | 'kernel'
  /** A kernel of each group that is open: what a group is called by the matrix changes while rows come. */
  readonly open: ReadonlySet<string>
  /** Only rows, and columns, with one of these states; all where it is empty. */
  readonly states: ReadonlySet<CheckState>
  /** Only kernels whose name has this. */
  readonly text: string
}

export const ALL_ROWS: RowChoice = { grouping: 'outcome', open: new Set(), states: new Set(), text: '' }

/** By number first, so that 5.4 comes before 5.10. */
const collator = new Intl.Collator('en', { numeric: true })

/** The order of names. One that is known for many is cheaper than comparing. */
export function compareKernels (a: string, b: string): number { return collator.compare(a, b) }

/** Columns that are shown: those that have one of the states in a row that is. @param wanted the rows, where they are known */
export function listColumns (matrix: Matrix, rows: RowChoice, wanted?: WantedRows): readonly number[] {
  const all = allColumns(matrix)
  if (rows.states.size === 0) return all
  const isMeant = matrix.outcomes.map(({ state }) => rows.states.has(state))
  const shown = wanted ?? wantedRows(matrix, rows)
  return all.filter(column => shown.some(([, cells]) => isMeant[cells[column] ?? -1]))
}

function allColumns (matrix: Matrix): readonly number[] { return matrix.columns.map((_, column) => column) }

/** Groups, those with the worst outcomes first, and of these the largest. Columns that are not shown tell no kernels apart. */
export function groupByOutcome (
  matrix: Matrix,
  kernels: Iterable<readonly [string, readonly number[]]> = matrix.kernels,
  columns = allColumns(matrix)
): readonly Group[] {
  const ranks = matrix.outcomes.map(({ state }) => STATES.indexOf(state))
  const worst = (cells: readonly number[]): number => Math.min(...columns.map(column => ranks[cells[column] ?? -1] ?? STATES.length))
  const keyOf = keysOf(matrix, columns)
  return [...groupBy(kernels, ([, cells]) => keyOf(cells))]
    .map(([key, rows]) => ({ key, cells: rows[0]?.[1] ?? [], kernels: rows.map(([kernel]) => kernel).sort(compareKernels) }))
    .sort((a, b) => worst(a.cells) - worst(b.cells) || b.kernels.length - a.kernels.length ||
      compareKernels(a.kernels[0] ?? '', b.kernels[0] ?? ''))
}

/** States in which nothing was relocated. The reason speaks of one kernel, and tells no groups apart. */
const WITHOUT_RESULT: ReadonlySet<CheckState> = new Set(['error', 'unknown_kernel', 'not_fetched'])

/** What groups are told apart by. */
function keysOf (matrix: Matrix, columns: readonly number[]): (cells: readonly number[] | undefined) => string {
  const keys = matrix.outcomes.map(({ state }, i) => WITHOUT_RESULT.has(state) ? state : i)
  return (cells = []) => columns.map(column => keys[cells[column] ?? -1] ?? -1).join()
}

/** What is open once a group was opened or closed. */
export function toggleGroup (matrix: Matrix, rows: RowChoice, { key, kernels: [first = ''] }: Group): ReadonlySet<string> {
  const keyOf = keysOf(matrix, listColumns(matrix, rows))
  const others = [...rows.open].filter(kernel => keyOf(matrix.kernels.get(kernel)) !== key)
  return new Set(others.length === rows.open.size ? [...others, first] : others)
}

/** Kernels whose rows are shown, with their cells. */
type WantedRows = ReadonlyArray<readonly [string, readonly number[]]>

function wantedRows (matrix: Matrix, { states, text }: RowChoice): WantedRows {
  const words = text.toLowerCase().split(/\s+/).filter(word => word !== '')
  const isWanted = (kernel: string, cells: readonly number[]): boolean =>
    words.every(word => kernel.toLowerCase().includes(word)) &&
    (states.size === 0 || cells.some(cell => states.has(matrix.outcomes[cell]?.state ?? 'error')))
  return [...matrix.kernels].filter(([kernel, cells]) => isWanted(kernel, cells))
}

/** The rows of the table. */
export function listItems (matrix: Matrix, rows: RowChoice): readonly Item[] {
  const wanted = wantedRows(matrix, rows)
  if (rows.grouping === 'kernel') {
    return wanted.toSorted(([a], [b]) => compareKernels(a, b))
      .map(([kernel, cells], i) => ({ type: 'kernel', kernel, cells, level: 1, position: i + 1, of: wanted.length }))
  }
  const columns = listColumns(matrix, rows, wanted)
  const keyOf = keysOf(matrix, columns)
  const openKeys = new Set([...rows.open].map(kernel => keyOf(matrix.kernels.get(kernel))))
  return groupByOutcome(matrix, wanted, columns).flatMap<Item>(group => {
    const isOpen = openKeys.has(group.key)
    const row: Item = { type: 'group', group, isOpen }
    if (!isOpen) return [row]
    return [row, ...group.kernels.map<Item>((kernel, i) =>
      ({ type: 'kernel', kernel, cells: matrix.kernels.get(kernel) ?? [], level: 2, position: i + 1, of: group.kernels.length }))]
  })
}

/** What a group's kernels are, in a few words: `ubuntu 20.04 x86_64 · 5.4.0-26-generic to 5.4.0-42-generic`. */
export function describeKernels (kernels: readonly string[]): string {
  const [first, last] = [kernels[0] ?? '', kernels.at(-1) ?? '']
  if (kernels.length < 2) return first.replaceAll('/', ' ')
  const platforms = groupBy(kernels, platformOf)
  if (platforms.size === 1) return `${platformOf(first)} · ${releaseOf(first)} to ${releaseOf(last)}`
  const largest = [...platforms].sort(([, a], [, b]) => b.length - a.length)
  const named = largest.slice(0, 3).map(([platform, { length }]) => `${platform} (${length})`).join(', ')
  return largest.length > 3 ? `${named} and ${largest.length - 3} more` : named
}

/** `ubuntu 20.04 x86_64`; empty for what is no whole reference. */
export function platformOf (kernel: string): string { return kernel.slice(0, Math.max(0, kernel.lastIndexOf('/'))).replaceAll('/', ' ') }

/** `uname -r`. */
export function releaseOf (kernel: string): string { return kernel.slice(kernel.lastIndexOf('/') + 1) }
