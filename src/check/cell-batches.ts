import { createInterned } from '../store/interned.js'
import { CELLS_AT_ONCE, type Cell, type CellBatch, type CellTables } from './cells.js'
import { COMPARISONS, type CheckOutcome } from './wire.js'

/** A list of places that grows. Outside of V8's heap, so that it is neither copied nor looked through when garbage is collected. */
export interface PlaceList {
  readonly length: number
  push(place: number): void
  /** Those that are there now. */
  all(): Uint32Array
}

const FIRST_PLACES = 16

export function createPlaceList (): PlaceList {
  let places = new Uint32Array(FIRST_PLACES)
  let length = 0
  return {
    get length () { return length },
    push (place) {
      if (length === places.length) places = moved(places, 2 * length)
      places[length++] = place
    },
    all: () => places.subarray(0, length)
  }
}

/** Makes batches of rows that come one by one. Objects are told by their hash and name. */
export function createBatches (): (cells: readonly Cell[]) => CellBatch {
  const named = createInterned<string>()
  const objects: Array<Cell['object']> = []
  const kernels = createInterned<string>()
  const outcomes = createInterned<CheckOutcome>()
  const tables: CellTables = { objects, kernels: kernels.list, outcomes: outcomes.list }
  return cells => ({
    tables,
    length: cells.length,
    objects: Uint32Array.from(cells, ({ object }) => {
      const place = named.placeOf(`${object.sha256} ${object.name}`)
      objects[place] ??= object
      return place
    }),
    kernels: Uint32Array.from(cells, ({ kernel }) => kernels.placeOf(kernel)),
    outcomes: Uint32Array.from(cells, ({ outcome }) => outcomes.placeOf(outcome)),
    ...(cells.some(({ baseline }) => baseline !== undefined)
      ? { comparisons: Uint8Array.from(cells, ({ baseline = 'new' }) => COMPARISONS.indexOf(baseline)) }
      : {})
  })
}

/** Rows that wait to be taken, first come first. */
export interface CellQueue {
  readonly length: number
  /** Places in the tables. */
  push(object: number, kernel: number, outcome: number): void
  /** The first of them, at most so many. */
  take(most: number): CellBatch
}

export function createCellQueue (tables: CellTables): CellQueue {
  let objects = new Uint32Array(CELLS_AT_ONCE)
  let kernels = new Uint32Array(CELLS_AT_ONCE)
  let outcomes = new Uint32Array(CELLS_AT_ONCE)
  let start = 0
  let end = 0
  return {
    get length () { return end - start },
    push (object, kernel, outcome) {
      if (end === objects.length) {
        // Where many were taken, those that are left find room at the front.
        const capacity = start > end / 2 ? end : 2 * end
        objects = moved(objects.subarray(start), capacity)
        kernels = moved(kernels.subarray(start), capacity)
        outcomes = moved(outcomes.subarray(start), capacity)
        end -= start
        start = 0
      }
      objects[end] = object
      kernels[end] = kernel
      outcomes[end] = outcome
      end++
    },
    take (most) {
      const [from, to] = [start, Math.min(end, start + most)]
      const batch = {
        tables,
        length: to - from,
        objects: objects.slice(from, to),
        kernels: kernels.slice(from, to),
        outcomes: outcomes.slice(from, to)
      }
      start = to
      if (start === end) start = end = 0
      return batch
    }
  }
}

function moved (list: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const other = new Uint32Array(capacity)
  other.set(list)
  return other
}
