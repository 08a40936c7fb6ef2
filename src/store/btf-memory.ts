import { LRUCache } from 'lru-cache'
import type { BtfParts } from '../btf/parse.js'
import type { Sha256 } from './sha256.js'
import { createSingleFlight } from './single-flight.js'

/** Validated, indexed BTF in shared memory: plain data that is handed to a worker without copying what it points to. */
export interface SharedBtf {
  /** sharedKey of it. */
  readonly key: string
  /** Of the raw BTF. */
  readonly sha256: Sha256
  readonly parts: BtfParts
  /** Number of its own types. */
  readonly types: number
  /** Whether the memory of its index is that of its file, sealed, to be kept beside the content. */
  readonly isSealed: boolean
}

/** What shared BTF is cached under. Ids and string offsets of split BTF go on from its base, so that the base is part of the key. */
export function sharedKey (hash: Sha256, base: Sha256 | undefined): string { return base === undefined ? hash : `${base}+${hash}` }

/** Bytes of shared memory behind it. */
export function residentBytes (btf: SharedBtf): number { return btf.parts.bytes.byteLength + btf.parts.index.byteLength }

export interface BtfMemoryOptions {
  /** At least 1. */
  readonly maxBytes: number
  /** Told when memory was let go of. It is freed only once no thread has it any more, and once those have collected garbage. */
  readonly onRelease?: (bytes: number) => void
}

/** The memory tier: least recently used BTFs go when the budget is spent. Equal loads run once. */
export interface BtfMemory {
  /** What is there, without loading. */
  peek(key: string): SharedBtf | undefined
  /** The same without counting as a use: whoever passes over many must not keep them here. */
  glance(key: string): SharedBtf | undefined
  /** The same by hash alone, whatever the base. */
  find(hash: Sha256): SharedBtf | undefined
  /** What is there, or what `load` gives. A BTF that alone is larger than the budget is given but not kept. */
  get(key: string, load: () => Promise<SharedBtf>): Promise<SharedBtf>
  put(btf: SharedBtf): void
  /** All that is there, without using it. */
  list(): readonly SharedBtf[]
  stats(): { readonly bytes: number, readonly entries: number, readonly hits: number, readonly misses: number, readonly evictions: number }
}

export function createBtfMemory (options: BtfMemoryOptions): BtfMemory {
  const counts = { hits: 0, misses: 0, evictions: 0 }
  const release = (btf: SharedBtf): void => options.onRelease?.(residentBytes(btf))
  const cache = new LRUCache<string, SharedBtf>({
    maxSize: options.maxBytes,
    sizeCalculation: residentBytes,
    dispose (btf, _key, reason) {
      if (reason === 'evict') counts.evictions++
      release(btf)
    }
  })
  const loads = createSingleFlight<SharedBtf>()

  const put = (btf: SharedBtf): void => {
    cache.set(btf.key, btf)
    if (!cache.has(btf.key)) release(btf)
  }
  return {
    peek (key) {
      const held = cache.get(key)
      if (held !== undefined) counts.hits++
      return held
    },
    glance: key => cache.peek(key),
    find: hash => cache.get(hash) ?? cache.find(btf => btf.sha256 === hash),
    async get (key, load) {
      const held = cache.get(key)
      if (held !== undefined) {
        counts.hits++
        return held
      }
      return await loads.run(key, async () => {
        counts.misses++
        const btf = await load()
        put(btf)
        return btf
      })
    },
    put,
    list: () => [...cache.values()],
    stats: () => ({ bytes: cache.calculatedSize, entries: cache.size, ...counts })
  }
}

/** The raw BTF behind the handle, not copied. */
export function rawBytes ({ parts }: SharedBtf): Uint8Array { return new Uint8Array(parts.bytes, parts.byteOffset, parts.byteLength) }
