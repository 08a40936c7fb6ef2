import { isLittleEndianHost } from '../btf/words.js'
import { dataView } from '../bytes/checked.js'

/**
 * A path that searches for reasons follow although it goes on behind a pointer: `bio.bi_disk` became `bio.bi_bdev->bd_disk`, so that the
 * layout of `bio` has in it where that path leads. Of all else behind the pointer it has nothing: a change of block_device is none of bio.
 */
export interface FollowedPath {
  /** Name of the composite that the path starts from. */
  readonly type: string
  readonly path: string
}

/** What layout digests are made with. Tables of different formats are not comparable. */
export interface LayoutFormat {
  /** SHA-256 as a string of 32 characters, a byte each. Given from outside, because the engine imports no package. */
  readonly hash: (bytes: Uint8Array) => string
  readonly followed: readonly FollowedPath[]
}

/** Raised whenever another serialisation of a layout, or another arrangement of the table, is written. */
const VERSION = 5

/** Bytes of a digest: SHA-256 cut to 128 bits. */
export const DIGEST_SIZE = 16

/**
 * The file: a header, where each bucket of names starts, a hash of each group of buckets, and the groups.
 *
 *     struct header { u8 magic[4]; u8 big_endian; u8 pointer_size; u8 bucket_bits; u8 is_complete;
 *                     u8 format[16]; u8 content[32]; u32 names; };                                   // little endian
 *     u32 starts[2^bucket_bits + 1]; u8 groups[2^(bucket_bits - GROUP_BITS)][16]; u8 sha256[32];     // of all before it
 *     struct { u8 digests[n][16]; u8 low[n]; u8 high[(n + 1) / 2]; } group[];                        // of the n names of its buckets
 *
 * A name is at the place of its FNV-1a hash: the top `bucket_bits` bits choose the bucket, the 12 below them are its rest, of which `high`
 * has the upper four, the first name's in the lower half of a byte. Names that agree in both share a place; their digest has all of them,
 * names included. An object asks for a dozen of ten thousand names, so that only the groups in which these are have to be hashed.
 */
export const LAYOUT_HEADER = {
  magic: 0,
  bigEndian: 4,
  pointerSize: 5,
  bucketBits: 6,
  isComplete: 7,
  format: 8,
  content: 24,
  names: 56,
  SIZE: 60
} as const

export const MAGIC = 0x334c4c43 // "CLL3"
export const CHECKSUM_SIZE = 32
/** Of 16 names in a bucket one in 270 shares its place with another, whose changes then count as its own. */
const REST_BITS = 12
const REST_MASK = 0xfff
/** 16 buckets are a group: about 256 entries, whose hash takes as long as finding a few names. */
const GROUP_BITS = 4

/** Digests of types that could not be walked: no kernel that has one in a demand can be compared. */
export const NO_DIGEST = '\0'.repeat(DIGEST_SIZE)

/** Identifies version, byte order of the machine and followed paths, 16 characters. */
export function formatId (format: LayoutFormat): string {
  let id = formatIds.get(format)
  if (id === undefined) formatIds.set(format, id = makeFormatId(format))
  return id
}

/** It is asked for with each table that is read. */
const formatIds = new WeakMap<LayoutFormat, string>()

function makeFormatId ({ hash, followed }: LayoutFormat): string {
  // Types are hashed in words of the machine.
  const version = `${VERSION}${isLittleEndianHost ? '' : ' big endian'}`
  const text = `layout ${version}\n${followed.map(({ type, path }) => `${type}.${path}`).join('\n')}`
  return hash(Uint8Array.from(text, character => character.charCodeAt(0))).slice(0, DIGEST_SIZE)
}

/** Names in a bucket: about 16. */
export function bucketBitsFor (names: number): number {
  let bits = 1
  while (bits < 16 && 2 ** bits * 16 < names) bits++
  return bits
}

/** Where a hash of a name is: its bucket and its rest as one number, by which places are sorted. */
export function placeOfHash (hash: number, bucketBits: number): number {
  return hash >>> (32 - bucketBits - REST_BITS)
}

export function bucketOf (place: number): number { return place >>> REST_BITS }

export function restOf (place: number): number { return place & REST_MASK }

/** Buckets of a group, and how many groups there are. */
export function groupsOf (bucketBits: number): { readonly buckets: number, readonly count: number } {
  const bits = Math.min(GROUP_BITS, bucketBits)
  return { buckets: 2 ** bits, count: 2 ** (bucketBits - bits) }
}

/** Byte offsets of the parts of a table. */
export function partsOf (names: number, bucketBits: number) {
  const groups = groupsOf(bucketBits)
  const starts = LAYOUT_HEADER.SIZE
  const hashes = starts + 4 * (2 ** bucketBits + 1)
  const checksum = hashes + DIGEST_SIZE * groups.count
  const first = checksum + CHECKSUM_SIZE
  /** Where a group is, before which there are so many names. Half a byte of a rest may be left over in each. */
  const groupAt = (group: number, before: number): number => first + (DIGEST_SIZE + 1) * before + Math.ceil((before + group) / 2)
  return { starts, groups: hashes, checksum, first, groupAt, end: groupAt(groups.count, names) }
}

/** Bits of a place. */
export function placeBits (bucketBits: number): number { return bucketBits + REST_BITS }

/** The rest of the name at an index of a group of so many names. */
export function readRest (group: Uint8Array, names: number, index: number): number {
  const low = DIGEST_SIZE * names
  const high = (group[low + names + (index >>> 1)] ?? 0) >>> 4 * (index & 1) & 0xf
  return (group[low + index] ?? 0) | high << 8
}

/** Writes it into a group that begins at `offset`, in which there are zeros. */
export function writeRest (bytes: Uint8Array, offset: number, names: number, index: number, rest: number): void {
  const low = offset + DIGEST_SIZE * names
  bytes[low + index] = rest
  const high = low + names + (index >>> 1)
  bytes[high] = (bytes[high] ?? 0) | rest >>> 8 << 4 * (index & 1)
}

/** Writes characters below 256 as bytes. */
export function writeBytes (bytes: Uint8Array, offset: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i)
}

export function readBytes (bytes: Uint8Array, offset: number, length: number): string {
  let text = ''
  for (let i = 0; i < length; i++) text += String.fromCharCode(bytes[offset + i] ?? 0)
  return text
}

export function word (bytes: Uint8Array, offset: number): number { return dataView(bytes).getUint32(offset, true) }
