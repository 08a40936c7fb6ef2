import { fnv1a } from '../bytes/hash.js'
import { dataView } from '../bytes/checked.js'
import type { NameBytes } from '../btf/find.js'
import {
  bucketOf, CHECKSUM_SIZE, DIGEST_SIZE, formatId, groupsOf, LAYOUT_HEADER, MAGIC, NO_DIGEST, partsOf, placeOfHash, readBytes, readRest,
  restOf, word, type LayoutFormat
} from './format.js'

/** The layouts of a kernel's types, or of a module's, by their names. */
export interface LayoutTable {
  readonly bigEndian: boolean
  /** Of the kernel, in bytes. */
  readonly pointerSize: number
  readonly names: number
  /**
   * The digest of all types of that essential name, DIGEST_SIZE characters; empty where there is none. Undefined where the types of the
   * name cannot be compared by a digest, and where the table turns out to be damaged.
   */
  find(name: NameBytes): string | undefined
  /** Whether something that was looked for is damaged. The table is to be made anew then. */
  readonly isDamaged: boolean
  /** Looks for damage in all of it. */
  isWhole(): boolean
}

/** A table somewhere of which only parts are read. */
export interface TableSource {
  readonly byteLength: number
  /** Bytes from one offset up to another, which stay as they are; fewer where the table ends before. */
  read(start: number, end: number): Uint8Array
}

/** The header, starts and hashes of the largest kernels: what is read first. */
const HEAD_BYTES = 12 * 1024

/**
 * Reads a layout table. Undefined for one that is damaged, of another format, or of other BTF: it is made anew then. Of what `find` reads,
 * damage shows only there.
 *
 * @param content SHA-256 of the BTF that it should be of, 32 characters
 * @param isVerified whether these very bytes were made here, so that they need not be hashed again
 */
export function readLayoutTable (
  table: Uint8Array | TableSource, content: string, format: LayoutFormat, isVerified = false
): LayoutTable | undefined {
  const source = table instanceof Uint8Array ? sourceOf(table) : table
  let head = source.read(0, HEAD_BYTES)
  if (head.length < LAYOUT_HEADER.SIZE || word(head, LAYOUT_HEADER.magic) !== MAGIC) return undefined
  const names = word(head, LAYOUT_HEADER.names)
  const bucketBits = head[LAYOUT_HEADER.bucketBits] ?? 0
  if (bucketBits < 1 || bucketBits > 16) return undefined
  const parts = partsOf(names, bucketBits)
  if (source.byteLength !== parts.end) return undefined
  if (head.length < parts.first) head = source.read(0, parts.first)
  const isWhole = head.length >= parts.first &&
    readBytes(head, LAYOUT_HEADER.format, DIGEST_SIZE) === formatId(format) &&
    readBytes(head, LAYOUT_HEADER.content, content.length) === content &&
    (isVerified ||
      readBytes(head, parts.checksum, CHECKSUM_SIZE) === format.hash(head.subarray(0, parts.checksum)).slice(0, CHECKSUM_SIZE))
  if (!isWhole) return undefined

  const view = dataView(head)
  const isComplete = head[LAYOUT_HEADER.isComplete] === 1
  const startOf = (bucket: number): number => view.getUint32(parts.starts + 4 * bucket, true)
  const { buckets, count } = groupsOf(bucketBits)
  const verified: Array<Uint8Array | undefined> = []
  /** The bytes of a group. Undefined where they are damaged. */
  const bytesOf = (group: number): Uint8Array | undefined => {
    const known = verified[group]
    if (known !== undefined) return known
    const [start, end] = [startOf(buckets * group), startOf(buckets * (group + 1))]
    const bytes = start <= end && end <= names
      ? source.read(parts.groupAt(group, start), parts.groupAt(group + 1, end))
      : new Uint8Array()
    const isSame = bytes.length === parts.groupAt(group + 1, end) - parts.groupAt(group, start) &&
      (isVerified || format.hash(bytes).slice(0, DIGEST_SIZE) === readBytes(head, parts.groups + DIGEST_SIZE * group, DIGEST_SIZE))
    if (isSame) verified[group] = bytes
    else read.isDamaged = true
    return verified[group]
  }
  // No accessor: an object that is made with one has a class of its own to V8, which would compile what uses it for each table.
  const read: { -readonly [Name in keyof LayoutTable]: LayoutTable[Name] } = {
    bigEndian: head[LAYOUT_HEADER.bigEndian] === 1,
    pointerSize: head[LAYOUT_HEADER.pointerSize] ?? 0,
    names,
    isDamaged: false,
    isWhole () {
      for (let group = 0; group < count; group++) if (bytesOf(group) === undefined) return false
      return true
    },
    find ({ bytes: name, offset, length }) {
      if (!isComplete) return undefined
      const place = placeOfHash(fnv1a(name, offset, length), bucketBits)
      const bucket = bucketOf(place)
      const group = Math.floor(bucket / buckets)
      const bytes = bytesOf(group)
      if (bytes === undefined) return undefined
      const rest = restOf(place)
      const [first, next] = [startOf(buckets * group), startOf(buckets * (group + 1))]
      for (let i = startOf(bucket) - first; i < startOf(bucket + 1) - first; i++) {
        if (readRest(bytes, next - first, i) !== rest) continue
        const digest = readBytes(bytes, DIGEST_SIZE * i, DIGEST_SIZE)
        return digest === NO_DIGEST ? undefined : digest
      }
      return ''
    }
  }
  return read
}

function sourceOf (bytes: Uint8Array): TableSource {
  return { byteLength: bytes.length, read: (start, end) => bytes.subarray(start, end) }
}
