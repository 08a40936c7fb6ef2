import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Btf, Pages } from '../btf/btf.js'
import { PAGE_BYTES, PAGE_DIGEST_SIZE } from '../btf/index-file.js'
import { attachBtf } from '../btf/parse.js'
import { sha256 as sha256Of, sha256Bytes } from '../store/sha256.js'
import { readIndexParts, type UselessIndex } from './prepare-btf.js'
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
 * Opens BTF by the index that is kept of it, whose seal vouches for the digests of its pages. Where that index is of no use it says so, for
 * whoever then reads the file whole. Undefined where none is kept, or there is no file.
 *
 * @param allocate memory for the BTF, which may have anything in it
 * @param allocateIndex memory for the index
 */
export function openPaged (
  { paths, sha256, index }: FiledBtf, allocate: Allocate, allocateIndex: Allocate
): PagedBtf | UselessIndex | undefined {
  if (index === undefined) return undefined
  let useless: UselessIndex | undefined
  for (const path of paths) {
    let fd: number
    try {
      fd = openSync(path, 'r')
    } catch {
      continue
    }
    let opened: PagedBtf | UselessIndex | undefined
    let isOpen = false
    try {
      opened = openFile(fd, sha256, index, allocate, allocateIndex)
      isOpen = opened !== undefined && 'btf' in opened
    } finally {
      if (!isOpen) closeSync(fd)
    }
    if (opened === undefined) continue
    if ('btf' in opened) return opened
    useless = opened
  }
  return useless
}

function openFile (
  fd: number, hash: FiledBtf['sha256'], { path, sealKeys }: NonNullable<FiledBtf['index']>, allocate: Allocate, allocateIndex: Allocate
): PagedBtf | UselessIndex | undefined {
  const bytes = allocate(fstatSync(fd).size)
  let isDamaged = false
  const onDamage = (): void => { isDamaged = true }
  try {
    const indexed = readIndexParts(bytes, hash, path, sealKeys, allocateIndex, digests => createPages(fd, bytes, digests, onDamage))
    if (indexed === undefined || 'state' in indexed) return indexed
    // How many bytes a type of an unknown kind has is read of all of it at once.
    const isWhole = indexed.parts.shape.header.layoutLen > 0
    if (isWhole && !(isRead(fd, bytes, 0) && sha256Of(bytes) === hash)) return undefined
    return {
      btf: attachBtf(indexed.parts, undefined, isWhole ? undefined : indexed.pages),
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
