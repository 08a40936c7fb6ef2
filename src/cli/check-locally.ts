import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { createChecks } from '../check/checks.js'
import { CHECK_LIMITS } from '../check/limits.js'
import { createContentKeys, createLayoutKeys } from '../check/outcome-keys.js'
import { createLayoutTables } from '../kernels/layout-tables.js'
import { createOutcomes } from '../check/outcomes.js'
import { AppError } from '../errors.js'
import { findRunningKernel } from '../identity/running-kernel.js'
import { createIndexRows, type IndexRows } from '../kernels/index-rows.js'
import { openKernelIndex } from '../kernels/kernel-index.js'
import { LOCAL_SOURCE } from '../kernels/kernel-record.js'
import { openContentStore } from '../store/content-store.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import { toShared } from '../store/shared-bytes.js'
import { createWorkerPool } from '../workers/pool.js'
import type { CheckSource } from './check-source.js'
import { readInput } from './files.js'
import { placesFrom } from './target.js'
import type { Places } from './target-request.js'

/** Longest time of one object on one kernel. The largest real one takes a fraction of a second. */
const DEADLINE_MS = 60_000
const OUTCOME_BYTES = 256 * 1024 * 1024

/** Checks in this process, against the kernels of the cache and the running one. Nothing is fetched, and nothing is written. */
export async function checkLocally (
  objects: ReadonlyArray<{ readonly path: string, readonly bytes: Uint8Array }>,
  patterns: readonly string[]
): Promise<CheckSource> {
  const places = placesFrom(process.env)
  const { rows, paths } = await readKernels(places)
  const threads = availableParallelism()
  const pool = createWorkerPool({ workers: threads, queue: Infinity, deadlineMs: DEADLINE_MS, isBackground: true })
  const store = hasCache(places) ? openContentStore({ directory: places.cacheDir }) : undefined
  const leaving = new AbortController()
  const close = async (): Promise<void> => {
    leaving.abort(new AppError('draining', 'The check has ended.'))
    await Promise.all([pool.close(), store?.close()])
  }
  const filesOf = (hash: Sha256): readonly string[] =>
    [...store === undefined ? [] : [store.pathOf('btf', hash)], ...paths.get(hash) ?? []]
  const checks = createChecks({
    index: rows,
    trustUploads: places.trustUploads,
    offered: () => undefined,
    hasSources: false,
    keys: store === undefined
      ? createContentKeys()
      : createLayoutKeys({ tables: createLayoutTables({ store, pool, threads }), maxBytes: VECTOR_BYTES }),
    outcomes: createOutcomes(OUTCOME_BYTES),
    concurrency: threads,
    limits: { ...CHECK_LIMITS, objects: Infinity, objectBytes: Infinity, timeMs: MAX_TIMER_MS },
    get: async hash => await Promise.reject(new AppError('object_unknown', `${hash} is the hash of an object, not a file.`)),
    async take (bytes) {
      const shared = toShared(bytes)
      await pool.run({ kind: 'inspect', object: shared, wantsInspection: false })
      return shared
    },
    relocate: async ({ btf, modules }, runs) => await pool.run({
      kind: 'check',
      btf: { paths: filesOf(btf), sha256: btf },
      modules: modules.map(hash => ({ paths: filesOf(hash), sha256: hash })),
      runs
    })
  })
  try {
    const check = await checks.begin({
      objects: objects.map(({ path, bytes }) => ({ name: path === '-' ? 'standard input' : basename(path), content: bytes })),
      kernels: patterns,
      fetch: false
    }, leaving.signal)
    return { objects: check.objects, rows: check.rows, cells: check.cells, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Of what tells kernels apart: a hundred objects on ten thousand kernels. */
const VECTOR_BYTES = 64 * 1024 * 1024

/** As long as a timer can wait: 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1

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
