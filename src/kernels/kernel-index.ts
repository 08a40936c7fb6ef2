import { unlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { LRUCache } from 'lru-cache'
import { atMost } from '../store/at-most.js'
import { writeDurably } from '../store/atomic-file.js'
import type { DiskState } from '../store/disk-state.js'
import { isAbsence, storageUnreadable } from '../store/read-failure.js'
import { openIndexFolder, type UnreadPlace } from './index-folder.js'
import { createIndexRows } from './index-rows.js'
import { writeSnapshot } from './index-snapshot.js'
import { recordKey, recordPath, serializeRecord, singleRecordPath, UPLOAD_SOURCE, type KernelRecord } from './kernel-record.js'
import { matchesName } from './matches.js'
import { mergeRecords } from './merge-records.js'
import { formatQuery, isWholeReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'
import { createSingleFlight } from '../store/single-flight.js'

/** What the tier behind the index knows. */
export interface Elsewhere {
  /**
   * All rows there that a query may mean.
   *
   * @throws AppError where it cannot be told which those are
   */
  find(query: KernelQuery): Promise<readonly KernelRecord[]>
  /** Told of each row that is put here, and of those from there of which more is known here. */
  offer(record: KernelRecord): void
  /** Age in milliseconds at which what it said of a name is asked for anew: behind the answer, and before it. */
  readonly renewMs?: number
  readonly maxAgeMs?: number
}

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
  remove(record: Pick<KernelRecord, 'reference' | 'btfSha256'>): Promise<void>
  /** Forgets uploads of content that had to make room for others. */
  forgetUploads(hash: Sha256): void
  /** Notes a use of the kernel. Cheap: written to disk once in a while only. */
  touch(record: Pick<KernelRecord, 'reference' | 'btfSha256'>): void
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
/** A name that nobody has is asked for again and again; a moment's memory keeps that from becoming as many questions elsewhere. */
const MISS_MS = 1000
const DEFAULT_RENEW_MS = 5000
const DEFAULT_MAX_AGE_MS = 60_000
const MAX_ASKED = 10_000
/** Below this many rows, files are as fast as a snapshot. */
const SNAPSHOT_ROWS = 500

/** Loads the index. Files that are damaged, half written or foreign are passed over with a warning. */
export async function openKernelIndex (options: KernelIndexOptions): Promise<KernelIndex> {
  const directory = join(options.directory, 'index')
  const { elsewhere, onWarning: warn = () => {}, lastUsedGraceMs: graceMs = DEFAULT_LAST_USED_GRACE_MS } = options
  const rows = createIndexRows()
  const usesWrittenAt = new Map<string, number>()
  const writes = new Map<string, Promise<void>>()
  const unsaved = new Set<string>()
  const folder = openIndexFolder(directory, warn)
  const scans = createSingleFlight<boolean>()
  const questions = createSingleFlight<boolean>()
  /** What was removed because its content is gone: not to be learned again at once from a tier that still has its name. */
  const lost = new LRUCache<string, true>({ max: 1000, ttl: LOST_MS })
  /** When the tier behind told all that it has of a query, by performance.now(). */
  const askedAt = new LRUCache<string, number>(atMost(MAX_ASKED))
  let scannedAt = -Infinity
  let writeFailures = 0

  const hold = (record: KernelRecord): void => {
    rows.set(record)
    usesWrittenAt.set(recordKey(record), Date.parse(record.lastUsed))
  }
  const forget = (key: string): void => {
    rows.delete(key)
    usesWrittenAt.delete(key)
  }

  const removeFile = async (path: string): Promise<void> => {
    await unlink(path).catch((error: unknown) => { if (!isAbsence(error)) throw error })
  }
  /** Writes of one row follow each other, and the last one writes what is true by then. */
  const save = (of: Pick<KernelRecord, 'reference' | 'btfSha256'>): Promise<void> => {
    const key = recordKey(of)
    const path = recordPath(directory, of)
    const write = (writes.get(key) ?? Promise.resolve()).then(async () => {
      const record = rows.get(key)
      try {
        if (record === undefined) await removeFile(path)
        else await writeDurably(path, serializeRecord(record))
        if (folder.isSingle(of)) await removeFile(singleRecordPath(directory, of.reference))
        unsaved.delete(key)
      } catch (error) {
        if (record !== undefined) {
          writeFailures++
          unsaved.add(key)
          warn('A kernel cannot be written to the index on disk; it is known until the service stops.',
            { kernel: key, error: String(error) })
          options.disk?.failed(error)
        }
      }
      if (writes.get(key) === write) writes.delete(key)
    })
    writes.set(key, write)
    return write
  }
  const saveBehind = (record: KernelRecord): void => { save(record).catch(() => {}) } // it warns by itself

  options.disk?.onRecovered(() => {
    for (const key of unsaved) {
      const record = rows.get(key)
      if (record !== undefined) saveBehind(record)
    }
  })

  /** Takes over what a file says, in addition to what is known. True where that is news. */
  const take = (found: KernelRecord): boolean => {
    const key = recordKey(found)
    const known = rows.get(key)
    if (known === undefined) {
      if (!writes.has(key)) hold(found)
      return !writes.has(key)
    }
    const merged = mergeRecords(known, found)
    const isNews = !isSameButForUse(merged, known)
    if (isNews) hold(merged)
    else if (found.lastUsed > known.lastUsed) {
      rows.renew({ ...known, lastUsed: found.lastUsed })
      usesWrittenAt.set(key, Date.parse(found.lastUsed))
    }
    // Two processes that changed a row at one moment have each written their own.
    if (!isSameButForUse(merged, found)) saveBehind(merged)
    return isNews
  }
  const takeAll = (found: readonly KernelRecord[]): boolean => {
    let isNews = false
    for (const record of found) isNews = take(record) || isNews
    return isNews
  }
  let scanning: Promise<unknown> = Promise.resolve()
  const scan = (): Promise<boolean> => {
    const run = scans.run('', async () => {
      scannedAt = performance.now()
      return takeAll(await folder.readChanged())
    })
    scanning = run.catch(() => {})
    return run
  }
  const put = (record: KernelRecord): Promise<void> => {
    lost.delete(recordKey(record))
    hold(record)
    elsewhere?.offer(record)
    return save(record)
  }
  const learnHere = async (query: KernelQuery): Promise<boolean> => {
    if (isWholeReference(query) && takeAll(await folder.readReference(query))) return true
    if (scans.size === 0 && performance.now() - scannedAt < MIN_SCAN_INTERVAL_MS) return false
    return await scan()
  }
  const askElsewhere = (query: KernelQuery, { find, offer }: Elsewhere): Promise<boolean> => questions.run(query.release, async () => {
    const now = performance.now()
    let isNews = false
    for (const found of await find({ release: query.release })) {
      const key = recordKey(found)
      const known = rows.get(key)
      if (lost.has(key)) continue
      const merged = known === undefined ? found : mergeRecords(known, found)
      if (!isSameButForUse(merged, found)) offer(merged)
      if (known !== undefined && isSameButForUse(merged, known)) continue
      hold(merged)
      saveBehind(merged)
      isNews = true
    }
    askedAt.set(query.release, now)
    return isNews
  })
  const ageOf = (query: KernelQuery): number => performance.now() - (askedAt.get(query.release) ?? -Infinity)
  const maxAgeMs = elsewhere?.maxAgeMs ?? DEFAULT_MAX_AGE_MS
  const renewMs = elsewhere?.renewMs ?? DEFAULT_RENEW_MS

  const learnElsewhere = async (query: KernelQuery): Promise<boolean> => {
    if (elsewhere === undefined || ageOf(query) < Math.min(MISS_MS, maxAgeMs)) return false
    const wasAsked = askedAt.has(query.release)
    try {
      return await askElsewhere(query, elsewhere)
    } catch (error) {
      // What it had when it was last asked is known. A whole reference that is held is what it is, whatever else there may be.
      if (wasAsked || isWholeReference(query)) return false
      throw error
    }
  }

  const learnFrom = async (query: KernelQuery, here: Promise<boolean>): Promise<boolean> => {
    const isNews = (await Promise.all([here, learnElsewhere(query)])).includes(true)
    const unread = unreadOf(query)
    if (unread !== undefined) {
      const kernel = formatQuery(query)
      throw storageUnreadable(`The part of the index that may know kernel ${kernel}`, unread.code, { kernel })
    }
    return isNews
  }

  const unreadOf = (query: KernelQuery): UnreadPlace | undefined => folder.unread().find(({ parts }) => maySpeakOf(parts, query))

  await scan()
  const watch = options.watchMs === undefined ? undefined : setInterval(() => { scan().catch(() => {}) }, options.watchMs).unref()

  return {
    get: (reference, btfSha256) => rows.get(recordKey({ reference, btfSha256 })),
    named: rows.named,
    byRelease: rows.byRelease,
    byBtf: rows.byBtf,
    byModuleBtf: rows.byModuleBtf,
    byBuildId: rows.byBuildId,
    sourcesOf (hash) {
      const ofKernels = rows.byBtf(hash).map(({ source }) => source)
      const ofModules = rows.byModuleBtf(hash)
        .flatMap(({ modules }) => modules.filter(module => module.btfSha256 === hash).map(({ source }) => source))
      return [...new Set([...ofKernels, ...ofModules])]
    },
    list: rows.list,
    revision: rows.revision,
    put,
    add (record) {
      const known = rows.get(recordKey(record))
      return put(known === undefined ? record : mergeRecords(known, record))
    },
    isCurrent (query) {
      if (unreadOf(query) !== undefined) return false
      if (elsewhere === undefined) return true
      const age = ageOf(query)
      if (age >= maxAgeMs) return false
      if (age >= renewMs) askElsewhere(query, elsewhere).catch(() => {}) // asked again before the next answer that is too old
      return true
    },
    learn: query => learnFrom(query, learnHere(query)),
    learnRows: reference => learnFrom(reference, folder.readReference(reference).then(takeAll)),
    remove (record) {
      const key = recordKey(record)
      if (rows.has(key)) lost.set(key, true)
      forget(key)
      return save(record)
    },
    forgetUploads (hash) {
      for (const record of rows.byBtf(hash)) {
        if (record.source !== UPLOAD_SOURCE) continue
        forget(recordKey(record))
        saveBehind(record)
      }
      for (const record of rows.byModuleBtf(hash)) {
        const modules = record.modules.filter(({ btfSha256, source }) => btfSha256 !== hash || source !== UPLOAD_SOURCE)
        if (modules.length === record.modules.length) continue
        hold({ ...record, modules })
        saveBehind(record)
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
      saveBehind(record)
    },
    stats: () => ({ writeFailures, unread: folder.unread().length }),
    async close () {
      clearInterval(watch)
      await scanning
      await Promise.all(writes.values())
      if (options.keepsSnapshot !== true || rows.list().length < SNAPSHOT_ROWS) return
      await scan()
      const fileOf = (record: KernelRecord): string => folder.isSingle(record)
        ? singleRecordPath(directory, record.reference)
        : recordPath(directory, record)
      const byPath = new Map(rows.list().map(record => [relative(directory, fileOf(record)), record]))
      await writeSnapshot(directory, folder.seen(), path => byPath.get(path)).catch(() => {}) // the next start reads the files
    }
  }
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
