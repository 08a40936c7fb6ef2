import { LRUCache } from 'lru-cache'
import { demandsOf, layoutVector, readLayoutTable, type Demands, type LayoutTable } from '../layout/index.js'
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
  if (table === undefined) return undefined
  const vector = vectorBy(demands, table)
  // A damaged one is made anew, in its file.
  if (table.isDamaged) tables.delete(btf)
  else tables.set(btf, table)
  return vector === undefined ? undefined : digestText(vector)
}

/** Lets go of all of them. They are read again when a task asks for them. */
export function forgetTables (): void { tables.clear() }

/** The layout table in a file. Undefined where there is none, or where it is damaged, of another format or of other content. */
export function readTable (
  btf: Sha256,
  path: string,
  allocate = (byteLength: number): Uint8Array => new Uint8Array(byteLength)
): LayoutTable | undefined {
  const bytes = readInto(allocate, path, Infinity)
  return bytes instanceof Uint8Array ? readLayoutTable(bytes, layoutContent(btf), LAYOUT_FORMAT) : undefined
}

/** The layout vector of a kernel, of 32 characters. Undefined where the kernel cannot be compared for the object. */
export function vectorBy (demands: Demands | undefined, table: LayoutTable): string | undefined {
  return demands === undefined ? undefined : layoutVector(demands, [table], LAYOUT_FORMAT)
}

/** How vectors and digests leave a worker: they have a character for each byte. */
export function digestText (digest: string): string { return Buffer.from(digest, 'latin1').toString('base64url') }
