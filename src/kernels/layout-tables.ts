import { LRUCache } from 'lru-cache'
import type { SharedBtf } from '../store/btf-memory.js'
import type { ContentStore } from '../store/content-store.js'
import type { Sha256 } from '../store/sha256.js'
import { createSingleFlight } from '../store/single-flight.js'
import type { WorkerPool } from '../workers/pool.js'
import type { CheckedBtf } from '../workers/protocol.js'

/**
 * Layout tables of kernels, by the hash of their BTF: in memory, on disk beside it, and made from it where they are missing, damaged or
 * of another version of the engine. They never come from a shared store, whose content only its hash vouches for.
 */
export interface LayoutTables {
  /**
   * The tables of kernels, in their order and in shared memory. Those on disk are read without the BTF. Undefined where there is
   * neither a table nor BTF of which one can be made here.
   */
  load(hashes: readonly Sha256[], signal?: AbortSignal): Promise<ReadonlyArray<Uint8Array | undefined>>
  /** The table of one kernel. */
  layoutTable(hash: Sha256): Promise<Uint8Array | undefined>
  /** Makes the table of a kernel that was taken in, in the background. What is lost of it is made when it is first asked for. */
  prepare(btf: SharedBtf): void
  /** Resolves when what is being prepared is done. */
  idle(): Promise<void>
  stats(): { readonly bytes: number, readonly entries: number, readonly made: number }
  /** Prepares no more, and waits for what is being written. */
  close(): Promise<void>
}

export interface LayoutTablesOptions {
  readonly store: Pick<ContentStore, 'pathOf' | 'write' | 'noteUse'>
  /** Where BTF can be had without keeping it in memory. */
  readonly glance: (hash: Sha256) => CheckedBtf
  readonly pool: Pick<WorkerPool, 'run'>
  readonly memoryBytes: number
  /** Told of shared memory that is let go of, in bytes. */
  readonly onRelease: (bytes: number) => void
}

/** Tables that one task reads. Each takes some 0.3 ms. */
const READ_AT_ONCE = 32
/** Kernels that wait for their tables to be made. More are made when they are asked for. */
const MAX_PREPARED = 256

export function createLayoutTables ({ store, glance, pool, memoryBytes, onRelease }: LayoutTablesOptions): LayoutTables {
  const held = new LRUCache<Sha256, Uint8Array>({
    maxSize: memoryBytes,
    sizeCalculation: ({ length }) => length,
    dispose: ({ length }) => { onRelease(length) }
  })
  const makes = createSingleFlight<Uint8Array | undefined>()
  const writes = new Set<Promise<unknown>>()
  const waiting: SharedBtf[] = []
  let preparing: Promise<void> | undefined
  let isClosed = false
  let made = 0

  const pathOf = (hash: Sha256): string => store.pathOf('layout', hash)
  const write = (hash: Sha256, bytes: Uint8Array): void => {
    const writing: Promise<unknown> = store.write('layout', hash, bytes).finally(() => { writes.delete(writing) })
    writes.add(writing)
  }
  /** Reads the table, or makes it of the BTF. BTF that cannot be read has none. */
  const make = async (hash: Sha256, btf: CheckedBtf): Promise<Uint8Array | undefined> => await makes.run(hash, async () => {
    const [found] = await pool.run({ kind: 'layout', sources: [{ sha256: hash, path: pathOf(hash), btf }] })
    if (found?.state !== 'ready') return undefined
    if (found.isNew) {
      made++
      if (!isClosed) write(hash, found.bytes)
    }
    return found.bytes
  })
  const prepareAll = async (): Promise<void> => {
    for (let btf = waiting.shift(); btf !== undefined; btf = waiting.shift()) {
      await make(btf.sha256, btf).catch(() => undefined) // it is made when it is asked for
    }
    preparing = undefined
  }
  const load: LayoutTables['load'] = async (hashes, signal) => {
    const found = new Map<Sha256, Uint8Array>()
    const missing = hashes.filter(hash => {
      const bytes = held.get(hash)
      if (bytes !== undefined) found.set(hash, bytes)
      return bytes === undefined
    })
    for (let at = 0; at < missing.length; at += READ_AT_ONCE) {
      signal?.throwIfAborted()
      const part = missing.slice(at, at + READ_AT_ONCE)
      const read = await pool.run({ kind: 'layout', sources: part.map(sha256 => ({ sha256, path: pathOf(sha256) })) })
      for (const [i, hash] of part.entries()) {
        const table = read[i]
        signal?.throwIfAborted()
        const bytes = table?.state === 'ready' ? table.bytes : await make(hash, glance(hash)).catch(() => undefined)
        if (bytes === undefined) continue
        found.set(hash, bytes)
        held.set(hash, bytes)
        store.noteUse('layout', hash)
      }
    }
    return hashes.map(hash => found.get(hash))
  }

  return {
    load,
    layoutTable: async hash => (await load([hash]))[0],
    prepare (btf) {
      if (isClosed || waiting.length === MAX_PREPARED) return
      waiting.push(btf)
      preparing ??= prepareAll()
    },
    async idle () {
      await preparing
      await Promise.all(writes)
    },
    stats: () => ({ bytes: held.calculatedSize, entries: held.size, made }),
    async close () {
      isClosed = true
      waiting.length = 0
      await preparing
      await Promise.all(writes)
    }
  }
}
