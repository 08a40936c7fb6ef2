import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../errors.js'
import { findRunningKernel } from '../identity/running-kernel.js'
import { createIndexRows, type IndexRows } from '../kernels/index-rows.js'
import { openKernelIndex } from '../kernels/kernel-index.js'
import { LOCAL_SOURCE } from '../kernels/kernel-record.js'
import { createLayoutTables, type LayoutTables, type LayoutTablesOptions } from '../kernels/layout-tables.js'
import { contentPath } from '../store/content-path.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import { compileLater } from '../workers/compile-later.js'
import { createWorkerPool, type WorkerPool } from '../workers/pool.js'
import type { FiledBtf } from '../workers/protocol.js'
import { runHere } from '../workers/run-here.js'
import { readInput } from './files.js'
import { readSealKeys } from './seal-keys.js'
import type { Places } from './target-request.js'

/** The kernels of the cache and the running one, for work over many of them. Nothing is fetched, and nothing is written. */
export interface LocalKernels {
  readonly index: IndexRows
  readonly trustUploads: boolean
  readonly threads: number
  readonly pool: WorkerPool
  /** Those that a service or an import has made: to make one takes longer than to read the kernel. Undefined where there is no cache. */
  readonly tables: LayoutTables | undefined
  /** The files that may hold BTF. */
  readonly glance: (hash: Sha256) => FiledBtf
  close(): Promise<void>
}

/** Longest time of one kernel. The largest real one takes a fraction of a second. */
const DEADLINE_MS = 60_000

/** @param objects how many are looked at on each kernel */
export async function openLocalKernels (places: Places, { objects = 1 }: { readonly objects?: number } = {}): Promise<LocalKernels> {
  compileLater()
  const { rows, paths } = await readKernels(places)
  const cache = hasCache(places) ? places.cacheDir : undefined
  const sealKeys = cache === undefined ? [] : await readSealKeys(cache)
  const rowsOfThread = sealKeys.length === 0 ? ROWS_OF_THREAD.whole : ROWS_OF_THREAD.indexed
  const threads = Math.max(1, Math.min(availableParallelism(), Math.ceil(objects * rows.list().length / rowsOfThread)))
  const pool = createWorkerPool({
    workers: threads,
    queue: Infinity,
    deadlineMs: DEADLINE_MS,
    isBackground: true,
    // Indexes of kernels that count were made by the service, when it took them in.
    ...(threads === 1 && sealKeys.length > 0 ? { startThreads: runHere } : {})
  })
  return {
    index: rows,
    trustUploads: places.trustUploads,
    threads,
    pool,
    tables: cache === undefined ? undefined : createLayoutTables({ store: readOnly(cache), pool, threads }),
    glance: hash => ({
      paths: [...cache === undefined ? [] : [contentPath(cache, 'btf', hash)], ...paths.get(hash) ?? []],
      sha256: hash,
      ...(cache === undefined ? {} : { index: { path: contentPath(cache, 'index', hash), sealKeys, isToBeMade: false } })
    }),
    async close () { await pool.close() }
  }
}

/**
 * Objects times kernels that are worth another thread: it takes a tenth of a second until a thread has started and its code is compiled,
 * in which one that is there reads a few kernels whole. Most rows of kernels that have layout tables share an outcome with another one,
 * so that thousands are answered meanwhile.
 */
const ROWS_OF_THREAD = { indexed: 5000, whole: 25 }

/** A store would look through the folder, and remove what is of no use there. */
function readOnly (directory: string): LayoutTablesOptions['store'] {
  return {
    pathOf: (kind, hash) => contentPath(directory, kind, hash),
    write: async () => await Promise.reject(new AppError('internal_error', 'A command that only reads has made a layout table.')),
    noteUse () {}
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
