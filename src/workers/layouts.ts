import { buildLayoutTable, demandsOf, layoutVector, readLayoutTable, type LayoutTable } from '../layout/index.js'
import { allocateShared } from '../store/shared-bytes.js'
import { openChecked } from './check-objects.js'
import { LAYOUT_FORMAT, layoutContent } from './layout-format.js'
import { readInto } from './prepare-btf.js'
import { vectorOfKernel } from './kernel-layouts.js'
import type { LayoutSource, LayoutTask, LayoutVectorsTask, LayoutVectorTask, ReadLayout } from './protocol.js'
import { parsedObjects } from './relocate-object.js'

/**
 * Reads layout tables, and makes those that are not there, damaged or of another format, where their BTF is given. A table is a
 * part in twenty of its BTF.
 *
 * @throws AppError `btf_invalid`
 */
export function readLayouts ({ sources }: LayoutTask): ReadLayout[] { return sources.map(readLayout) }

function readLayout ({ path, sha256, btf }: LayoutSource): ReadLayout {
  const content = layoutContent(sha256)
  const bytes = readInto(allocateShared, path, Infinity)
  if (bytes instanceof Uint8Array && readLayoutTable(bytes, content, LAYOUT_FORMAT) !== undefined) {
    return { state: 'ready', bytes, isNew: false }
  }
  const opened = btf === undefined ? undefined : openChecked(btf, undefined)
  if (opened === undefined) return { state: 'absent' }
  return { state: 'ready', bytes: buildLayoutTable(opened, content, LAYOUT_FORMAT, allocateShared), isNew: true }
}

/**
 * What tells kernels apart for an object: a vector for each table, null where the kernel cannot be compared.
 *
 * @throws AppError `object_invalid`
 */
export function layoutVectors ({ object: bytes, objectSha256, tables }: LayoutVectorsTask): Array<string | null> {
  const object = parsedObjects.get(objectSha256, bytes)
  const demands = demandsOf(object)
  parsedObjects.hold(objectSha256, object)
  if (demands === undefined) return tables.map(() => null)
  return tables.map(({ sha256, bytes: table }) => {
    const read: LayoutTable | undefined = readLayoutTable(table, layoutContent(sha256), LAYOUT_FORMAT, true)
    const vector = read === undefined ? undefined : layoutVector(demands, [read], LAYOUT_FORMAT)
    return vector === undefined ? null : Buffer.from(vector, 'latin1').toString('base64url')
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
