import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Btf, Pages } from '../btf/btf.js'
import { isPage, mostTailBytes, PAGE_BYTES, type PageDigests } from '../btf/index-file.js'
import { attachBtf } from '../btf/parse.js'
import { toUnread } from '../store/read-failure.js'
import { sha256 as sha256Of, sha256Characters } from '../store/sha256.js'
import { indexParts, isWorthIndex, type UselessIndex } from './prepare-btf.js'
import type { FiledBtf } from './protocol.js'

/** BTF in a file, of which, as of its index, only those pages are read and verified that are looked at. */
export interface PagedBtf {
  readonly btf: Btf
  /** Whether a page could not be read, or is damaged: what was found out meanwhile is worth nothing. */
  isDamaged(): boolean
  close(): void
}

type Allocate = (byteLength: number) => Uint8Array

/** Memory for the BTF and for its index, which may have anything in it. */
export interface PagedMemory {
  readonly btf: Allocate
  readonly index: Allocate
}

/**
 * Opens BTF by the index that is kept of it, whose seal vouches for the digests of the pages of both. Where that index is of no use it says
 * so, for whoever then reads the file whole. Undefined where none is kept, or there is no file.
 */
export function openPaged ({ paths, sha256, index }: FiledBtf, memory: PagedMemory): PagedBtf | UselessIndex | undefined {
  if (index === undefined) return undefined
  let useless: UselessIndex | undefined
  for (const path of paths) {
    const files = createOpenFiles()
    let opened: PagedBtf | UselessIndex | undefined
    try {
      opened = openFiles(files, path, sha256, index, memory)
    } finally {
      if (opened === undefined || 'state' in opened) files.close()
    }
    if (opened === undefined) continue
    if ('btf' in opened) return opened
    useless = opened
  }
  return useless
}

interface OpenFiles {
  /** @throws the file system's error */
  open(path: string): number
  close(): void
}

function createOpenFiles (): OpenFiles {
  const opened: number[] = []
  return {
    open (path) {
      const fd = openSync(path, 'r')
      opened.push(fd)
      return fd
    },
    close () { for (const fd of opened.splice(0)) closeSync(fd) }
  }
}

function openFiles (
  files: OpenFiles,
  path: string,
  hash: FiledBtf['sha256'],
  { path: indexPath, sealKeys }: NonNullable<FiledBtf['index']>,
  memory: PagedMemory
): PagedBtf | UselessIndex | undefined {
  let btf: PagedFile
  try {
    btf = openFile(files, path, memory.btf)
  } catch {
    return undefined
  }
  if (!isWorthIndex(btf.bytes, sealKeys)) return undefined
  let index: PagedFile
  try {
    index = openFile(files, indexPath, memory.index)
    readEnd(index, mostTailBytes(btf.bytes.length, index.bytes.length))
  } catch (error) {
    return toUnread(error)
  }
  let isDamaged = false
  const onDamage = (): void => { isDamaged = true }
  try {
    const indexed = indexParts(btf.bytes, hash, index.bytes, sealKeys, digests => createPages(btf, index, digests, onDamage))
    if ('state' in indexed) return indexed
    const { parts, pages } = indexed
    // How many bytes a type of an unknown kind has is read of all of it at once.
    const isWhole = parts.shape.header.layoutLen > 0
    if (isWhole) {
      if (!(isRead(btf, btf.bytes, 0) && sha256Of(btf.bytes) === hash)) return undefined
      pages?.bringWords(0, parts.shape.endId - 1 + parts.shape.buckets + 1 + parts.shape.indexedNames)
    }
    return { btf: attachBtf(parts, undefined, isWhole ? undefined : pages), isDamaged: () => isDamaged, close: files.close }
  } catch (error) {
    if (isDamaged) return undefined
    throw error
  }
}

/** A file, and memory that has as much of it as was read. */
interface PagedFile {
  readonly fd: number
  readonly bytes: Uint8Array
}

function openFile (files: OpenFiles, path: string, allocate: Allocate): PagedFile {
  const fd = files.open(path)
  return { fd, bytes: allocate(fstatSync(fd).size) }
}

function readEnd ({ fd, bytes }: PagedFile, length: number): void {
  const start = bytes.length - length
  const count = readSync(fd, bytes, start, length, start)
  bytes.fill(0, start + count) // of a file that was cut meanwhile
}

function isRead ({ fd }: PagedFile, bytes: Uint8Array, position: number): boolean {
  try {
    return readSync(fd, bytes, 0, bytes.length, position) === bytes.length
  } catch {
    return false
  }
}

function createPages (btf: PagedFile, index: PagedFile, digests: PageDigests, onDamage: () => void): Pages {
  /** By page: 0 where it is not there, else one more than the place in it behind its last NUL. */
  const ends = new Uint16Array(Math.ceil(btf.bytes.length / PAGE_BYTES))
  const isThere = new Uint8Array(Math.ceil(digests.indexBytes / PAGE_BYTES))

  /** The bytes of a page that is read and verified. */
  const bringPage = (file: PagedFile, page: number, end: number, expected: Uint8Array): Uint8Array => {
    const start = page * PAGE_BYTES
    const content = file.bytes.subarray(start, Math.min(start + PAGE_BYTES, end))
    if (!isRead(file, content, start) || !isPage(sha256Characters(content), expected, page)) {
      onDamage()
      throw new DamagedPage(`Page ${page} of a BTF or of its index is damaged or cannot be read.`)
    }
    return content
  }
  const bringOfBtf = (page: number): void => {
    ends[page] = bringPage(btf, page, btf.bytes.length, digests.btf).lastIndexOf(0) + 2
  }
  return {
    bring (offset, length) {
      const last = (offset + length - 1) >>> PAGE_BITS
      for (let page = offset >>> PAGE_BITS; page <= last; page++) if (ends[page] === 0) bringOfBtf(page)
    },
    bringWords (first, count) {
      if (count === 0) return
      const last = (4 * (first + count - 1)) >>> PAGE_BITS
      for (let page = (4 * first) >>> PAGE_BITS; page <= last; page++) {
        if (isThere[page] !== 0) continue
        bringPage(index, page, digests.indexBytes, digests.index)
        isThere[page] = 1
      }
    },
    bringString (offset) {
      let page = offset >>> PAGE_BITS
      let from = offset % PAGE_BYTES
      for (; page < ends.length; page++, from = 0) {
        if (ends[page] === 0) bringOfBtf(page)
        if (from + 1 < (ends[page] ?? 0)) return
      }
    }
  }
}

/** Each word that is read asks for its page: a shift takes less than a division. No BTF has 4 GiB. */
const PAGE_BITS = Math.log2(PAGE_BYTES)

class DamagedPage extends Error {}
