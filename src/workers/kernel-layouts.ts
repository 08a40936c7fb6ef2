import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { LRUCache } from 'lru-cache'
import type { Btf } from '../btf/btf.js'
import {
  buildLayoutTable, demandsOf, layoutVector, readLayoutTable, type Demands, type LayoutTable, type TableSource
} from '../layout/index.js'
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

function readTable (btf: Sha256, path: string): LayoutTable | undefined {
  const bytes = readInto(byteLength => new Uint8Array(byteLength), path, Infinity)
  return bytes instanceof Uint8Array ? readLayoutTable(bytes, layoutContent(btf), LAYOUT_FORMAT) : undefined
}

/**
 * Looks into the layout table in a file, of which no more is read than what is looked for. Undefined where there is none, or where it is
 * damaged, of another format or of other content.
 *
 * @param look what it is given is of use for this call only
 */
export function lookIntoTable<T> (btf: Sha256, path: string, look: (table: LayoutTable) => T): T | undefined {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return undefined
  }
  try {
    const table = readLayoutTable(fileSource(fd), layoutContent(btf), LAYOUT_FORMAT)
    return table === undefined ? undefined : look(table)
  } finally {
    closeSync(fd)
  }
}

/** What is read of one file after the other; more of it than is usual has memory of its own. */
const buffer = new Uint8Array(256 * 1024)

/** A file that cannot be read counts as one that ends. */
function fileSource (fd: number): TableSource {
  let used = 0
  return {
    byteLength: fstatSync(fd).size,
    read (start, end) {
      const length = end - start
      const bytes = used + length > buffer.length ? new Uint8Array(length) : buffer.subarray(used, used + length)
      used += length
      try {
        return bytes.subarray(0, readSync(fd, bytes, 0, length, start))
      } catch {
        return bytes.subarray(0, 0)
      }
    }
  }
}

/** The layout table of a kernel, as its file is. */
export function tableOf (btf: Btf, hash: Sha256): Uint8Array { return buildLayoutTable(btf, layoutContent(hash), LAYOUT_FORMAT) }

/** The layout vector of a kernel, of 32 characters. Undefined where the kernel cannot be compared for the object. */
export function vectorBy (demands: Demands | undefined, table: LayoutTable): string | undefined {
  return demands === undefined ? undefined : layoutVector(demands, [table], LAYOUT_FORMAT)
}

/** How vectors and digests leave a worker: they have a character for each byte. */
export function digestText (digest: string): string { return Buffer.from(digest, 'latin1').toString('base64url') }
