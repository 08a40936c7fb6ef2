import { setTimeout } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { ContentStore } from '../store/content-store.js'
import type { Sha256 } from '../store/sha256.js'
import type { WorkerPool } from '../workers/pool.js'
import type { CheckedBtf, ReadLayout } from '../workers/protocol.js'

/**
 * Layout tables of kernels, by the hash of their BTF: in memory, and on disk beside it. They never come from a shared store, whose
 * content only its hash vouches for.
 *
 * Tables that are missing, damaged or of another format are made in the background, since to make one takes longer than to relocate a
 * few objects for the kernel.
 */
export interface LayoutTables {
  /**
   * The tables of kernels, in their order and in shared memory, read without the BTF. Undefined where there is none yet: it is made
   * soon, where the BTF is held.
   */
  load(hashes: readonly Sha256[], signal?: AbortSignal): Promise<ReadonlyArray<Uint8Array | undefined>>
  /** Makes the table of a kernel that was taken in, unless it is there. */
  prepare(hash: Sha256): void
  stats(): { readonly bytes: number, readonly entries: number, readonly made: number }
  /** Makes no more tables, and waits for the one that is being made. */
  close(): Promise<void>
}

export interface LayoutTablesOptions {
  readonly store: Pick<ContentStore, 'pathOf' | 'write' | 'noteUse'>
  /** Where BTF can be had without keeping it in memory. Undefined: tables are only read. */
  readonly glance?: (hash: Sha256) => CheckedBtf
  readonly pool: Pick<WorkerPool, 'run'>
  /** Whether there is work for requests and checks, which comes before making tables. */
  readonly isBusy?: () => boolean
  readonly memoryBytes: number
  /** Told of shared memory that is let go of, in bytes. */
  readonly onRelease: (bytes: number) => void
}

/** Tables that one task reads. Each takes some 0.3 ms. */
const READ_AT_ONCE = 32
/** Kernels that wait for their tables to be made. */
const MAX_WAITING = 100_000
/** Other work comes first, but not for ever. */
const GIVE_WAY_MS = 100
const GIVE_WAY_TIMES = 50

export function createLayoutTables ({
  store,
  glance,
  pool,
  isBusy = () => false,
  memoryBytes,
  onRelease
}: LayoutTablesOptions): LayoutTables {
  const held = new LRUCache<Sha256, Uint8Array>({
    maxSize: memoryBytes,
    sizeCalculation: ({ length }) => length,
    dispose: ({ length }) => { onRelease(length) }
  })
  const waiting = new Set<Sha256>()
  const closing = new AbortController()
  let making: Promise<void> | undefined
  let made = 0

  const pathOf = (hash: Sha256): string => store.pathOf('layout', hash)
  const giveWay = async (): Promise<void> => {
    for (let i = 0; i < GIVE_WAY_TIMES && isBusy() && !closing.signal.aborted; i++) {
      await setTimeout(GIVE_WAY_MS, undefined, { signal: closing.signal, ref: false }).catch(() => {}) // it ends the waiting
    }
  }
  const make = async (hash: Sha256, btf: CheckedBtf): Promise<void> => {
    const [table] = await pool.run({ kind: 'layout', sources: [{ sha256: hash, path: pathOf(hash), btf }] })
    if (table?.state !== 'ready') return
    held.set(hash, table.bytes)
    if (!table.isNew) return
    await store.write('layout', hash, table.bytes)
    made++
  }
  const makeAll = async (find: (hash: Sha256) => CheckedBtf): Promise<void> => {
    for (const hash of waiting) {
      waiting.delete(hash)
      await giveWay()
      if (closing.signal.aborted) break
      await make(hash, find(hash)).catch(() => {}) // BTF that cannot be read has no table; it shows where the BTF is used
    }
    making = undefined
  }
  const prepare = (hash: Sha256): void => {
    if (glance === undefined || closing.signal.aborted || waiting.size === MAX_WAITING) return
    waiting.add(hash)
    making ??= makeAll(glance)
  }
  const readPart = async (hashes: readonly Sha256[]): Promise<readonly ReadLayout[]> =>
    await pool.run({ kind: 'layout', sources: hashes.map(sha256 => ({ sha256, path: pathOf(sha256) })) })

  return {
    async load (hashes, signal) {
      const found = new Map<Sha256, Uint8Array>()
      const missing = hashes.filter(hash => {
        const bytes = held.get(hash)
        if (bytes !== undefined) found.set(hash, bytes)
        return bytes === undefined
      })
      for (let at = 0; at < missing.length; at += READ_AT_ONCE) {
        signal?.throwIfAborted()
        const part = missing.slice(at, at + READ_AT_ONCE)
        const tables = await readPart(part)
        part.forEach((hash, i) => {
          const table = tables[i]
          if (table?.state !== 'ready') return prepare(hash)
          found.set(hash, table.bytes)
          held.set(hash, table.bytes)
          store.noteUse('layout', hash)
        })
      }
      return hashes.map(hash => found.get(hash))
    },
    prepare,
    stats: () => ({ bytes: held.calculatedSize, entries: held.size, made }),
    async close () {
      closing.abort()
      await making
    }
  }
}
