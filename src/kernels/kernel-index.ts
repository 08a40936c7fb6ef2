import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { writeDurably } from '../store/atomic-file.js'
import type { DiskState } from '../store/disk-state.js'
import { openIndexFolder } from './index-folder.js'
import { recordPath, serializeRecord, type KernelRecord } from './kernel-record.js'
import { formatQuery, formatReference, isWholeReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'
import { createSingleFlight } from '../store/single-flight.js'

export interface KernelIndexOptions {
  readonly directory: string
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
  /** How old the `lastUsed` on disk may become before a use is written down. */
  readonly lastUsedGraceMs?: number
  /** Told of writes that failed; when it takes writes again, what it did not take is written. */
  readonly disk?: DiskState
  /** Told of each record that is put, for a tier behind this one. Not of those that were learned from elsewhere. */
  readonly onPut?: (record: KernelRecord) => void
  /** The tier behind this one: the records there that a query may mean. */
  readonly elsewhere?: (query: KernelQuery) => Promise<readonly KernelRecord[]>
  /** How often to look for what other processes wrote, in milliseconds. Undefined: only when asked to `learn`. */
  readonly watchMs?: number
}

/**
 * The mutable half of the store: which content a kernel's name stands for. All of it is in memory; each record is one small
 * file, replaced as a whole. A file that cannot be written is a warning, since the memory still answers, and is written later.
 *
 * Other processes may write to the same folder. What they wrote replaces what is known here, unless something is about to be
 * written here; what they removed stays known, since the folder may also have been deleted by mistake.
 */
export interface KernelIndex {
  get(reference: KernelReference): KernelRecord | undefined
  /** These three in the order of their references. */
  byRelease(release: string): readonly KernelRecord[]
  byBtf(hash: Sha256): readonly KernelRecord[]
  /** Who supplied this content, as BTF of a kernel or of a module. Each source once. */
  sourcesOf(hash: Sha256): readonly string[]
  list(): readonly KernelRecord[]
  /** Adds or replaces the record of its reference. Resolves when it is on disk, or could not be put there. */
  put(record: KernelRecord): Promise<void>
  /**
   * Looks for what a query may mean and another process wrote: on disk (the file of a whole reference, else the folders that
   * changed, since a kernel may be held under another spelling), then in the tier behind. True where something was learned. Cheap enough for every query that found
   * nothing.
   */
  learn(query: KernelQuery): Promise<boolean>
  remove(reference: KernelReference): Promise<void>
  /** Notes a use of the kernel. Cheap: written to disk once in a while only. */
  touch(reference: KernelReference): void
  stats(): { readonly writeFailures: number }
  /** Waits for what is being written. */
  close(): Promise<void>
}

const DEFAULT_LAST_USED_GRACE_MS = 3_600_000
const LOST_MS = 60_000
/** A name that nobody has is asked for again and again; a moment's memory keeps that from becoming as many questions elsewhere. */
const ASKED_MS = 1000
/** A flood of queries for kernels that do not exist must not become a flood of directory listings. */
const MIN_SCAN_INTERVAL_MS = 250

/** Loads the index. Files that are damaged, half written or foreign are passed over with a warning. */
export async function openKernelIndex (options: KernelIndexOptions): Promise<KernelIndex> {
  const directory = join(options.directory, 'index')
  const warn = options.onWarning ?? (() => {})
  const graceMs = options.lastUsedGraceMs ?? DEFAULT_LAST_USED_GRACE_MS
  const records = new Map<string, KernelRecord>()
  const releases = new Map<string, Set<string>>()
  const contents = new Map<Sha256, Set<string>>()
  const moduleContents = new Map<Sha256, Set<string>>()
  const usesWrittenAt = new Map<string, number>()
  const writes = new Map<string, Promise<void>>()
  const unsaved = new Set<string>()
  const folder = openIndexFolder(directory, warn)
  const scans = createSingleFlight<boolean>()
  /** What was removed because its content is gone: not to be learned again at once from a tier that still has its name. */
  const lost = new LRUCache<string, true>({ max: 1000, ttl: LOST_MS })
  const asked = new LRUCache<string, true>({ max: 1000, ttl: ASKED_MS })
  let scannedAt = -Infinity
  let writeFailures = 0
  let sorted: readonly KernelRecord[] | undefined

  const forget = (key: string): void => {
    const record = records.get(key)
    if (record === undefined) return
    records.delete(key)
    usesWrittenAt.delete(key)
    removeFrom(releases, record.reference.release, key)
    removeFrom(contents, record.btfSha256, key)
    for (const module of record.modules) removeFrom(moduleContents, module.btfSha256, key)
    sorted = undefined
  }
  const hold = (record: KernelRecord): void => {
    const key = formatReference(record.reference)
    forget(key)
    records.set(key, record)
    addTo(releases, record.reference.release, key)
    addTo(contents, record.btfSha256, key)
    for (const module of record.modules) addTo(moduleContents, module.btfSha256, key)
    usesWrittenAt.set(key, Date.parse(record.lastUsed))
    sorted = undefined
  }
  const recordsOf = (keys: ReadonlySet<string> | undefined): KernelRecord[] => {
    const found: KernelRecord[] = []
    for (const key of keys === undefined || keys.size < 2 ? keys ?? [] : [...keys].sort()) {
      const record = records.get(key)
      if (record !== undefined) found.push(record)
    }
    return found
  }

  /** Writes of one record follow each other, and the last one writes what is true by then. */
  const save = (reference: KernelReference): Promise<void> => {
    const key = formatReference(reference)
    const path = recordPath(directory, reference)
    const write = (writes.get(key) ?? Promise.resolve()).then(async () => {
      const record = records.get(key)
      try {
        if (record === undefined) await unlink(path)
        else await writeDurably(path, serializeRecord(record))
        unsaved.delete(key)
      } catch (error) {
        if (record !== undefined) {
          writeFailures++
          unsaved.add(key)
          warn('A kernel cannot be written to the index on disk; it is known until the service stops.', { kernel: key, error: String(error) })
          options.disk?.failed(error)
        }
      }
      if (writes.get(key) === write) writes.delete(key)
    })
    writes.set(key, write)
    return write
  }

  options.disk?.onRecovered(() => {
    for (const key of unsaved) {
      const record = records.get(key)
      if (record !== undefined) save(record.reference).catch(() => {}) // it warns by itself
    }
  })

  /** Takes over what a file says. True where that is news. */
  const take = (found: KernelRecord): boolean => {
    const key = formatReference(found.reference)
    const known = records.get(key)
    if (writes.has(key) || unsaved.has(key)) return false
    if (known === undefined || !isSameButForUse(known, found)) {
      hold(found)
      return true
    }
    if (found.lastUsed > known.lastUsed) {
      records.set(key, found)
      usesWrittenAt.set(key, Date.parse(found.lastUsed))
      sorted = undefined
    }
    return false
  }
  const scan = (): Promise<boolean> => scans.run('', async () => {
    scannedAt = performance.now()
    let isNews = false
    for (const record of await folder.readChanged()) isNews = take(record) || isNews
    return isNews
  })
  const put = (record: KernelRecord): Promise<void> => {
    hold(record)
    return save(record.reference)
  }
  const learnHere = async (query: KernelQuery): Promise<boolean> => {
    const record = isWholeReference(query) ? await folder.read(query) : undefined
    if (record !== undefined) return take(record)
    if (scans.size === 0 && performance.now() - scannedAt < MIN_SCAN_INTERVAL_MS) return false
    return await scan()
  }
  const learnElsewhere = async (query: KernelQuery): Promise<boolean> => {
    const name = formatQuery(query)
    if (options.elsewhere === undefined || asked.has(name)) return false
    asked.set(name, true)
    let isNews = false
    for (const found of await options.elsewhere(query)) {
      const key = formatReference(found.reference)
      if (lost.has(`${key} ${found.btfSha256}`)) continue
      const merged = mergeRecords(records.get(key), found)
      if (merged === undefined) continue
      put(merged).catch(() => {}) // it warns by itself
      isNews = true
    }
    return isNews
  }
  await scan()
  const watch = options.watchMs === undefined ? undefined : setInterval(() => { scan().catch(() => {}) }, options.watchMs).unref()

  return {
    get: reference => records.get(formatReference(reference)),
    byRelease: release => recordsOf(releases.get(release)),
    byBtf: hash => recordsOf(contents.get(hash)),
    sourcesOf: hash => [...new Set([
      ...recordsOf(contents.get(hash)).map(({ source }) => source),
      ...recordsOf(moduleContents.get(hash)).flatMap(({ modules }) => modules.filter(({ btfSha256 }) => btfSha256 === hash).map(({ source }) => source))
    ])],
    list () {
      sorted ??= [...records].sort(([a], [b]) => a < b ? -1 : 1).map(([, record]) => record)
      return sorted
    },
    put (record) {
      options.onPut?.(record)
      return put(record)
    },
    // A bare release means nothing for certain before all that have it are known.
    learn: async query => isWholeReference(query)
      ? await learnHere(query) || await learnElsewhere(query)
      : (await Promise.all([learnHere(query), learnElsewhere(query)])).includes(true),
    remove (reference) {
      const key = formatReference(reference)
      const record = records.get(key)
      if (record !== undefined) lost.set(`${key} ${record.btfSha256}`, true)
      forget(key)
      return save(reference)
    },
    touch (reference) {
      const key = formatReference(reference)
      const record = records.get(key)
      const now = Date.now()
      if (record === undefined || now - Date.parse(record.lastUsed) < 1000) return
      records.set(key, { ...record, lastUsed: new Date(now).toISOString() })
      sorted = undefined
      if (now - (usesWrittenAt.get(key) ?? 0) < graceMs) return
      usesWrittenAt.set(key, now)
      save(reference).catch(() => {}) // it warns by itself
    },
    stats: () => ({ writeFailures }),
    async close () {
      clearInterval(watch)
      await Promise.all(writes.values())
    }
  }
}

/** Uses are written to the same file, by every process that has some. */
function isSameButForUse (a: KernelRecord, b: KernelRecord): boolean { return serializeRecord({ ...a, lastUsed: '' }) === serializeRecord({ ...b, lastUsed: '' }) }

/**
 * What is known, with what another replica knows beside it; undefined where that is nothing new. Of different content for one name
 * that counts which is known here: it came from a source that was asked here, or was there first.
 */
function mergeRecords (known: KernelRecord | undefined, found: KernelRecord): KernelRecord | undefined {
  if (known === undefined) return found
  if (known.btfSha256 !== found.btfSha256) return undefined
  const missing = found.modules.filter(module => !known.modules.some(({ name }) => name === module.name))
  if (missing.length === 0 && (known.releaseAskedAt !== undefined || found.releaseAskedAt === undefined)) return undefined
  return { ...known, modules: [...known.modules, ...missing], ...(found.releaseAskedAt === undefined ? {} : { releaseAskedAt: found.releaseAskedAt }) }
}

function addTo<K> (map: Map<K, Set<string>>, key: K, value: string): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, new Set([value]))
  else values.add(value)
}

function removeFrom<K> (map: Map<K, Set<string>>, key: K, value: string): void {
  const values = map.get(key)
  values?.delete(value)
  if (values?.size === 0) map.delete(key)
}
