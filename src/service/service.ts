import { randomUUID } from 'node:crypto'
import { AppError } from '../errors.js'
import { createBtfMemory } from '../store/btf-memory.js'
import { openContentStore } from '../store/content-store.js'
import { createDiskState } from '../store/disk-state.js'
import { openKernelIndex, type KernelIndex } from '../kernels/kernel-index.js'
import { shareOfSources } from '../kernels/kernel-record.js'
import { createKeptValues } from '../store/kept-values.js'
import { isSha256, type Sha256 } from '../store/sha256.js'
import { createSharedRecords } from '../kernels/shared-records.js'
import { createSharedBucket } from '../store/shared/shared-bucket.js'
import { createSharedContent } from '../store/shared/shared-content.js'
import { createPauses } from '../workers/pauses.js'
import { createWorkerPool } from '../workers/pool.js'
import type { StartThreads } from '../workers/threads.js'
import { openChecks } from '../check/open-checks.js'
import { createFairShare } from '../workers/fair-share.js'
import { createAnswers } from '../relocation/answers.js'
import { createAttestations } from '../relocation/attestations.js'
import { createBtfAccess, rawBytes } from '../kernels/btf-access.js'
import { openCatalog } from '../kernels/catalog/open-catalog.js'
import { createFetchJobs } from '../kernels/fetch-jobs.js'
import { createFetching, type Fetching } from '../kernels/fetching.js'
import { createLayoutTables, type LayoutTables } from '../kernels/layout-tables.js'
import { searchKernelTypes, writeKernelTypes } from '../kernel-types/kernel-types.js'
import { diffKernelTypes } from '../kernel-types/type-diff.js'
import { createTypeHistories } from '../kernel-types/type-history.js'
import { createKernels } from '../kernels/kernels.js'
import { recordsOfName } from '../kernels/resolve.js'
import { createLocalKernel, type LocalKernel } from '../kernels/local-kernel.js'
import type { PublishedOf } from '../kernels/types.js'
import { createMinimising } from '../relocation/minimising.js'
import { createObjects } from '../relocation/objects.js'
import { createRelocations } from '../relocation/relocations.js'
import type { ServiceHooks, ServiceSettings, Warn } from '../settings/service-options.js'
import { createKeptResults } from '../relocation/kept-results.js'
import { ownEngineBuild } from '../relocation/engine-build.js'
import { openSigner } from '../relocation/signing.js'
import { openPackages } from '../packages/open-packages.js'
import { createSources } from '../kernels/sources/create-sources.js'
import { createTargets } from '../relocation/targets.js'
import { openWatch } from '../watch/open-watch.js'
import type { Watch } from '../watch/watch.js'
import type { Service, ServiceStats } from './types.js'

export type { ServiceHooks, ServiceSettings } from '../settings/service-options.js'

/** Of the memory budget. Most of it is kernels' BTF; objects and results are small, and can be had again. */
const SHARES = { btf: 11 / 16, objects: 1 / 8, results: 3 / 32, kept: 1 / 32, checks: 1 / 32, vectors: 1 / 32 } as const

/**
 * Large memory that was let go of after which threads are asked to collect it: a part of the memory budget, and at least so many
 * bytes. Bounds what is resident beyond the budget; a collection takes all threads up to 100 ms.
 */
const COLLECT_SHARE = 1 / 16
const MIN_COLLECT_AFTER = 64 * 1024 * 1024
/** The same once nothing has been let go of for COLLECT_IDLE_MS. Below it a collection is not worth its time. */
const COLLECT_IDLE_AFTER = 4 * 1024 * 1024
const COLLECT_IDLE_MS = 1000

const QUEUE_PER_WORKER = 32

/** A thread that gives way takes longer for the same work where others are busy. */
const LANE_DEADLINE_FACTOR = 6

/** The longest that fetching a kernel ahead may take: other downloads may come before. */
const FETCH_AHEAD_MS = 3 * 3_600_000

/** How soon a kernel that another process put into the cache counts here, where that makes a bare release ambiguous. */
const INDEX_WATCH_MS = 5000

/** What a service is given beside its settings. */
export interface ServiceParts extends ServiceHooks {
  /** Where the threads of its workers come from. Undefined: they are its own. */
  readonly startThreads?: StartThreads
}

/** Starts a service: threads, store, running kernel. It takes requests at once; ready() tells when they need not wait for the start. */
export function createService (settings: ServiceSettings, { onWarning, ...threads }: ServiceParts = {}): Service {
  const warn = withoutFloods(onWarning ?? (() => {}))
  const tasks = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const pool = createWorkerPool({
    workers: settings.workers,
    tasks,
    queue: settings.queueLimit ?? settings.workers * QUEUE_PER_WORKER,
    deadlineMs: settings.deadlineMs,
    onWarning: warn,
    ...threads
  })
  // Of the machine, checks have at most half the threads, and these give way to all others.
  const laneThreads = Math.max(1, Math.floor(settings.workers / 2))
  const lane = createWorkerPool({
    workers: laneThreads,
    queue: Infinity, // each check waits for its own tasks, and the checks are counted
    deadlineMs: LANE_DEADLINE_FACTOR * settings.deadlineMs,
    isBackground: true,
    tasks,
    onWarning: warn,
    ...threads
  })
  // A caller with several checks has no more of the threads than one with a single check. Each check waits for what it asked for.
  const turns = createFairShare({ running: laneThreads, allRunning: laneThreads, waiting: Infinity, allWaiting: Infinity })
  const share = (part: number): number => Math.max(1, Math.floor(settings.memoryBytes * part))
  const onRelease = countReleases(Math.max(MIN_COLLECT_AFTER, share(COLLECT_SHARE)), () => {
    pool.collectGarbage()
    lane.collectGarbage()
  })
  const memory = createBtfMemory({ maxBytes: share(SHARES.btf), onRelease })
  const disk = createDiskState({
    directory: settings.cacheDir,
    onWarning: warn,
    ...(settings.diskRetryMs === undefined ? {} : { retryMs: settings.diskRetryMs })
  })
  let names: KernelIndex | undefined
  const shareOf = (hash: Sha256) => names === undefined ? undefined : shareOfSources(names.sourcesOf(hash))
  const store = openContentStore({
    directory: settings.cacheDir,
    disk,
    shareOf,
    onUploadEvicted: hash => { names?.forgetUploads(hash) },
    onWithoutLayout (hash) {
      opening.then(({ index, tables }) => { if (index.byBtf(hash).length > 0) tables.prepare(hash) }, () => {}) // it did not start
    },
    onWarning: warn,
    ...(settings.cacheBytes === undefined ? {} : { maxBytes: settings.cacheBytes })
  })

  const bucket = settings.sharedStore === undefined
    ? undefined
    : createSharedBucket({ settings: settings.sharedStore, network: settings.network, onWarning: warn })
  const shared = bucket === undefined
    ? undefined
    : createSharedContent({ bucket, maxBytes: Math.max(settings.maxBtfBytes, settings.maxObjectBytes), onWarning: warn })
  const readBtf = async (hash: Sha256): Promise<Uint8Array | undefined> => {
    const held = memory.find(hash)
    if (held !== undefined) return rawBytes(held)
    const file = await pool.run({ kind: 'read', path: store.pathOf('btf', hash), expected: hash })
    return file.state === 'ready' ? file.bytes : undefined
  }
  const sharedRecords = bucket === undefined || shared === undefined
    ? undefined
    : createSharedRecords({
      bucket,
      place: hash => shared.offer('btf', hash, () => readBtf(hash)),
      trustUploads: settings.trustUploads,
      onWarning: warn
    })

  const open = async () => {
    const building = ownEngineBuild().catch((error: unknown) => {
      warn('The code of the engine cannot be read; results that were kept are made anew.', { error: String(error) })
      return randomUUID()
    })
    const signer = await openSigner(settings, warn)
    const attestations = createAttestations(signer)
    const { sealKeys } = signer
    const index = await openKernelIndex({
      directory: settings.cacheDir,
      disk,
      watchMs: INDEX_WATCH_MS,
      onWarning: warn,
      keepsSnapshot: true,
      ...(sharedRecords === undefined ? {} : { elsewhere: { ...sharedRecords, ...settings.sharedAges } })
    })
    names = index
    const btfs = createBtfAccess({
      memory,
      store,
      shared,
      pool,
      warn,
      shareOf,
      maxBtfBytes: settings.maxBtfBytes,
      onRelease,
      sealKeys,
      otherPaths: hash => local.pathsOf(hash),
      recover: (hash, base) => fetching.recover(hash, base),
      onLost: hash => fetching.forgetLost(hash),
      onKept (btf) { if (btf.key === btf.sha256) tables.prepare(btf.sha256) } // tables are of kernels, not of modules
    })
    const tables: LayoutTables = createLayoutTables({
      store,
      glance: hash => btfs.glance(hash),
      pool: lane,
      inTurn: turns.run,
      threads: laneThreads,
      isBusy: () => [pool, lane].some(threads => threads.stats().running + threads.stats().queued > 0)
    })
    const self = randomUUID()
    const jobs = createFetchJobs()
    const packages = openPackages(settings, { open: btfs.open, jobs, warn })
    const catalog = openCatalog(settings, warn, packages === undefined ? [] : [packages.feed])
    const { sources, client } = createSources(settings, {
      open: btfs.open,
      self,
      catalog,
      ...(packages === undefined ? {} : { packages: packages.source })
    })
    const fetching: Fetching = createFetching({
      sources,
      index,
      btfs,
      self,
      trustUploads: settings.trustUploads,
      settings: settings.sources ?? {},
      warn,
      jobs,
      onKept: reference => { watch?.noteHeld(reference) }
    })
    const local: LocalKernel = createLocalKernel({ settings, index, btfs, warn })
    const objects = createObjects({ store, shared, pool, maxBytes: settings.maxObjectBytes, memoryBytes: share(SHARES.objects), onRelease })
    const targets = createTargets({ index, btfs, local, fetching, catalog, trustUploads: settings.trustUploads })
    const layoutPath = (btf: Sha256): string => store.pathOf('layout', btf)
    const values = createKeptValues({ store, sealKeys, engine: await building, memoryBytes: share(SHARES.kept) })
    const relocations = createRelocations({
      targets,
      objects,
      btfs,
      index,
      pool,
      answers: createAnswers(attestations),
      kept: createKeptResults({ values, pool, layoutPath }),
      layoutPath,
      memoryBytes: share(SHARES.results),
      onRelease
    })
    const checks = openChecks({
      index,
      btfs,
      tables,
      values,
      objects,
      fetching,
      catalog,
      trustUploads: settings.trustUploads,
      hasSources: sources.length > 0,
      lane,
      threads: laneThreads,
      inTurn: turns.run,
      pause: createPauses({ tasks }),
      memoryBytes: { outcomes: share(SHARES.checks), vectors: share(SHARES.vectors) },
      limits: settings.checks
    })
    const histories = createTypeHistories({
      index,
      trustUploads: settings.trustUploads,
      tables,
      pool: lane,
      glance: hash => btfs.glance(hash),
      loadPast: hash => btfs.loadPast(hash),
      concurrency: laneThreads,
      limits: settings.histories
    })
    const minimising = createMinimising({ targets, objects, btfs, pool, onRelease })
    const publishedOf: PublishedOf = reference => packages?.source.published(reference)
    const kernels = createKernels({ index, btfs, local, fetching, catalog, trustUploads: settings.trustUploads, publishedOf })
    const watch: Watch | undefined = await openWatch(settings, {
      catalog,
      bucket,
      warn,
      publishedOf,
      fetch: async reference => await kernels.get(reference, { isAhead: true, waitMs: FETCH_AHEAD_MS }),
      findHeld (reference) {
        const [first, ...others] = recordsOfName(index, reference, settings.trustUploads)
        return others.every(({ btfSha256 }) => btfSha256 === first?.btfSha256) ? first : undefined
      }
    })
    if (watch !== undefined) catalog.onLook(() => { watch.look().catch(() => {}) }) // it warns by itself
    disk.onRecovered(() => { btfs.saveHeld().catch(() => {}) }) // it warns by itself
    await Promise.all([pool.ready(), local.start(), catalog.start()])
    return {
      index,
      btfs,
      local,
      fetching,
      catalog,
      client,
      packages,
      jobs,
      objects,
      relocations,
      checks,
      values,
      targets,
      histories,
      minimising,
      tables,
      kernels,
      attestations,
      watch
    }
  }

  let parts: Awaited<ReturnType<typeof open>> | undefined
  const opening = open().then(opened => { parts = opened; return opened })
  opening.catch(() => {}) // whoever asks gets it
  let closing: Promise<void> | undefined

  return {
    relocate: (request, deadline) => parts === undefined
      ? opening.then(({ relocations }) => relocations.relocate(request, deadline))
      : parts.relocations.relocate(request, deadline),
    findHeld: question => parts?.relocations.findHeld(question),
    check: async (request, signal) => await (parts ?? await opening).checks.begin(request, signal),
    minimiseBtf: async (request, deadline) => await (parts ?? await opening).minimising.minimise(request, deadline),
    inspect: async object => await (parts ?? await opening).objects.inspect(object),
    putObject: async (bytes, expected) => await (parts ?? await opening).objects.put(bytes, expected),
    hasObject: async hash => await (parts ?? await opening).objects.has(requireHash(hash)),
    writeObjectTypes: async (object, wanted) => await (parts ?? await opening).objects.writeTypes(requireHash(object), wanted),
    listKernels: async filter => await (parts ?? await opening).kernels.list(filter),
    getKernel: async (reference, question) => await (parts ?? await opening).kernels.get(reference, question),
    getKernelBtf: async (reference, module, question) => await (parts ?? await opening).kernels.getBtf(reference, module, question),
    writeTypes: async (reference, wanted, question) =>
      await writeKernelTypes({ kernels: (parts ?? await opening).kernels, pool }, reference, wanted, question),
    searchTypes: async (reference, search, question) =>
      await searchKernelTypes({ kernels: (parts ?? await opening).kernels, pool }, reference, search, question),
    async diffTypes (request, deadline) {
      const { targets, btfs } = parts ?? await opening
      return await diffKernelTypes({ targets, btfs, pool }, request, deadline)
    },
    typeHistory: async (request, signal) => await (parts ?? await opening).histories.find(request, signal),
    putKernelBtf: async (reference, bytes, provenance, module, facts) =>
      await (parts ?? await opening).kernels.putBtf(reference, bytes, provenance, module, facts),
    async getBtf (hash) {
      const { btfs } = parts ?? await opening
      const bytes = await btfs.read(requireHash(hash))
      if (bytes === undefined) throw new AppError('btf_unknown', `The service does not hold BTF ${hash}.`, { btf_sha256: hash })
      return bytes
    },
    async hasBtf (hash) {
      const { btfs } = parts ?? await opening
      const bytes = await btfs.sizeOf(requireHash(hash))
      return bytes === undefined ? undefined : { bytes }
    },
    publicKeys: async () => (parts ?? await opening).attestations.jwks,
    async refreshCatalog () { await (parts ?? await opening).catalog.refresh() },
    stats: () => toStats(),
    ready: async () => { await opening },
    async close () {
      closing ??= (async () => {
        const opened = await opening.catch(() => undefined)
        const watched = opened?.watch?.close()
        opened?.fetching.close()
        await opened?.catalog.close()
        await watched
        await opened?.packages?.close()
        await opened?.client.close()
        await opened?.local.close()
        await bucket?.close(() => sharedRecords !== undefined && sharedRecords.waiting > 0)
        sharedRecords?.close()
        await opened?.tables.close()
        await Promise.all([pool.close(), lane.close()])
        await opened?.index.close()
        await store.close()
        disk.close()
      })()
      await closing
    }
  }

  function toStats (): ServiceStats {
    const btf = memory.stats()
    const objects = parts?.objects.stats() ?? { bytes: 0, entries: 0 }
    const results = parts?.relocations.stats() ?? { bytes: 0, entries: 0, hits: 0, misses: 0, runs: 0, kept: 0 }
    const content = store.stats()
    const threads = pool.stats()
    const indexes = parts?.btfs.stats() ?? { indexesRead: 0, indexesMade: 0 }
    const tables = parts?.tables.stats() ?? { made: 0 }
    const values = parts?.values.stats() ?? { bytes: 0, entries: 0 }
    const checks = parts?.checks.stats() ?? { running: 0, rows: 0, relocations: 0, bytes: 0, entries: 0 }
    const fetching = parts?.fetching.stats() ?? { requests: [], waiters: 0 }
    return {
      queued: threads.queued,
      running: threads.running,
      memoryBytes: btf.bytes + objects.bytes + results.bytes + values.bytes + checks.bytes,
      memoryEntries: btf.entries + objects.entries + results.entries + values.entries + checks.entries,
      diskBytes: content.diskBytes,
      degraded: { disk: disk.trouble !== undefined, shared_store: bucket?.isAvailable === false },
      workerRestarts: threads.restarts,
      checks: { running: checks.running, rows: checks.rows, relocations: checks.relocations },
      sourceRequests: fetching.requests,
      sourceWaiters: fetching.waiters,
      packages: parts?.packages?.source.stats(),
      fetchJobs: parts?.jobs.list().length ?? 0,
      watch: parts?.watch?.stats(),
      cache: {
        result_hits: results.hits,
        result_misses: results.misses,
        relocations: results.runs,
        kept_results: results.kept,
        btf_hits: btf.hits,
        btf_misses: btf.misses,
        btf_evictions: btf.evictions,
        layouts_made: tables.made,
        btf_indexes_read: indexes.indexesRead,
        btf_indexes_made: indexes.indexesMade,
        files_written: content.written,
        files_evicted: content.evicted,
        kept_files_evicted: content.keptEvicted,
        write_failures: content.writeFailures,
        writes_skipped: content.writesSkipped,
        writes_dropped: content.writesDropped,
        index_write_failures: names?.stats().writeFailures ?? 0,
        damaged_files: content.damaged,
        unreadable_files: content.unreadable,
        index_unreadable: names?.stats().unread ?? 0,
        orphans_removed: content.orphansRemoved,
        ...Object.fromEntries(Object.entries(bucket?.stats() ?? {}).map(([event, count]) => [`shared_${event}`, count])),
        overloaded: threads.refused,
        deadlines_exceeded: threads.deadlinesExceeded
      }
    }
  }
}

function requireHash (hash: Sha256): Sha256 {
  if (!isSha256(hash)) throw new AppError('invalid_request', 'Content is named by sha256: and 64 lower-case hex digits.', { field: 'hash' })
  return hash
}

/** Calls `collect` when `limit` bytes of large memory were let go of, or some of it and then no more for a while. */
function countReleases (limit: number, collect: () => void): (bytes: number) => void {
  let released = 0
  let timer: NodeJS.Timeout | undefined
  const run = (): void => {
    clearTimeout(timer)
    timer = undefined
    released = 0
    collect()
  }
  return bytes => {
    released += bytes
    if (released >= limit) setImmediate(run)
    else if (timer !== undefined) timer.refresh()
    else if (released >= COLLECT_IDLE_AFTER) timer = setTimeout(run, COLLECT_IDLE_MS).unref()
  }
}

/** How often a warning of the same words is passed on. A full disk would otherwise fill the log too. */
const WARNING_PAUSE_MS = 10_000

function withoutFloods (warn: Warn): Warn {
  const last = new Map<string, { at: number, suppressed: number }>()
  return (message, facts) => {
    const known = last.get(message)
    const now = performance.now()
    if (known !== undefined && now - known.at < WARNING_PAUSE_MS) {
      known.suppressed++
      return
    }
    last.set(message, { at: now, suppressed: 0 })
    warn(message, known === undefined || known.suppressed === 0 ? facts : { ...facts, suppressed: known.suppressed })
  }
}
