import type { Parts } from './parts.js'
import type { Threads } from './threads.js'
import type { ServiceStats } from './types.js'

/** What a service has done and holds now. Of a service that is still being opened, little is known. */
export function collectStats ({ pool }: Threads, parts: Parts | undefined): ServiceStats {
  const btf = parts?.storage.memory.stats() ?? { bytes: 0, entries: 0, hits: 0, misses: 0, evictions: 0 }
  const content = parts?.storage.store.stats() ?? NO_CONTENT
  const names = parts?.storage.index.stats() ?? { writeFailures: 0, unread: 0 }
  const bucket = parts?.storage.bucket
  const objects = parts?.objects.stats() ?? { bytes: 0, entries: 0 }
  const results = parts?.relocations.stats() ?? { bytes: 0, entries: 0, hits: 0, misses: 0, runs: 0, kept: 0 }
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
    degraded: { disk: parts?.storage.disk.trouble !== undefined, shared_store: bucket?.isAvailable === false },
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
      index_write_failures: names.writeFailures,
      damaged_files: content.damaged,
      unreadable_files: content.unreadable,
      index_unreadable: names.unread,
      orphans_removed: content.orphansRemoved,
      ...Object.fromEntries(Object.entries(bucket?.stats() ?? {}).map(([event, count]) => [`shared_${event}`, count])),
      overloaded: threads.refused,
      deadlines_exceeded: threads.deadlinesExceeded
    }
  }
}

const NO_CONTENT = {
  diskBytes: 0,
  written: 0,
  evicted: 0,
  keptEvicted: 0,
  writeFailures: 0,
  writesSkipped: 0,
  writesDropped: 0,
  damaged: 0,
  unreadable: 0,
  orphansRemoved: 0
}
