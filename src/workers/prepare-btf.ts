import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Btf } from '../btf/btf.js'
import { parseBtfParts } from '../btf/parse.js'
import { parseBtf } from '../core/index.js'
import { isElf } from '../elf/sections.js'
import { AppError } from '../errors.js'
import { sharedKey, type SharedBtf } from '../store/btf-memory.js'
import { toUnread, type Unread } from '../store/read-failure.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import { allocateShared, toShared } from '../store/shared-bytes.js'
import { attachShared } from './attached-btfs.js'
import type { PreparedBtf, PrepareBtfTask, ReadFile, ReadTask } from './protocol.js'

/**
 * Brings BTF into shared memory: one copy of the bytes, validated and indexed once, for all threads to read.
 *
 * Its name is the hash of the raw BTF: of the `.BTF` section where the source is ELF, and of the section put on its real base
 * where a module has a distilled one. Raw BTF is parsed the same way whatever it came in, so that equal hashes mean equal results.
 *
 * @throws AppError `btf_invalid`, `too_large`
 */
export function prepareBtf (task: PrepareBtfTask): PreparedBtf {
  const source = 'path' in task.source ? readInto(allocateShared, task.source.path, task.maxBytes) : task.source.bytes
  if (!(source instanceof Uint8Array)) return source
  checkSize(source.length, task.maxBytes)
  if (task.expected !== undefined && sha256(source) !== task.expected) return { state: 'damaged' }
  const base = task.base === undefined ? undefined : attachShared(task.base)
  const raw = isElf(source) ? parseBtf(source, { base }).bytes : source
  const bytes = raw === source ? source : toShared(raw)
  const hash = task.expected !== undefined && raw === source ? task.expected : sha256(bytes)
  // What has a name already got it here, after its validation; a module's references depend on its base as well.
  const isValidated = task.expected !== undefined && base === undefined
  return { state: 'ready', btf: shareBtf(bytes, hash, isValidated, base, task.base) }
}

function shareBtf (bytes: Uint8Array, hash: Sha256, isValidated: boolean, base: Btf | undefined, sharedBase: SharedBtf | undefined): SharedBtf {
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
export function readInto (allocate: (byteLength: number) => Uint8Array, path: string, maxBytes: number): Uint8Array | Exclude<Unread, { readonly state: 'damaged' }> {
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
  if (bytes > maxBytes) throw new AppError('too_large', `The BTF has ${bytes} bytes; at most ${maxBytes} are taken.`, { bytes, limit: maxBytes })
  return bytes
}
