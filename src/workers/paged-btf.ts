import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Btf, Pages } from '../btf/btf.js'
import { PAGE_BYTES, PAGE_DIGEST_SIZE } from '../btf/index-file.js'
import { attachBtf } from '../btf/parse.js'
import { sha256Bytes } from '../store/sha256.js'
import { readIndexParts } from './prepare-btf.js'
import type { FiledBtf } from './protocol.js'

/** BTF in a file, of which only those pages are read and verified that are looked at. */
export interface PagedBtf {
  readonly btf: Btf
  /** Whether a page could not be read, or is damaged: what was found out meanwhile is worth nothing. */
  isDamaged(): boolean
  close(): void
}

type Allocate = (byteLength: number) => Uint8Array

/**
 * Opens BTF by the index that is kept of it, whose seal vouches for the digests of its pages. Undefined where there is no such index, or
 * no file: why shows where the file is read whole.
 *
 * @param allocate memory for the BTF, which may have anything in it
 * @param allocateIndex memory for the index
 */
export function openPaged ({ paths, sha256, index }: FiledBtf, allocate: Allocate, allocateIndex: Allocate): PagedBtf | undefined {
  if (index === undefined) return undefined
  for (const path of paths) {
    let fd: number
    try {
      fd = openSync(path, 'r')
    } catch {
      continue
    }
    let opened: PagedBtf | undefined
    try {
      opened = openFile(fd, sha256, index, allocate, allocateIndex)
    } finally {
      if (opened === undefined) closeSync(fd)
    }
    if (opened !== undefined) return opened
  }
  return undefined
}

function openFile (
  fd: number, hash: FiledBtf['sha256'], { path, sealKeys }: NonNullable<FiledBtf['index']>, allocate: Allocate, allocateIndex: Allocate
): PagedBtf | undefined {
  const bytes = allocate(fstatSync(fd).size)
  let isDamaged = false
  const onDamage = (): void => { isDamaged = true }
  try {
    const indexed = readIndexParts(bytes, hash, path, sealKeys, allocateIndex, digests => createPages(fd, bytes, digests, onDamage))
    if (indexed === undefined || 'state' in indexed || indexed.parts.shape.header.layoutLen > 0) return undefined
    return {
      btf: attachBtf(indexed.parts, undefined, indexed.pages),
      isDamaged: () => isDamaged,
      close () { closeSync(fd) }
    }
  } catch (error) {
    if (isDamaged) return undefined
    throw error
  }
}

function isRead (fd: number, bytes: Uint8Array, position: number): boolean {
  try {
    return readSync(fd, bytes, 0, bytes.length, position) === bytes.length
  } catch {
    return false
  }
}

function createPages (fd: number, bytes: Uint8Array, digests: Uint8Array, onDamage: () => void): Pages {
  /** By page: 0 where it is not there, else one more than the place in it behind its last NUL. */
  const ends = new Uint16Array(Math.ceil(bytes.length / PAGE_BYTES))

  const bringPage = (page: number): void => {
    const start = page * PAGE_BYTES
    const content = bytes.subarray(start, start + PAGE_BYTES)
    const digest = digests.subarray(PAGE_DIGEST_SIZE * page, PAGE_DIGEST_SIZE * (page + 1))
    if (!isRead(fd, content, start) || !startsWith(sha256Bytes(content), digest)) {
      onDamage()
      throw new DamagedPage(`Page ${page} of a BTF is damaged or cannot be read.`)
    }
    ends[page] = content.lastIndexOf(0) + 2
  }
  return {
    bring (offset, length) {
      const last = Math.floor((offset + length - 1) / PAGE_BYTES)
      for (let page = Math.floor(offset / PAGE_BYTES); page <= last; page++) if (ends[page] === 0) bringPage(page)
    },
    bringString (offset) {
      let page = Math.floor(offset / PAGE_BYTES)
      let from = offset % PAGE_BYTES
      for (; page < ends.length; page++, from = 0) {
        if (ends[page] === 0) bringPage(page)
        if (from + 1 < (ends[page] ?? 0)) return
      }
    }
  }
}

class DamagedPage extends Error {}

function startsWith (bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, i) => bytes[i] === byte)
}
