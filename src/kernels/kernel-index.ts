import { join, relative } from 'node:path'
import { LRUCache } from 'lru-cache'
import { formatQuery, isWholeReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import type { DiskState } from '../store/disk-state.js'
import { storageUnreadable } from '../store/read-failure.js'
import type { Sha256 } from '../store/sha256.js'
import { createSingleFlight } from '../store/single-flight.js'
import { createAsking, type Elsewhere } from './index-elsewhere.js'
import { openIndexFolder, type IndexFolder, type UnreadPlace } from './index-folder.js'
import { createIndexRows, type IndexRows } from './index-rows.js'
import { writeSnapshot } from './index-snapshot.js'
import { createIndexWriter } from './index-writer.js'
import { recordKey, recordPath, singleRecordPath, UPLOAD_SOURCE, type KernelRecord, type RecordName } from './kernel-record.js'
import { matchesName } from './matches.js'
import { mergeRecords } from './merge-records.js'

export interface KernelIndexOptions {
  readonly directory: string
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
  /** How old the `lastUsed` on disk may become before a use is written down. */
  readonly lastUsedGraceMs?: number
  /** Told of writes that failed; when it takes writes again, what it did not take is written. */
  readonly disk?: DiskState
  readonly elsewhere?: Elsewhere
  /** How often to look for what other processes wrote, in milliseconds. Undefined: only when asked to `learn`. */
  readonly watchMs?: number
  /** Whether to keep a copy of all rows in one file, by which a later start is faster. For a process that stays. */
  readonly keepsSnapshot?: boolean
}

/**
 * The mutable half of the store: which contents a kernel's name was said to stand for, a row for each. All of it is in memory;
 * each row is one small file, replaced as a whole. A file that cannot be written is a warning, since the memory still answers, and
 * is written later.
 *
 * Other processes may write to the same folder. What they wrote is merged with what is known here; what they removed stays known,
 * since the folder may also have been deleted by mistake.
 */
export interface KernelIndex {
  /** The row of a reference that has this content. */
  get(reference: KernelReference, btfSha256: Sha256): KernelRecord | undefined
  /** The rows of exactly this reference. These in the order of their references. */
  named(reference: KernelReference): readonly KernelRecord[]
  byRelease(release: string): readonly KernelRecord[]
  byBtf(hash: Sha256): readonly KernelRecord[]
  byModuleBtf(hash: Sha256): readonly KernelRecord[]
  byBuildId(buildId: string): readonly KernelRecord[]
  /** Who supplied this content, as BTF of a kernel or of a module. Each source once. */
  sourcesOf(hash: Sha256): readonly string[]
  list(): readonly KernelRecord[]
  /** Changes when other rows are found by anything than before. Not with their use. */
  revision(): number
  /** Adds a row, or merges it with the one of its reference and content. Resolves when it is on disk, or could not be put there. */
  add(record: KernelRecord): Promise<void>
  /** Replaces the row of its reference and content. */
  put(record: KernelRecord): Promise<void>
  /** Whether all that the tiers behind know of a query is known here, so that it may be answered. See `learn`. */
  isCurrent(query: KernelQuery): boolean
  /**
   * Looks for what a query may mean and another process wrote: on disk, then in the tier behind. True where something was
   * learned. Cheap enough for every query that found nothing.
   *
   * @throws AppError `storage_unreadable`, `kernel_ambiguous` where it cannot be told what the query means
   */
  learn(query: KernelQuery): Promise<boolean>
  /**
   * The same of the rows of exactly this reference, for who is going to add one: it costs no more where there are thousands of others.
   *
   * @throws AppError as `learn` does
   */
  learnRows(reference: KernelReference): Promise<boolean>
  /** Forgets a row whose content is gone. */
  remove(record: RecordName): Promise<void>
  /** Forgets uploads of content that had to make room for others. */
  forgetUploads(hash: Sha256): void
  /** Notes a use of the kernel. Cheap: written to disk once in a while only. */
  touch(record: RecordName): void
  stats(): { readonly writeFailures: number, readonly unread: number }
  /** Waits for what is being written. */
  close(): Promise<void>
}

/** What resolving a name looks for. */
export type KernelNames = Pick<KernelIndex, 'byRelease' | 'byBuildId' | 'named' | 'list'>

const DEFAULT_LAST_USED_GRACE_MS = 3_600_000
const LOST_MS = 60_000
/** A flood of queries for kernels that do not exist must not become a flood of directory listings. */
const MIN_SCAN_INTERVAL_MS = 250
/** Below this many rows, files are as fast as a snapshot. */
const SNAPSHOT_ROWS = 500

/** Loads the index. Files that are damaged, half written or foreign are passed over with a warning. */
export async function openKernelIndex (options: KernelIndexOptions): Promise<KernelIndex> {
  const directory = join(options.directory, 'index')
  const { elsewhere, disk, onWarning: warn = () => {}, lastUsedGraceMs: graceMs = DEFAULT_LAST_USED_GRACE_MS } = options
  const rows = createIndexRows()
  const folder = openIndexFolder(directory, warn)
  const writer = createIndexWriter({ directory, rows, isSingle: folder.isSingle, warn, disk })
  const usesWrittenAt = new Map<string, number>()
  /** What was removed because its content is gone: not to be learned again at once from a tier that still has its name. */
  const lost = new LRUCache<string, true>({ max: 1000, ttl: LOST_MS })

  const hold = (record: KernelRecord): void => {
    rows.set(record)
    usesWrittenAt.set(recordKey(record), Date.parse(record.lastUsed))
  }
  const forget = (key: string): void => {
    rows.delete(key)
    usesWrittenAt.delete(key)
  }
  const put = (record: KernelRecord): Promise<void> => {
    lost.delete(recordKey(record))
    hold(record)
    elsewhere?.offer(record)
    return writer.save(record)
  }

  /** Takes over what a file says, in addition to what is known. True where that is news. */
  const take = (found: KernelRecord): boolean => {
    const key = recordKey(found)
    const known = rows.get(key)
    if (known === undefined) {
      if (writer.isWriting(key)) return false
      hold(found)
      return true
    }
    const merged = mergeRecords(known, found)
    const isNews = !isSameButForUse(merged, known)
    if (isNews) hold(merged)
    else if (found.lastUsed > known.lastUsed) {
      rows.renew({ ...known, lastUsed: found.lastUsed })
      usesWrittenAt.set(key, Date.parse(found.lastUsed))
    }
    // Two processes that changed a row at one moment have each written their own.
    if (!isSameButForUse(merged, found)) writer.saveBehind(merged)
    return isNews
  }
  const takeAll = (found: readonly KernelRecord[]): boolean => {
    let isNews = false
    for (const record of found) isNews = take(record) || isNews
    return isNews
  }
  const asking = createAsking(elsewhere, found => {
    const key = recordKey(found)
    if (lost.has(key)) return false
    const known = rows.get(key)
    const merged = known === undefined ? found : mergeRecords(known, found)
    if (!isSameButForUse(merged, found)) elsewhere?.offer(merged)
    if (known !== undefined && isSameButForUse(merged, known)) return false
    hold(merged)
    writer.saveBehind(merged)
    return true
  })

  const scanning = createScanning(async () => takeAll(await folder.readChanged()))
  const learnHere = async (query: KernelQuery): Promise<boolean> =>
    (isWholeReference(query) && takeAll(await folder.readReference(query))) || await scanning.lately()
  const unreadOf = (query: KernelQuery): UnreadPlace | undefined => folder.unread().find(({ parts }) => maySpeakOf(parts, query))
  const learnFrom = async (query: KernelQuery, here: Promise<boolean>): Promise<boolean> => {
    const isNews = (await Promise.all([here, asking.learn(query)])).includes(true)
    const unread = unreadOf(query)
    if (unread !== undefined) {
      const kernel = formatQuery(query)
      throw storageUnreadable(`The part of the index that may know kernel ${kernel}`, unread.code, { kernel })
    }
    return isNews
  }

  await scanning.now()
  const watch = options.watchMs === undefined ? undefined : setInterval(() => { scanning.now().catch(() => {}) }, options.watchMs).unref()

  return {
    get: (reference, btfSha256) => rows.get(recordKey({ reference, btfSha256 })),
    named: rows.named,
    byRelease: rows.byRelease,
    byBtf: rows.byBtf,
    byModuleBtf: rows.byModuleBtf,
    byBuildId: rows.byBuildId,
    sourcesOf: hash => sourcesIn(rows, hash),
    list: rows.list,
    revision: rows.revision,
    put,
    add (record) {
      const known = rows.get(recordKey(record))
      return put(known === undefined ? record : mergeRecords(known, record))
    },
    isCurrent: query => unreadOf(query) === undefined && asking.isCurrent(query),
    learn: query => learnFrom(query, learnHere(query)),
    learnRows: reference => learnFrom(reference, folder.readReference(reference).then(takeAll)),
    remove (record) {
      const key = recordKey(record)
      if (rows.has(key)) lost.set(key, true)
      forget(key)
      return writer.save(record)
    },
    forgetUploads (hash) {
      for (const record of rows.byBtf(hash)) {
        if (record.source !== UPLOAD_SOURCE) continue
        forget(recordKey(record))
        writer.saveBehind(record)
      }
      for (const record of rows.byModuleBtf(hash)) {
        const modules = record.modules.filter(({ btfSha256, source }) => btfSha256 !== hash || source !== UPLOAD_SOURCE)
        if (modules.length === record.modules.length) continue
        hold({ ...record, modules })
        writer.saveBehind(record)
      }
    },
    touch (of) {
      const key = recordKey(of)
      const record = rows.get(key)
      const now = Date.now()
      if (record === undefined || now - Date.parse(record.lastUsed) < 1000) return
      rows.renew({ ...record, lastUsed: new Date(now).toISOString() })
      if (now - (usesWrittenAt.get(key) ?? 0) < graceMs) return
      usesWrittenAt.set(key, now)
      writer.saveBehind(record)
    },
    stats: () => ({ writeFailures: writer.failures(), unread: folder.unread().length }),
    async close () {
      clearInterval(watch)
      await scanning.settled()
      await writer.settled()
      if (options.keepsSnapshot !== true || rows.list().length < SNAPSHOT_ROWS) return
      await scanning.now()
      await keepSnapshot(directory, folder, rows.list())
    }
  }
}

/** Looks into the folder for what other processes wrote, one look at a time. */
function createScanning (readChanged: () => Promise<boolean>) {
  const scans = createSingleFlight<boolean>()
  let beganAt = -Infinity
  let last: Promise<unknown> = Promise.resolve()
  const now = (): Promise<boolean> => {
    const run = scans.run('', async () => {
      beganAt = performance.now()
      return await readChanged()
    })
    last = run.catch(() => {})
    return run
  }
  return {
    now,
    /** Not where that was done a moment ago. */
    async lately () { return scans.size === 0 && performance.now() - beganAt < MIN_SCAN_INTERVAL_MS ? false : await now() },
    /** Waits for the one that is under way. */
    async settled () { await last }
  }
}

function sourcesIn (rows: IndexRows, hash: Sha256): readonly string[] {
  const ofKernels = rows.byBtf(hash).map(({ source }) => source)
  const ofModules = rows.byModuleBtf(hash)
    .flatMap(({ modules }) => modules.filter(module => module.btfSha256 === hash).map(({ source }) => source))
  return [...new Set([...ofKernels, ...ofModules])]
}

/** Where it cannot be written, the next start reads the files. */
async function keepSnapshot (directory: string, folder: IndexFolder, records: readonly KernelRecord[]): Promise<void> {
  const fileOf = (record: KernelRecord): string => folder.isSingle(record)
    ? singleRecordPath(directory, record.reference)
    : recordPath(directory, record)
  const byPath = new Map(records.map(record => [relative(directory, fileOf(record)), record]))
  await writeSnapshot(directory, folder.seen(), path => byPath.get(path)).catch(() => {})
}

/** Whether a file or folder of the index may have a row of what a query means. */
function maySpeakOf ([distro, distroVersion, arch, file]: readonly string[], query: KernelQuery): boolean {
  if (file !== undefined && !file.startsWith(`${query.release}@`) && file !== `${query.release}.json`) return false
  return distro === undefined || matchesName(query, {
    distro,
    distroVersion: distroVersion ?? query.distroVersion ?? '',
    arch: arch ?? query.arch ?? '',
    release: query.release
  })
}

/** Uses are written to the same file, by every process that has some. */
function isSameButForUse (a: KernelRecord, b: KernelRecord): boolean { return a === b || membersOf(a) === membersOf(b) }

function membersOf (record: KernelRecord): string {
  return JSON.stringify(Object.entries({ ...record, lastUsed: '' }).sort(([a], [b]) => a < b ? -1 : 1))
}
