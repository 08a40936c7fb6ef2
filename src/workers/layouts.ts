import { essentialNameLength } from '../btf/names.js'
import { demandsOf, readLayoutTable, type Demands, type LayoutTable } from '../layout/index.js'
import { createInterned, type Interned } from '../store/interned.js'
import type { Sha256 } from '../store/sha256.js'
import { openChecked } from './check-objects.js'
import { giveWay } from './give-way.js'
import { digestText, lookIntoTable, tableOf, vectorBy, vectorOfKernel } from './kernel-layouts.js'
import { LAYOUT_FORMAT, layoutContent } from './layout-format.js'
import { NO_TABLE, NOT_COMPARABLE } from './protocol.js'
import type { CheckedBtf, LayoutVectors, LayoutVectorsTask, LayoutVectorTask, TypeDigestsTask } from './protocol.js'
import { parsedObjects } from './relocate-object.js'

/** Milliseconds of making tables after which a task answers with what it has. */
const MAKING_MS = 500

/**
 * What tells kernels apart for objects, by the files of their layout tables. Each table is read once for all objects, and nothing of it
 * is kept: a check passes over thousands of kernels, 200 KB each. A table that is missing, damaged or of another format is made where its
 * BTF is given.
 *
 * @throws AppError `object_invalid`
 */
export function layoutVectors ({ objects, sources }: LayoutVectorsTask): LayoutVectors {
  const demands = objects.map(({ object: bytes, objectSha256 }) => {
    const object = parsedObjects.get(objectSha256, bytes)
    const demanded = demandsOf(object)
    parsedObjects.hold(objectSha256, object)
    return demanded
  })
  /** Few of thousands of vectors differ: each goes over once. */
  const interned = createInterned<string>()
  const places = new Int32Array(objects.length * sources.length)
  const made: Array<{ readonly source: number, readonly bytes: Uint8Array }> = []
  let madeMs = 0
  let read = 0
  for (const [at, { sha256, path, btf }] of sources.entries()) {
    if (madeMs > MAKING_MS) break
    giveWay()
    const place = (table: LayoutTable | undefined): void => {
      for (const [i, demanded] of demands.entries()) places[at * objects.length + i] = placeOf(demanded, table, interned)
    }
    const isUsable = lookIntoTable(sha256, path, table => {
      place(table)
      // With objects, what is damaged elsewhere shows when somebody needs it.
      return objects.length === 0 ? table.isWhole() : !table.isDamaged
    })
    if (isUsable === undefined) place(undefined)
    if (isUsable !== true && btf !== undefined) {
      const started = performance.now()
      const bytes = makeTable(sha256, btf)
      if (bytes !== undefined) {
        made.push({ source: at, bytes })
        place(readLayoutTable(bytes, layoutContent(sha256), LAYOUT_FORMAT, true))
      }
      madeMs += performance.now() - started
    }
    read++
  }
  return { read, vectors: interned.list.map(digestText), places, made }
}

function placeOf (demands: Demands | undefined, table: LayoutTable | undefined, vectors: Interned<string>): number {
  if (table === undefined) return NO_TABLE
  const vector = vectorBy(demands, table)
  if (vector !== undefined) return vectors.placeOf(vector)
  return table.isDamaged ? NO_TABLE : NOT_COMPARABLE
}

/** Undefined where there is no such BTF, or where it cannot be read: why shows where the BTF is used. */
function makeTable (hash: Sha256, btf: CheckedBtf): Uint8Array | undefined {
  try {
    const opened = openChecked(btf)
    return opened === undefined ? undefined : tableOf(opened, hash)
  } catch {
    return undefined
  }
}

/**
 * What tells kernels apart by the types of one name: kernels with the same text lay out all types of that name alike, whatever kind they
 * are of, and have pointers of the same size. See TaskValues.
 */
export function typeDigests ({ name, sources }: TypeDigestsTask): Array<string | null> {
  const bytes = new TextEncoder().encode(name)
  const essential = { bytes, offset: 0, length: essentialNameLength(bytes, 0, bytes.length) }
  return sources.map(({ sha256, path }) => {
    giveWay()
    return lookIntoTable(sha256, path, table => {
      const digest = table.find(essential)
      if (digest === undefined || digest === '') return digest
      return `${table.bigEndian ? 'b' : 'l'}${table.pointerSize}${digestText(digest)}`
    }) ?? null
  })
}

/**
 * The same of one kernel, by the file of its table.
 *
 * @throws AppError `object_invalid`
 */
export function layoutVectorOf ({ object: bytes, objectSha256, btf, path }: LayoutVectorTask): string | null {
  const object = parsedObjects.get(objectSha256, bytes)
  const vector = vectorOfKernel(object, btf, path)
  parsedObjects.hold(objectSha256, object)
  return vector ?? null
}
