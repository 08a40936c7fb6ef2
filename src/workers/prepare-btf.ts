import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Btf } from '../btf/btf.js'
import { relocateDistilledBase } from '../btf/distilled-base.js'
import { detectByteOrder } from '../btf/header.js'
import { parseBtfParts } from '../btf/parse.js'
import { AppError } from '../errors.js'
import { BOUNDS } from '../formats/bounds.js'
import type { FindOptions } from '../formats/find-options.js'
import { openBtf } from '../formats/open-btf.js'
import { sharedKey, type SharedBtf } from '../store/btf-memory.js'
import { toUnread, type Unread } from '../store/read-failure.js'
import { sha256, type Sha256 } from '../store/sha256.js'
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
  // What has a name already got it here, after its validation; a module's references depend on its base as well.
  const isValidated = task.expected !== undefined && base === undefined
  return { state: 'ready', btf: shareBtf(source, task.expected ?? sha256(source), isValidated, base, task.base) }
}

async function openPacked (source: Uint8Array, { maxBytes, base }: PrepareBtfTask): Promise<PreparedBtf> {
  const { btf, distilledBase } = await openBtf(source, {
    isModule: base !== undefined,
    ...openerLimits(maxBytes),
    onUsedUp: collectGarbage
  })
  const raw = distilledBase === undefined || base === undefined ? btf : relocateDistilledBase(btf, distilledBase, attachShared(base))
  return { state: 'ready', btf: shareRawBtf(toShared(raw), maxBytes, base) }
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

/** Raw BTF that is in shared memory already. */
export function shareRawBtf (bytes: Uint8Array, maxBytes: number, base: SharedBtf | undefined): SharedBtf {
  checkSize(bytes.length, maxBytes)
  return shareBtf(bytes, sha256(bytes), false, base === undefined ? undefined : attachShared(base), base)
}

function shareBtf (
  bytes: Uint8Array,
  hash: Sha256,
  isValidated: boolean,
  base: Btf | undefined,
  sharedBase: SharedBtf | undefined
): SharedBtf {
  const parts = parseBtfParts(bytes, { base, isValidated, allocate: byteLength => new SharedArrayBuffer(byteLength) })
  return { key: sharedKey(hash, sharedBase?.sha256), sha256: hash, parts, types: parts.shape.endId - parts.shape.startId }
}

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
