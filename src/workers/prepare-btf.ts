import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Btf, Pages } from '../btf/btf.js'
import { relocateDistilledBase } from '../btf/distilled-base.js'
import { detectByteOrder } from '../btf/header.js'
import {
  finishBtfIndex, indexTailBytes, readBtfIndex, type IndexedBtf, type IndexSeal, type PageDigests
} from '../btf/index-file.js'
import { parseBtfParts, type BtfParts } from '../btf/parse.js'
import { AppError } from '../errors.js'
import { BOUNDS } from '../formats/bounds.js'
import type { FindOptions } from '../formats/find-options.js'
import { openBtf } from '../formats/open-btf.js'
import { sharedKey, type SharedBtf } from '../store/btf-memory.js'
import { toUnread, type Unread } from '../store/read-failure.js'
import { isSealedBy, sealOf, type SealKeys } from '../store/seal.js'
import { hexOf, sha256, sha256Characters, type Sha256 } from '../store/sha256.js'
import { allocateShared, toShared } from '../store/shared-bytes.js'
import { attachShared } from './attached-btfs.js'
import { collectGarbage } from './collect.js'
import type { PreparedBtf, PrepareBtfTask, ReadFile, ReadTask } from './protocol.js'

/**
 * Brings BTF into shared memory: one copy of the bytes, validated and indexed once, for all threads to read.
 *
 * Its name is the hash of the raw BTF: of what the opener takes out of an ELF file, an image or a package, put on its real base
 * where a module has a distilled one. Raw BTF is parsed the same way whatever it came in, so that equal hashes mean equal results.
 *
 * @throws AppError `btf_invalid`, `too_large`
 */
export function prepareBtf (task: PrepareBtfTask): PreparedBtf | Promise<PreparedBtf> {
  const source = 'path' in task.source ? readInto(allocateShared, task.source.path, task.maxBytes) : task.source.bytes
  if (!(source instanceof Uint8Array)) return source
  checkSize(source.length, task.maxBytes)
  if (task.expected !== undefined && sha256(source) !== task.expected) return { state: 'damaged' }
  if (detectByteOrder(source) === undefined) return openPacked(source, task)
  const base = task.base === undefined ? undefined : attachShared(task.base)
  const hash = task.expected ?? sha256(source)
  const kept = task.indexPath === undefined || base !== undefined ? undefined : readIndex(source, hash, task.indexPath, task.sealKeys)
  if (kept !== undefined && 'btf' in kept) return { state: 'ready', btf: kept.btf, indexFile: { state: 'ready' } }
  // What has a name already got it here, after its validation; a module's references depend on its base as well.
  const isValidated = task.expected !== undefined && base === undefined
  const btf = shareBtf(source, hash, isValidated, base, task)
  return { state: 'ready', btf, ...(kept === undefined ? {} : { indexFile: kept }) }
}

async function openPacked (source: Uint8Array, { maxBytes, base, sealKeys }: PrepareBtfTask): Promise<PreparedBtf> {
  const { btf, distilledBase } = await openBtf(source, {
    isModule: base !== undefined,
    ...openerLimits(maxBytes),
    onUsedUp: collectGarbage
  })
  const raw = distilledBase === undefined || base === undefined ? btf : relocateDistilledBase(btf, distilledBase, attachShared(base))
  return { state: 'ready', btf: shareRawBtf(toShared(raw), { maxBytes, base, sealKeys }) }
}

/**
 * Bounds of a task that opens a file.
 *
 * @param maxBtfBytes of the BTF in it; what is unpacked on the way to that may be larger, as a kernel's image is ten times its BTF
 */
export function openerLimits (maxBtfBytes: number): Pick<FindOptions, 'maxBytes' | 'maxBtfBytes' | 'refusesBombs'> {
  return {
    maxBytes: Number.isFinite(maxBtfBytes) ? Math.max(MIN_IMAGE_BYTES, 2 * maxBtfBytes) : BOUNDS.image,
    maxBtfBytes,
    refusesBombs: true
  }
}

/** Debian's vmlinux has 66 MB. */
const MIN_IMAGE_BYTES = 128 * 1024 * 1024

/** What BTF is shared with: the BTF that it extends, and what its index is sealed with. */
interface Sharing {
  readonly base?: SharedBtf | undefined
  readonly sealKeys?: SealKeys | undefined
}

/** Raw BTF that is in shared memory already. */
export function shareRawBtf (bytes: Uint8Array, sharing: Sharing & { readonly maxBytes: number }): SharedBtf {
  checkSize(bytes.length, sharing.maxBytes)
  return shareBtf(bytes, sha256(bytes), false, sharing.base === undefined ? undefined : attachShared(sharing.base), sharing)
}

function shareBtf (bytes: Uint8Array, hash: Sha256, isValidated: boolean, base: Btf | undefined, sharing: Sharing): SharedBtf {
  const { parts, isSealed } = indexBtf(bytes, hash, isValidated, base, sharing.sealKeys)
  return { key: sharedKey(hash, sharing.base?.sha256), sha256: hash, parts, types: parts.shape.endId - parts.shape.startId, isSealed }
}

/** Parses BTF. Where it is sealed, the memory of its index is the file that is kept of it. */
export function indexBtf (
  bytes: Uint8Array, hash: Sha256, isValidated: boolean, base: Btf | undefined, [sealKey]: SealKeys = []
): { readonly parts: BtfParts, readonly isSealed: boolean } {
  const isSealed = sealKey !== undefined && base === undefined && bytes.length >= MIN_INDEXED_BYTES
  const parts = parseBtfParts(bytes, {
    base,
    isValidated,
    allocate: byteLength => new SharedArrayBuffer(byteLength + (isSealed ? indexTailBytes(bytes.length, byteLength) : 0))
  })
  if (isSealed) sealIndex(parts, hash, [sealKey])
  return { parts, isSealed }
}

/** Makes the memory of an index the file that is kept of it. */
export function sealIndex (parts: BtfParts, hash: Sha256, keys: SealKeys): void { finishBtfIndex(parts, bytesOf(hash), indexSeal(keys)) }

/** BTF with the index of its file, or why there is none to be used. Undefined for BTF that is not worth a file. */
function readIndex (
  bytes: Uint8Array, hash: Sha256, path: string, keys: SealKeys = []
): { readonly btf: SharedBtf } | UselessIndex | undefined {
  const indexed = readIndexParts(bytes, hash, path, keys, allocateShared)
  if (indexed === undefined || 'state' in indexed) return indexed
  const { parts } = indexed
  return { btf: { key: sharedKey(hash, undefined), sha256: hash, parts, types: parts.shape.endId - 1, isSealed: true } }
}

/** Why the index that is kept of BTF is of no use. */
export type UselessIndex = { readonly state: 'outdated' } | Unread

/** The same as parts of BTF, with the index in memory of the wanted kind. */
export function readIndexParts (
  bytes: Uint8Array, hash: Sha256, path: string, keys: SealKeys, allocate: (byteLength: number) => Uint8Array
): IndexedBtf | UselessIndex | undefined {
  if (!isWorthIndex(bytes, keys)) return undefined
  const file = readInto(allocate, path, Infinity)
  return file instanceof Uint8Array ? indexParts(bytes, hash, file, keys) : file
}

/** The same of a file that was read, or whose end was read and that is brought by pages together with the BTF. */
export function indexParts (
  bytes: Uint8Array, hash: Sha256, file: Uint8Array, keys: SealKeys, openPages?: (digests: PageDigests) => Pages
): IndexedBtf | UselessIndex {
  const indexed = readBtfIndex(bytes, file, bytesOf(hash), indexSeal(keys), openPages)
  return typeof indexed === 'string' ? { state: indexed } : indexed
}

/** Whether an index of BTF is kept. */
export function isWorthIndex (bytes: Uint8Array, keys: SealKeys): boolean { return bytes.length >= MIN_INDEXED_BYTES && keys.length > 0 }

/**
 * Below it, to read a file takes as long as to make what is in it: some 70 µs. Modules are smaller, and what is in their index depends on
 * their base.
 */
const MIN_INDEXED_BYTES = 256 * 1024

function indexSeal (keys: SealKeys): IndexSeal {
  const [first] = keys
  return {
    make (bytes) {
      if (first === undefined) throw new AppError('internal_error', 'There is nothing to seal an index with.')
      return sealOf(first, INDEX_PURPOSE, bytes)
    },
    matches: (bytes, seal) => isSealedBy(keys, INDEX_PURPOSE, bytes, seal),
    digest: sha256Characters
  }
}

const INDEX_PURPOSE = 'btf index'

function bytesOf (hash: Sha256): Uint8Array { return Buffer.from(hexOf(hash), 'hex') }

/** Reads a file and verifies it. */
export function readVerified ({ path, expected }: ReadTask): ReadFile {
  const bytes = readInto(byteLength => new Uint8Array(byteLength), path, Infinity)
  if (!(bytes instanceof Uint8Array)) return bytes
  return sha256(bytes) === expected ? { state: 'ready', bytes } : { state: 'damaged' }
}

/** Reads a file into memory of the wanted kind; else says why there are no bytes. */
export function readInto (
  allocate: (byteLength: number) => Uint8Array,
  path: string,
  maxBytes: number
): Uint8Array | Exclude<Unread, { readonly state: 'damaged' }> {
  let fd: number | undefined
  try {
    fd = openSync(path, 'r')
    const bytes = allocate(checkSize(fstatSync(fd).size, maxBytes))
    let filled = 0
    for (;;) {
      const count = readSync(fd, bytes, filled, bytes.length - filled, null)
      if (count === 0) break
      filled += count
    }
    return filled === bytes.length ? bytes : bytes.slice(0, filled)
  } catch (error) {
    if (error instanceof AppError) throw error
    return toUnread(error)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function checkSize (bytes: number, maxBytes: number): number {
  if (bytes > maxBytes) {
    throw new AppError('too_large', `The BTF has ${bytes} bytes; at most ${maxBytes} are taken.`, { bytes, limit: maxBytes })
  }
  return bytes
}
