import { LRUCache } from 'lru-cache'
import type { Sha256 } from '../store/sha256.js'

/** The eBPF objects in memory, by their hash, the least recently used of which go first. */
export interface ObjectMemory {
  has(hash: Sha256): boolean
  get(hash: Sha256): Uint8Array | undefined
  /** Without counting as a use. */
  peek(hash: Sha256): Uint8Array | undefined
  /** The bytes must have the hash, and must not change. */
  set(hash: Sha256, bytes: Uint8Array): void
  /**
   * The hash of bytes that are held, byte for byte: a fleet sends the same object again and again, and to compare it costs a
   * tenth of hashing it. Undefined says nothing.
   */
  recognise(bytes: Uint8Array): Sha256 | undefined
  /** In bytes. */
  readonly size: number
  readonly entries: number
}

/** Objects with one mark that are compared. A few builds of one program may share it; who makes many of them gains nothing but hashing. */
const MAX_ALIKE = 4
const SAMPLES = 32

/** @param onRelease told of shared memory that was let go of, in bytes */
export function createObjectMemory (maxBytes: number, onRelease: (bytes: number) => void): ObjectMemory {
  const marks = new Map<number, readonly Sha256[]>()
  const objects = new LRUCache<Sha256, Uint8Array>({
    maxSize: maxBytes,
    sizeCalculation: bytes => bytes.length,
    dispose (bytes, hash) {
      const mark = markOf(bytes)
      const others = (marks.get(mark) ?? []).filter(other => other !== hash)
      if (others.length === 0) marks.delete(mark)
      else marks.set(mark, others)
      onRelease(bytes.length)
    }
  })
  return {
    has: hash => objects.has(hash),
    get: hash => objects.get(hash),
    peek: hash => objects.peek(hash),
    set (hash, bytes) {
      objects.set(hash, bytes)
      if (!objects.has(hash)) return // larger than all the memory there is
      const mark = markOf(bytes)
      marks.set(mark, [hash, ...(marks.get(mark) ?? []).filter(other => other !== hash)].slice(0, MAX_ALIKE))
    },
    recognise (bytes) {
      for (const hash of marks.get(markOf(bytes)) ?? []) {
        const held = objects.peek(hash)
        if (held === undefined || Buffer.compare(bytes, held) !== 0) continue
        objects.get(hash)
        return hash
      }
      return undefined
    },
    get size () { return objects.calculatedSize },
    get entries () { return objects.size }
  }
}

/** Length and a few bytes from all over, mixed as FNV-1a does: tells objects apart that differ much, and nothing more. */
function markOf (bytes: Uint8Array): number {
  let mark = Math.imul(0x811c9dc5 ^ bytes.length, 0x01000193)
  for (let i = 0; i < SAMPLES; i++) mark = Math.imul(mark ^ (bytes[Math.floor(i * (bytes.length - 1) / (SAMPLES - 1))] ?? 0), 0x01000193)
  return mark
}
