import { LRUCache } from 'lru-cache'
import { demandsOf, layoutVector, readLayoutTable, type LayoutTable } from '../layout/index.js'
import type { BpfObject } from '../core/index.js'
import type { Sha256 } from '../store/sha256.js'
import { LAYOUT_FORMAT, layoutContent } from './layout-format.js'
import { readInto } from './prepare-btf.js'

/** Layout tables that a worker keeps, those of the kernels that are asked for at the moment: 200 KB each. */
const MAX_TABLES = 16

const tables = new LRUCache<Sha256, LayoutTable>({ max: MAX_TABLES })

/**
 * By what a kernel is told apart from others for an object. Undefined where there is no table of it yet, or where it cannot be compared.
 *
 * @param path of the kernel's layout table
 * @throws AppError `object_invalid`
 */
export function vectorOfKernel (object: BpfObject, btf: Sha256, path: string): string | undefined {
  const demands = demandsOf(object)
  const table = demands === undefined ? undefined : tables.get(btf) ?? readTable(btf, path)
  const vector = demands === undefined || table === undefined ? undefined : layoutVector(demands, [table], LAYOUT_FORMAT)
  return vector === undefined ? undefined : Buffer.from(vector, 'latin1').toString('base64url')
}

/** Lets go of all of them. They are read again when a task asks for them. */
export function forgetTables (): void { tables.clear() }

function readTable (btf: Sha256, path: string): LayoutTable | undefined {
  const bytes = readInto(byteLength => new Uint8Array(byteLength), path, Infinity)
  const table = bytes instanceof Uint8Array ? readLayoutTable(bytes, layoutContent(btf), LAYOUT_FORMAT) : undefined
  if (table !== undefined) tables.set(btf, table)
  return table
}
