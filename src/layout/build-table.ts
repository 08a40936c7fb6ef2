import { fnv1a } from '../bytes/hash.js'
import { at, dataView } from '../bytes/checked.js'
import { nameOffsetOf, typeId, type Btf, type TypeId } from '../btf/btf.js'
import { essentialName } from '../btf/find.js'
import { AppError } from '../errors.js'
import { createLayoutDigests, type LayoutDigests } from './digests.js'
import {
  bucketBitsFor, bucketOf, CHECKSUM_SIZE, DIGEST_SIZE, formatId, groupsOf, LAYOUT_HEADER, MAGIC, NO_DIGEST, partsOf, placeBits,
  placeOfHash, restOf, writeBytes, writeRest, type LayoutFormat
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
  const ids = inOrder(btf, btf.nameIndex.ids)
  const bucketBits = bucketBitsFor(ids.length)
  const digests = createLayoutDigests(btf, format)
  const made = makeDigests(ids, digests)
  const places = placesOf(btf, ids, made, digests, bucketBits)
  const order = orderOf(places, placeBits(bucketBits))
  const count = countPlaces(places, order)
  const parts = partsOf(count, bucketBits)
  const bytes = allocate(parts.end)
  const view = dataView(bytes)
  writeStarts(view, parts, bucketBits, places, order)
  writeGroups(bytes, parts, bucketBits, { places, order, made, digests, format })
  view.setUint32(LAYOUT_HEADER.magic, MAGIC, true)
  bytes[LAYOUT_HEADER.bigEndian] = btf.littleEndian ? 0 : 1
  bytes[LAYOUT_HEADER.pointerSize] = btf.pointerSize
  bytes[LAYOUT_HEADER.bucketBits] = bucketBits
  bytes[LAYOUT_HEADER.isComplete] = digests.isWithinLimits() ? 1 : 0
  writeBytes(bytes, LAYOUT_HEADER.format, formatId(format))
  writeBytes(bytes, LAYOUT_HEADER.content, content)
  view.setUint32(LAYOUT_HEADER.names, count, true)
  digests.end()
  writeBytes(bytes, parts.checksum, format.hash(bytes.subarray(0, parts.checksum)).slice(0, CHECKSUM_SIZE))
  return bytes
}

/** The same ids, each of which is there once, in ascending order. Quicker than sorting them, since a tenth of all ids is there. */
function inOrder ({ startId, endId }: Btf, ids: Uint32Array): Uint32Array {
  const isThere = new Uint8Array(endId - startId)
  for (let i = 0; i < ids.length; i++) isThere[at(ids, i) - startId] = 1
  const sorted = new Uint32Array(ids.length)
  for (let i = 0, to = 0; i < isThere.length; i++) if (isThere[i] === 1) sorted[to++] = startId + i
  return sorted
}

/** The place of the essential name of each id. */
function placesOf (btf: Btf, ids: Uint32Array, made: Int32Array, digests: LayoutDigests, bucketBits: number): Uint32Array {
  const places = new Uint32Array(ids.length)
  for (let i = 0; i < ids.length; i++) {
    const digest = at(made, i)
    const hash = digest === NONE ? undefined : digests.nameHashOf(digest)
    places[i] = placeOfHash(hash ?? hashOfName(btf, typeId(at(ids, i))), bucketBits)
  }
  return places
}

function hashOfName (btf: Btf, id: TypeId): number {
  const { bytes, offset, length } = essentialName(btf, nameOffsetOf(btf, id))
  return fnv1a(bytes, offset, length)
}

/**
 * Indices of places in their ascending order, of equal ones in their own. By a part of the bits after the other, from the lowest on, so
 * that it takes as long whatever the places are, which names of other people's BTF decide.
 */
function orderOf (places: Uint32Array, bits: number): Uint32Array {
  let order = new Uint32Array(places.length)
  for (let i = 0; i < order.length; i++) order[i] = i
  let sorted = new Uint32Array(places.length)
  const next = new Uint32Array(SORTED_VALUES + 1)
  for (let shift = 0; shift < bits; shift += SORTED_BITS) {
    next.fill(0)
    for (let i = 0; i < places.length; i++) {
      const after = ((places[i] ?? 0) >>> shift & SORTED_MASK) + 1
      next[after] = at(next, after) + 1
    }
    for (let value = 1; value < next.length; value++) next[value] = at(next, value) + at(next, value - 1)
    for (let i = 0; i < order.length; i++) {
      const index = order[i] ?? 0
      const value = (places[index] ?? 0) >>> shift & SORTED_MASK
      const to = next[value] ?? 0
      sorted[to] = index
      next[value] = to + 1
    }
    ;[order, sorted] = [sorted, order]
  }
  return order
}

/** Kernels have places of 20 to 22 bits. */
const SORTED_BITS = 11
const SORTED_VALUES = 2 ** SORTED_BITS
const SORTED_MASK = SORTED_VALUES - 1

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

type Parts = ReturnType<typeof partsOf>

interface Names {
  readonly places: Uint32Array
  /** Indices of all names in ascending order of their places, those of one place in the order of their ids. */
  readonly order: Uint32Array
  /** The digest of each, or NONE. */
  readonly made: Int32Array
  readonly digests: LayoutDigests
  readonly format: LayoutFormat
}

/** How many places there are before each bucket. */
function writeStarts (view: DataView, parts: Parts, bucketBits: number, places: Uint32Array, order: Uint32Array): void {
  let bucket = 0
  let count = 0
  let last = NONE
  for (let i = 0; i < order.length; i++) {
    const place = at(places, at(order, i))
    if (place === last) continue
    last = place
    for (const own = bucketOf(place); bucket <= own; bucket++) view.setUint32(parts.starts + 4 * bucket, count, true)
    count++
  }
  for (; bucket <= 2 ** bucketBits; bucket++) view.setUint32(parts.starts + 4 * bucket, count, true)
}

function writeGroups (bytes: Uint8Array, parts: Parts, bucketBits: number, names: Names): void {
  const { places, order, made, digests, format } = names
  const view = dataView(bytes)
  const groups = groupsOf(bucketBits)
  for (let group = 0, first = 0; group < groups.count; group++) {
    const [before, after] = [group, group + 1].map(next => view.getUint32(parts.starts + 4 * groups.buckets * next, true))
    const offset = parts.groupAt(group, before ?? 0)
    const count = (after ?? 0) - (before ?? 0)
    for (let i = 0; i < count; i++) {
      const place = at(places, at(order, first))
      let next = first + 1
      while (next < order.length && places[at(order, next)] === place) next++
      const output = offset + DIGEST_SIZE * i
      if (next - first === 1) writeDigest(view, output, at(made, at(order, first)), digests)
      else writeSeveral(bytes, output, Array.from(order.subarray(first, next), i => at(made, i)), digests, format)
      writeRest(bytes, offset, count, i, restOf(place))
      first = next
    }
    const written = bytes.subarray(offset, parts.groupAt(group + 1, after ?? 0))
    writeBytes(bytes, parts.groups + DIGEST_SIZE * group, format.hash(written).slice(0, DIGEST_SIZE))
  }
}

/** Of the types of one place in their order; libbpf takes the first that fits, and refuses those that do not agree. */
function writeSeveral (output: Uint8Array, offset: number, made: readonly number[], digests: LayoutDigests, { hash }: LayoutFormat): void {
  if (made.includes(NONE)) return writeBytes(output, offset, NO_DIGEST)
  const all = new Uint8Array(1 + DIGEST_SIZE * made.length)
  const view = dataView(all)
  all[0] = SEVERAL
  made.forEach((digest, i) => { digests.copy(digest, view, 1 + DIGEST_SIZE * i) })
  writeBytes(output, offset, hash(all).slice(0, DIGEST_SIZE))
}

function writeDigest (output: DataView, offset: number, digest: number, digests: LayoutDigests): void {
  if (digest !== NONE) digests.copy(digest, output, offset)
  else for (let i = 0; i < DIGEST_SIZE; i++) output.setUint8(offset + i, 0)
}

/** Not the number of any kind, with which what is hashed of one type begins. */
const SEVERAL = 0xff
/** In the place of a digest. */
const NONE = -1
