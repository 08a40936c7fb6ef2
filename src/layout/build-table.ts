import { fnv1a } from '../bytes/hash.js'
import { dataView } from '../bytes/checked.js'
import { nameOffsetOf, typeId, type Btf, type TypeId } from '../btf/btf.js'
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
  const sharing = groupByPlace(btf, ids, bucketBits)
  const digests = createLayoutDigests(btf, format)
  const places = Uint32Array.from(sharing.keys()).sort()
  const parts = partsOf(places.length, bucketBits)
  const bytes = allocate(parts.end)
  const view = dataView(bytes)
  // In the order of the BTF, whose records and names are in memory in about that order: half the time of the order of the table.
  for (const id of ids) digests.of(typeId(id))
  let bucket = 0
  places.forEach((place, i) => {
    while (bucket <= bucketOf(place)) view.setUint32(parts.starts + 4 * bucket++, i, true)
    const entry = parts.entries + ENTRY.SIZE * i
    view.setUint16(entry + ENTRY.rest, restOf(place), true)
    writeDigest(bytes, entry + ENTRY.digest, sharing.get(place) ?? [], digests, format)
  })
  while (bucket <= 2 ** bucketBits) view.setUint32(parts.starts + 4 * bucket++, places.length, true)
  view.setUint32(LAYOUT_HEADER.magic, MAGIC, true)
  bytes[LAYOUT_HEADER.bigEndian] = btf.littleEndian ? 0 : 1
  bytes[LAYOUT_HEADER.pointerSize] = btf.pointerSize
  bytes[LAYOUT_HEADER.bucketBits] = bucketBits
  bytes[LAYOUT_HEADER.isComplete] = digests.isWithinLimits ? 1 : 0
  writeBytes(bytes, LAYOUT_HEADER.format, formatId(format))
  writeBytes(bytes, LAYOUT_HEADER.content, content)
  view.setUint32(LAYOUT_HEADER.names, places.length, true)
  const { buckets, count } = groupsOf(bucketBits)
  for (let group = 0; group < count; group++) {
    const [first, end] = [group, group + 1].map(g => parts.entries + ENTRY.SIZE * view.getUint32(parts.starts + 4 * buckets * g, true))
    writeBytes(bytes, parts.groups + DIGEST_SIZE * group, format.hash(bytes.subarray(first, end)).slice(0, DIGEST_SIZE))
  }
  writeBytes(bytes, parts.checksum, format.hash(bytes.subarray(0, parts.checksum)).slice(0, CHECKSUM_SIZE))
  return bytes
}

/** Ids in ascending order by the place of their essential name. */
function groupByPlace (btf: Btf, ids: Uint32Array, bucketBits: number): Map<number, TypeId[]> {
  const groups = new Map<number, TypeId[]>()
  for (const id of ids) {
    const { bytes, offset, length } = essentialName(btf, nameOffsetOf(btf, typeId(id)))
    const place = placeOfHash(fnv1a(bytes, offset, length), bucketBits)
    const group = groups.get(place)
    if (group === undefined) groups.set(place, [typeId(id)])
    else group.push(typeId(id))
  }
  return groups
}

/** Of the types of one place in their order; libbpf takes the first that fits, and refuses those that do not agree. */
function writeDigest (output: Uint8Array, offset: number, ids: readonly TypeId[], digests: LayoutDigests, { hash }: LayoutFormat): void {
  const all = ids.map(id => digests.of(id))
  const [first, ...others] = all
  if (all.includes(undefined) || first === undefined) return writeBytes(output, offset, NO_DIGEST)
  if (others.length === 0) return output.set(digests.bytes.subarray(first, first + DIGEST_SIZE), offset)
  const bytes = new Uint8Array(1 + DIGEST_SIZE * all.length)
  bytes[0] = SEVERAL
  all.forEach((digest = 0, i) => { bytes.set(digests.bytes.subarray(digest, digest + DIGEST_SIZE), 1 + DIGEST_SIZE * i) })
  writeBytes(output, offset, hash(bytes).slice(0, DIGEST_SIZE))
}

/** Not the number of any kind, with which what is hashed of one type begins. */
const SEVERAL = 0xff
