import { dataView } from '../bytes/checked.js'
import type { Pages } from './btf.js'
import type { BtfParts } from './parse.js'
import { parseBtfHeader } from './header.js'

/**
 * The file of a BTF's index: what parsing makes beside the bytes, as it is in memory, digests by which parts of that and of the BTF can be
 * verified without the rest, and a footer that says of which BTF it is.
 *
 *     u32 type_offsets[types]; u32 starts[buckets + 1]; u32 ids[names];
 *     u8 index_pages[ceil(bytes before it / PAGE_BYTES)][16]; u8 pages[ceil(btf_bytes / PAGE_BYTES)][16];
 *     u32 magic; u32 version; u32 btf_bytes; u32 types; u32 buckets; u32 names; u32 pointer_size;
 *     u8 content[32]; u8 seal[32];                                               // of all from index_pages on
 *
 * Words are in the order of the machine that wrote them. On another machine the magic is wrong, and the index is made anew.
 */
export const BTF_INDEX_FOOTER = {
  magic: 0,
  version: 4,
  btfBytes: 8,
  types: 12,
  buckets: 16,
  names: 20,
  pointerSize: 24,
  content: 28,
  seal: 60,
  SIZE: 92
} as const

const MAGIC = 0x49425443
/** Raised whenever parsing makes another index of the same bytes, or refuses what it took before. */
export const BTF_INDEX_VERSION = 3
const SEAL_SIZE = 32
/** A part of a BTF, or of its index, that is verified by itself. */
export const PAGE_BYTES = 4096
/** SHA-256 of a page, cut to 128 bits. */
const PAGE_DIGEST_SIZE = 16

/** Bytes behind an index in its file: what the seal vouches for, itself included. */
export function indexTailBytes (btfBytes: number, indexBytes: number): number {
  return PAGE_DIGEST_SIZE * (pagesIn(indexBytes) + pagesIn(btfBytes)) + BTF_INDEX_FOOTER.SIZE
}

/** How many bytes from the end of such a file have what the seal vouches for, and few more, as far as its length tells. */
export function mostTailBytes (btfBytes: number, fileBytes: number): number {
  return Math.min(fileBytes, indexTailBytes(btfBytes, fileBytes))
}

function pagesIn (bytes: number): number { return Math.ceil(bytes / PAGE_BYTES) }

/** What proves that a file was made here. Given from outside, because the engine imports no package. */
export interface IndexSeal {
  /** 32 bytes that only the maker of the file can give for these bytes. */
  make(bytes: Uint8Array): Uint8Array
  matches(bytes: Uint8Array, seal: Uint8Array): boolean
  /** SHA-256 of bytes, a character below 256 for each byte of it: there are a thousand, and arrays cost half as much as hashing them. */
  digest(bytes: Uint8Array): string
}

/** BTF with the index of its file. */
export interface IndexedBtf {
  readonly parts: BtfParts
  readonly pages: Pages | undefined
}

/** Of the pages of a BTF and of its index, PAGE_DIGEST_SIZE bytes each. */
export interface PageDigests {
  readonly btf: Uint8Array
  readonly index: Uint8Array
  /** Bytes of the index, the last of whose pages ends there. */
  readonly indexBytes: number
}

/**
 * Writes what the file has behind an index, so that its memory is the file.
 *
 * @param parts of BTF without a base, whose index was allocated with indexTailBytes more than it needs
 * @param content SHA-256 of the BTF, 32 bytes
 */
export function finishBtfIndex (
  { bytes: buffer, byteOffset, byteLength, index, shape }: BtfParts, content: Uint8Array, seal: IndexSeal
): void {
  const file = new Uint8Array(index)
  const start = file.length - BTF_INDEX_FOOTER.SIZE
  const tail = indexBytesOf(shape.endId - shape.startId, shape.buckets, shape.indexedNames)
  const behindIndex = writeDigests(file.subarray(0, tail), file, tail, seal)
  writeDigests(new Uint8Array(buffer, byteOffset, byteLength), file, behindIndex, seal)
  const words = new Uint32Array(index, start, BTF_INDEX_FOOTER.content / 4)
  words.set([MAGIC, BTF_INDEX_VERSION, byteLength, shape.endId - shape.startId, shape.buckets, shape.indexedNames, shape.pointerSize])
  file.set(content, start + BTF_INDEX_FOOTER.content)
  file.set(seal.make(file.subarray(tail, file.length - SEAL_SIZE)), file.length - SEAL_SIZE)
}

function indexBytesOf (types: number, buckets: number, names: number): number { return 4 * (types + buckets + 1 + names) }

/** @returns where they end */
function writeDigests (bytes: Uint8Array, file: Uint8Array, start: number, seal: IndexSeal): number {
  let at = start
  for (let page = 0; page < bytes.length; page += PAGE_BYTES, at += PAGE_DIGEST_SIZE) {
    const digest = seal.digest(bytes.subarray(page, page + PAGE_BYTES))
    for (let i = 0; i < PAGE_DIGEST_SIZE; i++) file[at + i] = digest.charCodeAt(i)
  }
  return at
}

/** Whether bytes are those of a digest, which is one of `digests`. */
export function isPage (digest: string, digests: Uint8Array, page: number): boolean {
  for (let i = 0; i < PAGE_DIGEST_SIZE; i++) if (digest.charCodeAt(i) !== digests[PAGE_DIGEST_SIZE * page + i]) return false
  return true
}

/**
 * Puts BTF together with the index of its file, which takes no walk over the bytes. `outdated` where the file is of another version or
 * machine, `damaged` where it is of other BTF or not as it was made: in both cases the index is made anew.
 *
 * @param bytes whose hash is `content`, and which were validated when the index was made
 * @param file from the start of its buffer, to which the parts hold on
 * @param openPages where neither the bytes nor the file are there yet, but for the last mostTailBytes of the file: brings pages of both
 *   that have these digests
 * @throws AppError `btf_invalid` as parseBtfHeader does
 */
export function readBtfIndex (
  bytes: Uint8Array, file: Uint8Array, content: Uint8Array, seal: IndexSeal, openPages?: (digests: PageDigests) => Pages
): IndexedBtf | 'outdated' | 'damaged' {
  const start = file.length - BTF_INDEX_FOOTER.SIZE
  if (start < 0 || start % 4 !== 0 || file.byteOffset !== 0) return 'damaged'
  const words = new Uint32Array(file.buffer, start, BTF_INDEX_FOOTER.content / 4)
  const [magic, version, btfBytes, types = 0, buckets = 0, indexedNames = 0, pointerSize] = words
  if (magic !== MAGIC || version !== BTF_INDEX_VERSION) return isSwapped(file, start) || magic === MAGIC ? 'outdated' : 'damaged'
  const indexBytes = indexBytesOf(types, buckets, indexedNames)
  const isSealed = btfBytes === bytes.length && buckets > 0 && (buckets & (buckets - 1)) === 0 &&
    file.length === indexBytes + indexTailBytes(bytes.length, indexBytes) && (pointerSize === 4 || pointerSize === 8) &&
    content.every((byte, i) => file[start + BTF_INDEX_FOOTER.content + i] === byte) &&
    seal.matches(file.subarray(indexBytes, file.length - SEAL_SIZE), file.subarray(file.length - SEAL_SIZE))
  if (!isSealed) return 'damaged'
  const behindIndex = indexBytes + PAGE_DIGEST_SIZE * pagesIn(indexBytes)
  const digests = { btf: file.subarray(behindIndex, start), index: file.subarray(indexBytes, behindIndex), indexBytes }
  if (openPages === undefined && !isIndexWhole(file, digests, seal)) return 'damaged'
  const pages = openPages?.(digests)
  return {
    pages,
    parts: {
      bytes: bytes.buffer,
      byteOffset: bytes.byteOffset,
      byteLength: bytes.byteLength,
      index: file.buffer,
      shape: {
        header: parseBtfHeader(bytes, false, pages),
        startId: 1,
        endId: 1 + types,
        startStrOff: 0,
        pointerSize,
        buckets,
        indexedNames
      }
    }
  }
}

function isIndexWhole (file: Uint8Array, { index, indexBytes }: PageDigests, seal: IndexSeal): boolean {
  for (let page = 0; PAGE_BYTES * page < indexBytes; page++) {
    const content = file.subarray(PAGE_BYTES * page, Math.min(PAGE_BYTES * (page + 1), indexBytes))
    if (!isPage(seal.digest(content), index, page)) return false
  }
  return true
}

/** Whether a machine of the other byte order wrote it. */
function isSwapped (file: Uint8Array, start: number): boolean {
  const view = dataView(file)
  return [true, false].some(littleEndian => view.getUint32(start, littleEndian) === MAGIC)
}
