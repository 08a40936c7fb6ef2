import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { findRunningKernel } from '../identity/running-kernel.js'
import { createIndexRows, type IndexRows } from '../kernels/index-rows.js'
import { openKernelIndex } from '../kernels/kernel-index.js'
import { LOCAL_SOURCE } from '../kernels/kernel-record.js'
import { createLayoutTables, type LayoutTables } from '../kernels/layout-tables.js'
import { openContentStore } from '../store/content-store.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import { createWorkerPool, type WorkerPool } from '../workers/pool.js'
import type { FiledBtf } from '../workers/protocol.js'
import { readInput } from './files.js'
import { placesFrom } from './target.js'
import type { Places } from './target-request.js'

/** The kernels of the cache and the running one, for work over many of them. Nothing is fetched, and nothing is written. */
export interface LocalKernels {
  readonly index: IndexRows
  readonly trustUploads: boolean
  readonly threads: number
  readonly pool: WorkerPool
  /** The tables that a service has made: to make one takes longer than to read the kernel. Undefined where there is no cache. */
  readonly tables: LayoutTables | undefined
  /** The files that may hold BTF. */
  readonly glance: (hash: Sha256) => FiledBtf
  close(): Promise<void>
}

/** Longest time of one kernel. The largest real one takes a fraction of a second. */
const DEADLINE_MS = 60_000

export async function openLocalKernels (): Promise<LocalKernels> {
  const places = placesFrom(process.env)
  const { rows, paths } = await readKernels(places)
  const threads = availableParallelism()
  const pool = createWorkerPool({ workers: threads, queue: Infinity, deadlineMs: DEADLINE_MS, isBackground: true })
  const store = hasCache(places) ? openContentStore({ directory: places.cacheDir }) : undefined
  return {
    index: rows,
    trustUploads: places.trustUploads,
    threads,
    pool,
    tables: store === undefined ? undefined : createLayoutTables({ store, pool, threads }),
    glance: hash => ({ paths: [...store === undefined ? [] : [store.pathOf('btf', hash)], ...paths.get(hash) ?? []], sha256: hash }),
    async close () { await Promise.all([pool.close(), store?.close()]) }
  }
}

/** Opening would make the folder, which a command that only reads must not. */
function hasCache ({ cacheDir }: Places): boolean { return existsSync(join(cacheDir, 'index')) }

async function readKernels (places: Places): Promise<{ readonly rows: IndexRows, readonly paths: ReadonlyMap<Sha256, readonly string[]> }> {
  const rows = createIndexRows()
  if (hasCache(places)) {
    const index = await openKernelIndex({ directory: places.cacheDir })
    for (const record of index.list()) rows.set(record)
    await index.close()
  }
  const running = await findRunningKernel(places)
  if (running?.reference === undefined) return { rows, paths: new Map() }
  const bytes = readInput(running.btfPath, 'BTF file')
  const btfSha256 = sha256(bytes)
  const now = new Date().toISOString()
  rows.set({
    reference: running.reference,
    btfSha256,
    bytes: bytes.length,
    types: 0,
    source: LOCAL_SOURCE,
    provenance: { by: LOCAL_SOURCE, at: now, kernelVersion: running.kernelVersion },
    firstSeen: now,
    lastUsed: now,
    modules: []
  })
  return { rows, paths: new Map([[btfSha256, [running.btfPath]]]) }
}
