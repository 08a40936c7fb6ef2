import { at } from '../bytes/checked.js'
import { FNV_OFFSET_BASIS, FNV_PRIME, fnv1a } from '../bytes/hash.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { findString, type Btf } from './btf.js'
import { mostHashed } from './hashed-bytes.js'
import { essentialNameLength } from './names.js'
import type { Scan, ScanInput } from './scan.js'

/** Ids and hashes of the names to index, in id order. */
export interface HashedNames {
  readonly ids: Uint32Array
  readonly hashes: Uint32Array
}

/** In the upper bytes of a word. */
const THREE_UNDERSCORES = 0x5f5f5f00

/**
 * Hashes (fnv1a) the essential name of every type of an indexed kind, in one pass over the bytes: a name without three
 * underscores in a row, nearly every one, is its own essential name.
 *
 * There are tens of thousands of names, so that the loop calls nothing, and has by itself all that it uses: constants of a
 * module are loaded anew each time.
 */
export function hashNames ({ bytes, base, header, startId, startStrOff }: ScanInput, { named, nameOffs }: Scan): HashedNames {
  const prime = FNV_PRIME
  const separator = THREE_UNDERSCORES
  const strings = header.strStart - startStrOff
  const end = bytes.length
  const longest = LIMITS.nameBytes
  const most = mostHashed(end)
  let read = 0
  const ids = new Uint32Array(named.length)
  const hashes = new Uint32Array(named.length)
  for (let i = 0; i < named.length; i++) {
    ids[i] = startId + (named[i] ?? 0)
    const nameOff = (nameOffs[i] ?? 0) >>> 0
    if (nameOff < startStrOff) {
      const name = baseName(base, nameOff)
      hashes[i] = name.hash
      read += name.length
      if (name.length > longest || read > most) throw overlongNames(startId + (named[i] ?? 0), name.length, most)
      continue
    }
    let hash = FNV_OFFSET_BASIS
    let lastFour = 0
    // No branch on the single underscore: kernel names have too many for it to be foreseen.
    const first = strings + nameOff
    const stop = first + longest < end ? first + longest + 1 : end
    let place = first
    for (; place < stop; place++) {
      const byte = bytes[place] ?? 0
      if (byte === 0) break
      hash = Math.imul(hash ^ byte, prime)
      lastFour = lastFour << 8 | byte
      if (lastFour << 8 === separator) {
        const length = boundedLength(bytes, first)
        hash = fnv1a(bytes, first, essentialNameLength(bytes, first, length))
        place = first + length
        read += 2 * length // it is read three times
        break
      }
    }
    read += place - first
    if (place - first > longest || read > most) throw overlongNames(startId + (named[i] ?? 0), place - first, most)
    hashes[i] = hash
  }
  return { ids, hashes }
}

function baseName (base: Btf | undefined, nameOff: number): { hash: number, length: number } {
  const place = base === undefined ? undefined : findString(base, nameOff)
  if (place === undefined) return { hash: 0, length: 0 }
  const length = boundedLength(place.bytes, place.offset)
  return { hash: fnv1a(place.bytes, place.offset, essentialNameLength(place.bytes, place.offset, length)), length }
}

/** Bytes of a name, or one more than LIMITS.nameBytes. */
function boundedLength (bytes: Uint8Array, start: number): number {
  let end = start
  while (end < bytes.length && end - start <= LIMITS.nameBytes && bytes[end] !== 0) end++
  return end - start
}

function overlongNames (id: number, length: number, most: number): AppError {
  return length > LIMITS.nameBytes
    ? new AppError('btf_invalid', `Type ${id} has a name of more than ${LIMITS.nameBytes} bytes.`, { type_id: id, limit: LIMITS.nameBytes })
    : new AppError(
      'btf_invalid',
      `The names of the types up to ${id} have more than ${most} bytes altogether, which only names within each other can.`,
      { type_id: id, limit: most }
    )
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
