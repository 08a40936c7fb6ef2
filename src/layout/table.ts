import { fnv1a } from '../bytes/hash.js'
import { dataView } from '../bytes/checked.js'
import type { NameBytes } from '../btf/find.js'
import {
  bucketOf, CHECKSUM_SIZE, DIGEST_SIZE, ENTRY, formatId, groupsOf, LAYOUT_HEADER, MAGIC, NO_DIGEST, partsOf, placeOfHash, readBytes,
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

/**
 * Reads a layout table. Undefined for one that is damaged, of another format, or of other BTF: it is made anew then. Of what `find` reads,
 * damage shows only there.
 *
 * @param content SHA-256 of the BTF that it should be of, 32 characters
 * @param isVerified whether these very bytes were made here, so that they need not be hashed again
 */
export function readLayoutTable (bytes: Uint8Array, content: string, format: LayoutFormat, isVerified = false): LayoutTable | undefined {
  if (bytes.length < LAYOUT_HEADER.SIZE || word(bytes, LAYOUT_HEADER.magic) !== MAGIC) return undefined
  const names = word(bytes, LAYOUT_HEADER.names)
  const bucketBits = bytes[LAYOUT_HEADER.bucketBits] ?? 0
  if (bucketBits < 1 || bucketBits > 16) return undefined
  const parts = partsOf(names, bucketBits)
  const isWhole = bytes.length === parts.end &&
    readBytes(bytes, LAYOUT_HEADER.format, DIGEST_SIZE) === formatId(format) &&
    readBytes(bytes, LAYOUT_HEADER.content, content.length) === content &&
    (isVerified ||
      readBytes(bytes, parts.checksum, CHECKSUM_SIZE) === format.hash(bytes.subarray(0, parts.checksum)).slice(0, CHECKSUM_SIZE))
  if (!isWhole) return undefined

  const view = dataView(bytes)
  const isComplete = bytes[LAYOUT_HEADER.isComplete] === 1
  const startOf = (bucket: number): number => view.getUint32(parts.starts + 4 * bucket, true)
  const entryOf = (i: number): number => parts.entries + ENTRY.SIZE * i
  const { buckets, count } = groupsOf(bucketBits)
  const verified = new Uint8Array(count).fill(isVerified ? 1 : 0)
  let isDamaged = false
  const verify = (group: number): boolean => {
    if (verified[group] === 1) return true
    const entries = bytes.subarray(entryOf(startOf(buckets * group)), entryOf(startOf(buckets * (group + 1))))
    const isSame = format.hash(entries).slice(0, DIGEST_SIZE) === readBytes(bytes, parts.groups + DIGEST_SIZE * group, DIGEST_SIZE)
    if (isSame) verified[group] = 1
    else isDamaged = true
    return isSame
  }
  return {
    bigEndian: bytes[LAYOUT_HEADER.bigEndian] === 1,
    pointerSize: bytes[LAYOUT_HEADER.pointerSize] ?? 0,
    names,
    get isDamaged () { return isDamaged },
    isWhole: () => verified.every((_, group) => verify(group)),
    find ({ bytes: name, offset, length }) {
      if (!isComplete) return undefined
      const place = placeOfHash(fnv1a(name, offset, length), bucketBits)
      const bucket = bucketOf(place)
      if (!verify(Math.floor(bucket / buckets))) return undefined
      const rest = restOf(place)
      const end = startOf(bucket + 1)
      for (let i = startOf(bucket); i < end; i++) {
        if (view.getUint16(entryOf(i) + ENTRY.rest, true) !== rest) continue
        const digest = readBytes(bytes, entryOf(i) + ENTRY.digest, DIGEST_SIZE)
        return digest === NO_DIGEST ? undefined : digest
      }
      return ''
    }
  }
}
