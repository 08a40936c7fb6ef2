import { dataView } from '../bytes/checked.js'
import type { Pages } from './btf.js'
import type { BtfParts } from './parse.js'
import { parseBtfHeader } from './header.js'

/**
 * The file of a BTF's index: what parsing makes beside the bytes, as it is in memory, digests by which parts of the BTF can be verified
 * without the rest, and a footer that says of which BTF it is.
 *
 *     u32 type_offsets[types]; u32 starts[buckets + 1]; u32 ids[names]; u8 pages[ceil(btf_bytes / PAGE_BYTES)][16];
 *     u32 magic; u32 version; u32 btf_bytes; u32 types; u32 buckets; u32 names; u32 pointer_size;
 *     u8 content[32]; u8 seal[32];                                               // of all before it
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
export const BTF_INDEX_VERSION = 2
const SEAL_SIZE = 32
/** A part of a BTF that is verified by itself. */
export const PAGE_BYTES = 4096
/** SHA-256 of a page, cut to 128 bits. */
export const PAGE_DIGEST_SIZE = 16

/** Bytes behind an index in its file. */
export function indexTailBytes (btfBytes: number): number {
  return PAGE_DIGEST_SIZE * Math.ceil(btfBytes / PAGE_BYTES) + BTF_INDEX_FOOTER.SIZE
}

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

/**
 * Writes what the file has behind an index, so that its memory is the file.
 *
 * @param parts of BTF without a base, whose index was allocated with indexTailBytes more than it needs
 * @param content SHA-256 of the BTF, 32 bytes
 */
export function finishBtfIndex (
  { bytes: buffer, byteOffset, byteLength, index, shape }: BtfParts, content: Uint8Array, seal: IndexSeal
): void {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  const file = new Uint8Array(index)
  const start = file.length - BTF_INDEX_FOOTER.SIZE
  let at = file.length - indexTailBytes(byteLength)
  for (let page = 0; page < byteLength; page += PAGE_BYTES, at += PAGE_DIGEST_SIZE) {
    const digest = seal.digest(bytes.subarray(page, page + PAGE_BYTES))
    for (let i = 0; i < PAGE_DIGEST_SIZE; i++) file[at + i] = digest.charCodeAt(i)
  }
  const words = new Uint32Array(index, start, BTF_INDEX_FOOTER.content / 4)
  words.set([MAGIC, BTF_INDEX_VERSION, byteLength, shape.endId - shape.startId, shape.buckets, shape.indexedNames, shape.pointerSize])
  file.set(content, start + BTF_INDEX_FOOTER.content)
  file.set(seal.make(file.subarray(0, file.length - SEAL_SIZE)), file.length - SEAL_SIZE)
}

/**
 * Puts BTF together with the index of its file, which takes no walk over the bytes. `outdated` where the file is of another version or
 * machine, `damaged` where it is of other BTF or not as it was made: in both cases the index is made anew.
 *
 * @param bytes whose hash is `content`, and which were validated when the index was made
 * @param file from the start of its buffer, to which the parts hold on
 * @param openPages where the bytes are not there yet: brings pages of them whose digests, PAGE_DIGEST_SIZE bytes each, are those given
 * @throws AppError `btf_invalid` as parseBtfHeader does
 */
export function readBtfIndex (
  bytes: Uint8Array, file: Uint8Array, content: Uint8Array, seal: IndexSeal, openPages?: (digests: Uint8Array) => Pages
): IndexedBtf | 'outdated' | 'damaged' {
  const start = file.length - BTF_INDEX_FOOTER.SIZE
  if (start < 0 || start % 4 !== 0 || file.byteOffset !== 0) return 'damaged'
  const words = new Uint32Array(file.buffer, start, BTF_INDEX_FOOTER.content / 4)
  const [magic, version, btfBytes, types = 0, buckets = 0, indexedNames = 0, pointerSize] = words
  if (magic !== MAGIC || version !== BTF_INDEX_VERSION) return isSwapped(file, start) || magic === MAGIC ? 'outdated' : 'damaged'
  const pagesAt = file.length - indexTailBytes(bytes.length)
  const isWhole = btfBytes === bytes.length && buckets > 0 && (buckets & (buckets - 1)) === 0 &&
    pagesAt === 4 * (types + buckets + 1 + indexedNames) && (pointerSize === 4 || pointerSize === 8) &&
    content.every((byte, i) => file[start + BTF_INDEX_FOOTER.content + i] === byte) &&
    seal.matches(file.subarray(0, file.length - SEAL_SIZE), file.subarray(file.length - SEAL_SIZE))
  if (!isWhole) return 'damaged'
  const pages = openPages?.(file.subarray(pagesAt, start))
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

/** Whether a machine of the other byte order wrote it. */
function isSwapped (file: Uint8Array, start: number): boolean {
  const view = dataView(file)
  return [true, false].some(littleEndian => view.getUint32(start, littleEndian) === MAGIC)
}
