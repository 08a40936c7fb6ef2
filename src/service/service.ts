import { AppError } from '../errors.js'
import { createBtfMemory } from '../kernels/btf-memory.js'
import { openContentStore } from '../kernels/content-store.js'
import { openKernelIndex } from '../kernels/kernel-index.js'
import { isSha256, type Sha256 } from '../kernels/sha256.js'
import { createWorkerPool } from '../workers/pool.js'
import { createAttestations } from './attestations.js'
import { createBtfAccess } from './btf-access.js'
import { createKernels } from './kernels.js'
import { createLocalKernel, type LocalKernel } from './local-kernel.js'
import { createObjects } from './objects.js'
import { createRelocations } from './relocations.js'
import type { ServiceHooks, ServiceSettings, Warn } from './settings.js'
import { openSigner } from './signing.js'
import { createTargets } from './targets.js'
import type { Service, ServiceStats } from './types.js'

export type { ServiceHooks, ServiceSettings } from './settings.js'

/** Of the memory budget. Most of it is kernels' BTF; objects and results are small, and can be had again. */
const SHARES = { btf: 3 / 4, objects: 1 / 8, results: 1 / 8 } as const

/** Large memory that was let go of, in bytes, after which threads are asked to collect it. Bounds what is resident beyond the budget. */
const COLLECT_AFTER = 64 * 1024 * 1024
/** The same once nothing has been let go of for COLLECT_IDLE_MS. Below it a collection is not worth its time. */
const COLLECT_IDLE_AFTER = 4 * 1024 * 1024
const COLLECT_IDLE_MS = 1000

const QUEUE_PER_WORKER = 32

/** Starts a service: threads, store, running kernel. It takes requests at once; ready() tells when they need not wait for the start. */
export function createService (settings: ServiceSettings, hooks: ServiceHooks = {}): Service {
  const warn = withoutFloods(hooks.onWarning ?? (() => {}))
  const pool = createWorkerPool({
    workers: settings.workers, queue: settings.queueLimit ?? settings.workers * QUEUE_PER_WORKER, deadlineMs: settings.deadlineMs, onWarning: warn
  })
  const share = (part: number): number => Math.max(1, Math.floor(settings.memoryBytes * part))
  const onRelease = countReleases(() => { pool.collectGarbage() })
  const memory = createBtfMemory({ maxBytes: share(SHARES.btf), onRelease })
  const store = openContentStore({ directory: settings.cacheDir, onWarning: warn })

  const open = async () => {
    const attestations = createAttestations(await openSigner(settings, warn))
    const index = await openKernelIndex({ directory: settings.cacheDir, onWarning: warn })
    const btfs = createBtfAccess({ memory, store, pool, maxBtfBytes: settings.maxBtfBytes, onRelease, otherPaths: hash => local.pathsOf(hash) })
    const local: LocalKernel = createLocalKernel({ settings, index, btfs, warn })
    const objects = createObjects({ store, pool, maxBytes: settings.maxObjectBytes, memoryBytes: share(SHARES.objects), onRelease })
    const targets = createTargets({ index, btfs, local, trustUploads: settings.trustUploads })
    const relocations = createRelocations({ targets, objects, btfs, index, pool, attestations, memoryBytes: share(SHARES.results), onRelease })
    const kernels = createKernels({ index, btfs, local })
    await Promise.all([pool.ready(), local.start()])
    return { index, btfs, local, objects, relocations, kernels, attestations }
  }

  let parts: Awaited<ReturnType<typeof open>> | undefined
  const opening = open().then(opened => { parts = opened; return opened })
  opening.catch(() => {}) // whoever asks gets it
  let closing: Promise<void> | undefined

  return {
    relocate: async request => await (parts ?? await opening).relocations.relocate(request),
    inspect: async object => await (parts ?? await opening).objects.inspect(object),
    putObject: async (bytes, expected) => await (parts ?? await opening).objects.put(bytes, expected),
    hasObject: async hash => await (parts ?? await opening).objects.has(requireHash(hash)),
    listKernels: async filter => (parts ?? await opening).kernels.list(filter),
    getKernel: async reference => (parts ?? await opening).kernels.get(reference),
    getKernelBtf: async (reference, module) => await (parts ?? await opening).kernels.getBtf(reference, module),
    putKernelBtf: async (reference, bytes, provenance, module) => await (parts ?? await opening).kernels.putBtf(reference, bytes, provenance, module),
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
    stats: () => toStats(),
    ready: async () => { await opening },
    async close () {
      closing ??= (async () => {
        const opened = await opening.catch(() => undefined)
        await opened?.local.close()
        await pool.close()
        await opened?.index.close()
        await store.close()
      })()
      await closing
    }
  }

  function toStats (): ServiceStats {
    const btf = memory.stats()
    const objects = parts?.objects.stats() ?? { bytes: 0, entries: 0 }
    const results = parts?.relocations.stats() ?? { bytes: 0, entries: 0, hits: 0, misses: 0, runs: 0 }
    const disk = store.stats()
    const threads = pool.stats()
    return {
      queued: threads.queued,
      running: threads.running,
      memoryBytes: btf.bytes + objects.bytes + results.bytes,
      memoryEntries: btf.entries + objects.entries + results.entries,
      diskBytes: disk.diskBytes,
      workerRestarts: threads.restarts,
      cache: {
        result_hits: results.hits,
        result_misses: results.misses,
        relocations: results.runs,
        btf_hits: btf.hits,
        btf_misses: btf.misses,
        btf_evictions: btf.evictions,
        files_written: disk.written,
        write_failures: disk.writeFailures,
        writes_dropped: disk.writesDropped,
        damaged_files: disk.damaged,
        orphans_removed: disk.orphansRemoved,
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

/** Calls `collect` when much large memory was let go of, or some of it and then no more for a while. */
function countReleases (collect: () => void): (bytes: number) => void {
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
    if (released >= COLLECT_AFTER) setImmediate(run)
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
