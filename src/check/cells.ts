import type { NamedObject } from './types.js'
import { COMPARISONS, type CheckOutcome, type Comparison } from './wire.js'

/** Rows in the order in which they are known, as many at a time as are known together. All batches have the same tables. */
export type Cells = AsyncIterable<CellBatch>

/** Most rows at a time: never so many that to go through them keeps others waiting. */
export const CELLS_AT_ONCE = 1024

/** What rows speak of. What is in a list stays in its place; more may come behind it. */
export interface CellTables {
  readonly objects: ReadonlyArray<Cell['object']>
  /** Each name once. */
  readonly kernels: readonly string[]
  /** Each once. Equal outcomes are the same object. */
  readonly outcomes: readonly CheckOutcome[]
}

/**
 * Rows that are known together, as places in tables: one check may have half a million rows, and an object for each of them would keep
 * the collector of garbage, and so the event loop, busy for longer than all else.
 */
export interface CellBatch {
  readonly tables: CellTables
  readonly length: number
  /** Of each row. */
  readonly objects: Uint32Array
  readonly kernels: Uint32Array
  readonly outcomes: Uint32Array
  /** Places in COMPARISONS, where there is an earlier answer. */
  readonly comparisons?: Uint8Array | undefined
}

/** One row. */
export interface Cell {
  readonly object: Pick<NamedObject, 'sha256' | 'name'>
  readonly kernel: string
  readonly outcome: CheckOutcome
  readonly baseline?: Comparison | undefined
}

/** What a list has in a place that somebody was given. */
export function at<T> (list: ArrayLike<T>, place: number): T {
  const found = list[place]
  if (found === undefined) throw new RangeError(`There is nothing in place ${place} of ${list.length}.`)
  return found
}

/**
 * The same in a list of places, where there are hundreds of thousands to be had. It is a function of its own because V8 learns of each
 * function what it is called with: one that reads lists of many kinds is several times slower.
 */
export function placeAt (list: Uint32Array, i: number): number {
  const place = list[i]
  if (place === undefined) throw new RangeError(`There is nothing in place ${i} of ${list.length}.`)
  return place
}

/**
 * The rows of a batch, each for itself.
 *
 * @param only the place of an object, of which they are wanted. Undefined: of all
 */
export function * cellsIn ({ tables, length, objects, kernels, outcomes, comparisons }: CellBatch, only?: number): Generator<Cell> {
  for (let i = 0; i < length; i++) {
    if (only !== undefined && objects[i] !== only) continue
    yield {
      object: at(tables.objects, placeAt(objects, i)),
      kernel: at(tables.kernels, placeAt(kernels, i)),
      outcome: at(tables.outcomes, placeAt(outcomes, i)),
      ...(comparisons === undefined ? {} : { baseline: at(COMPARISONS, at(comparisons, i)) })
    }
  }
}
