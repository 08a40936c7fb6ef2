import { fnv1a } from '../bytes/hash.js'
import { at, dataView } from '../bytes/checked.js'
import { nameOffsetOf, typeId, type Btf } from '../btf/btf.js'
import { essentialName } from '../btf/find.js'
import { AppError } from '../errors.js'
import { createLayoutDigests, type LayoutDigests } from './digests.js'
import {
  bucketBitsFor, bucketOf, CHECKSUM_SIZE, DIGEST_SIZE, ENTRY, formatId, groupsOf, LAYOUT_HEADER, MAGIC, NO_DIGEST, partsOf, placeOfHash,
  restOf, writeBytes, type LayoutFormat
} from './format.js'

/**
 * Makes a kernel's layout table: for each name that can be a relocation's root, a digest of all types of that name (essential name,
 * of whatever kind, in libbpf's order), so that kernels can be compared without their BTF.
 *
 * Of split BTF it has the BTF's own types, through which libbpf looks where vmlinux has none.
 *
 * @param content SHA-256 of the BTF, 32 characters: what the table is of
 * @param allocate gives the memory of the table, of this many bytes
 */
export function buildLayoutTable (
  btf: Btf,
  content: string,
  format: LayoutFormat,
  allocate = (byteLength: number): Uint8Array => new Uint8Array(byteLength)
): Uint8Array {
  if (btf.nameIndex === undefined) throw new AppError('internal_error', 'A layout table is made of BTF whose names are indexed.')
  const ids = btf.nameIndex.ids.slice().sort()
  const bucketBits = bucketBitsFor(ids.length)
  const places = placesOf(btf, ids, bucketBits)
  // By the lower half of each place, then by the upper one: as each keeps the order of equals, that is by the whole.
  const order = sortedBy(bucketOf, places, sortedBy(restOf, places, Uint32Array.from(ids.keys())))
  const count = countPlaces(places, order)
  const digests = createLayoutDigests(btf, format)
  const parts = partsOf(count, bucketBits)
  const bytes = allocate(parts.end)
  const view = dataView(bytes)
  writeEntries(bytes, parts, bucketBits, { places, order, made: makeDigests(ids, digests), digests, format })
  view.setUint32(LAYOUT_HEADER.magic, MAGIC, true)
  bytes[LAYOUT_HEADER.bigEndian] = btf.littleEndian ? 0 : 1
  bytes[LAYOUT_HEADER.pointerSize] = btf.pointerSize
  bytes[LAYOUT_HEADER.bucketBits] = bucketBits
  bytes[LAYOUT_HEADER.isComplete] = digests.isWithinLimits() ? 1 : 0
  writeBytes(bytes, LAYOUT_HEADER.format, formatId(format))
  writeBytes(bytes, LAYOUT_HEADER.content, content)
  view.setUint32(LAYOUT_HEADER.names, count, true)
  const groups = groupsOf(bucketBits)
  for (let group = 0; group < groups.count; group++) {
    const [first, end] = [group, group + 1].map(next =>
      parts.entries + ENTRY.SIZE * view.getUint32(parts.starts + 4 * groups.buckets * next, true))
    writeBytes(bytes, parts.groups + DIGEST_SIZE * group, format.hash(bytes.subarray(first, end)).slice(0, DIGEST_SIZE))
  }
  digests.end()
  writeBytes(bytes, parts.checksum, format.hash(bytes.subarray(0, parts.checksum)).slice(0, CHECKSUM_SIZE))
  return bytes
}

/** The place of the essential name of each id. */
function placesOf (btf: Btf, ids: Uint32Array, bucketBits: number): Uint32Array {
  const places = new Uint32Array(ids.length)
  for (let i = 0; i < ids.length; i++) {
    const { bytes, offset, length } = essentialName(btf, nameOffsetOf(btf, typeId(at(ids, i))))
    places[i] = placeOfHash(fnv1a(bytes, offset, length), bucketBits)
  }
  return places
}

/** Counting sort of indices by 16 bits of their places. Linear, whatever the places are, which names of other people's BTF decide. */
function sortedBy (keyOf: (place: number) => number, places: Uint32Array, indices: Uint32Array): Uint32Array {
  const next = new Uint32Array(2 ** 16 + 1)
  for (let i = 0; i < indices.length; i++) {
    const after = keyOf(at(places, at(indices, i))) + 1
    next[after] = at(next, after) + 1
  }
  for (let key = 1; key < next.length; key++) next[key] = at(next, key) + at(next, key - 1)
  const sorted = new Uint32Array(indices.length)
  for (let i = 0; i < indices.length; i++) {
    const index = at(indices, i)
    const key = keyOf(at(places, index))
    const to = at(next, key)
    sorted[to] = index
    next[key] = to + 1
  }
  return sorted
}

function countPlaces (places: Uint32Array, order: Uint32Array): number {
  let count = 0
  for (let i = 0; i < order.length; i++) {
    if (i === 0 || places[at(order, i)] !== places[at(order, i - 1)]) count++
  }
  return count
}

/** In the order of the BTF, whose records and names are in memory in about that order: half the time of the order of the table. */
function makeDigests (ids: Uint32Array, digests: LayoutDigests): Int32Array {
  const made = new Int32Array(ids.length)
  for (let i = 0; i < ids.length; i++) made[i] = digests.of(typeId(at(ids, i))) ?? NONE
  return made
}

interface Entries {
  readonly places: Uint32Array
  /** Indices of all names in ascending order of their places, those of one place in the order of their ids. */
  readonly order: Uint32Array
  /** The digest of each, or NONE. */
  readonly made: Int32Array
  readonly digests: LayoutDigests
  readonly format: LayoutFormat
}

function writeEntries (bytes: Uint8Array, parts: ReturnType<typeof partsOf>, bucketBits: number, names: Entries): void {
  const { places, order, made, digests, format } = names
  const view = dataView(bytes)
  let bucket = 0
  let entry = parts.entries
  let count = 0
  for (let first = 0, next = 0; first < order.length; first = next, entry += ENTRY.SIZE, count++) {
    const place = at(places, at(order, first))
    for (next = first + 1; next < order.length && places[at(order, next)] === place;) next++
    while (bucket <= bucketOf(place)) view.setUint32(parts.starts + 4 * bucket++, count, true)
    view.setUint16(entry + ENTRY.rest, restOf(place), true)
    const output = entry + ENTRY.digest
    if (next - first === 1) writeDigest(bytes, output, at(made, at(order, first)), digests)
    else writeSeveral(bytes, output, Array.from(order.subarray(first, next), i => at(made, i)), digests, format)
  }
  while (bucket <= 2 ** bucketBits) view.setUint32(parts.starts + 4 * bucket++, count, true)
}

/** Of the types of one place in their order; libbpf takes the first that fits, and refuses those that do not agree. */
function writeSeveral (output: Uint8Array, offset: number, made: readonly number[], digests: LayoutDigests, { hash }: LayoutFormat): void {
  if (made.includes(NONE)) return writeBytes(output, offset, NO_DIGEST)
  const all = new Uint8Array(1 + DIGEST_SIZE * made.length)
  all[0] = SEVERAL
  made.forEach((digest, i) => { digests.copy(digest, all, 1 + DIGEST_SIZE * i) })
  writeBytes(output, offset, hash(all).slice(0, DIGEST_SIZE))
}

function writeDigest (output: Uint8Array, offset: number, digest: number, digests: LayoutDigests): void {
  if (digest === NONE) writeBytes(output, offset, NO_DIGEST)
  else digests.copy(digest, output, offset)
}

/** Not the number of any kind, with which what is hashed of one type begins. */
const SEVERAL = 0xff
/** In the place of a digest. */
const NONE = -1
