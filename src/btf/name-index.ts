import { at, dataView } from '../bytes/checked.js'
import { FNV_OFFSET_BASIS, FNV_PRIME, fnv1a } from '../bytes/hash.js'
import { findString } from './btf.js'
import { essentialNameLength } from './names.js'
import type { Scan, ScanInput } from './scan.js'

/** Ids and hashes of the names to index, in id order. */
export interface HashedNames {
  readonly ids: Uint32Array
  readonly hashes: Uint32Array
}

/** Hashes the essential name of every type of an indexed kind. */
export function hashNames (input: ScanInput, scan: Scan): HashedNames {
  const { littleEndian, startId } = input
  const { named, offsets } = scan
  const view = dataView(input.bytes)
  const ids = new Uint32Array(named.length)
  const hashes = new Uint32Array(named.length)
  for (let i = 0; i < named.length; i++) {
    const index = named[i] ?? 0
    ids[i] = startId + index
    hashes[i] = hashName(input, view.getUint32(offsets[index] ?? 0, littleEndian))
  }
  return { ids, hashes }
}

/** A power of two near the number of names, so that a bucket holds about one. */
export function bucketCount (names: number): number {
  let buckets = 1
  while (buckets < names) buckets *= 2
  return buckets
}

/** Counting sort by bucket into `starts` (buckets + 1) and `ids`. Stable, so that ids stay ascending in each bucket. */
export function fillBuckets (names: HashedNames, starts: Uint32Array, ids: Uint32Array): void {
  const mask = starts.length - 2
  for (const hash of names.hashes) {
    const slot = (hash & mask) + 1
    starts[slot] = at(starts, slot) + 1
  }
  for (let slot = 1; slot < starts.length; slot++) starts[slot] = at(starts, slot) + at(starts, slot - 1)
  const next = starts.slice(0, -1)
  for (let i = 0; i < ids.length; i++) {
    const bucket = at(names.hashes, i) & mask
    const slot = at(next, bucket)
    next[bucket] = slot + 1
    ids[slot] = at(names.ids, i)
  }
}

const THREE_UNDERSCORES = 0x5f5f5f

/** fnv1a of the essential name, in one pass over the bytes: a name without three underscores in a row, nearly every one, is its own. */
function hashName (input: ScanInput, nameOff: number): number {
  if (nameOff < input.startStrOff && input.base !== undefined) {
    const place = findString(input.base, nameOff)
    return place === undefined ? 0 : hashString(place.bytes, place.offset)
  }
  return hashString(input.bytes, input.header.strStart + nameOff - input.startStrOff)
}

function hashString (bytes: Uint8Array, start: number): number {
  let hash = FNV_OFFSET_BASIS
  let lastThree = 0
  let hasFlavor = 0
  let end = start
  // No branch on the underscore: kernel names have too many for it to be foreseen.
  for (let byte = bytes[end]; byte !== undefined && byte !== 0; byte = bytes[++end]) {
    hash = Math.imul(hash ^ byte, FNV_PRIME)
    lastThree = (lastThree << 8 | byte) & 0xffffff
    hasFlavor |= lastThree === THREE_UNDERSCORES ? 1 : 0
  }
  return hasFlavor === 0 ? hash >>> 0 : fnv1a(bytes, start, essentialNameLength(bytes, start, end - start))
}
