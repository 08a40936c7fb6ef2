import { LRUCache } from 'lru-cache'
import { parseObject, type BpfObject } from '../core/index.js'
import { locateRecords } from '../core/records.js'
import type { Sha256 } from '../store/sha256.js'

/** The objects that this worker has parsed, for as long as they are hot: a fleet asks for few objects, each for many kernels. */
export interface ParsedObjects {
  /**
   * The object of that hash; parsed anew where it is not held.
   *
   * @throws AppError `object_invalid`
   */
  get (hash: Sha256, bytes: Uint8Array): BpfObject
  /** Keeps an object that was relocated, with what was prepared for that. */
  hold (hash: Sha256, object: BpfObject): void
  /** Lets go of all of them. They keep shared memory alive, which others may have let go of. */
  clear (): void
  readonly entries: number
}

/** @param maxBytes of what is kept, by `weightOf` */
export function createParsedObjects (maxBytes: number): ParsedObjects {
  const objects = new LRUCache<Sha256, BpfObject>({ maxSize: maxBytes, sizeCalculation: weightOf })
  return {
    get: (hash, bytes) => objects.get(hash) ?? parseObject(bytes),
    hold (hash, object) {
      if (!objects.has(hash)) objects.set(hash, object)
    },
    clear () { objects.clear() },
    get entries () { return objects.size }
  }
}

/**
 * Bytes that a parsed object keeps alive once it was relocated and reported on, no less than what was measured of heap and file
 * together: 20 KB for the smallest object, 110 KB for one of 44 records (40 KB of file), 7.6 MB for one of 10,000 records whose accesses
 * all differ (0.5 MB of file).
 */
export function weightOf (object: BpfObject): number {
  const { bytes, elf: { sections, functions } } = object
  return OF_ITSELF + 2 * bytes.length + OF_A_PLACE * (sections.length + functions.length) +
    OF_A_RECORD * locateRecords(object).records.length
}

const OF_ITSELF = 12_000
/** A section or a function. */
const OF_A_PLACE = 500
/** A record, its access and what that means in the object's own types. */
const OF_A_RECORD = 800
