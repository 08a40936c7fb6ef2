import { readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from './atomic-file.js'
import { parseRecord, recordPath, serializeRecord, type KernelRecord } from './kernel-record.js'
import { formatReference, type KernelReference } from './reference.js'
import type { Sha256 } from './sha256.js'

export interface KernelIndexOptions {
  readonly directory: string
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
  /** How old the `lastUsed` on disk may become before a use is written down. */
  readonly lastUsedGraceMs?: number
}

/**
 * The mutable half of the store: which content a kernel's name stands for. All of it is in memory; each record is one small
 * file, replaced as a whole. A file that cannot be written is a warning, since the memory still answers.
 */
export interface KernelIndex {
  get(reference: KernelReference): KernelRecord | undefined
  /** These three in the order of their references. */
  byRelease(release: string): readonly KernelRecord[]
  byBtf(hash: Sha256): readonly KernelRecord[]
  list(): readonly KernelRecord[]
  /** Adds or replaces the record of its reference. Resolves when it is on disk, or could not be put there. */
  put(record: KernelRecord): Promise<void>
  remove(reference: KernelReference): Promise<void>
  /** Notes a use of the kernel. Cheap: written to disk once in a while only. */
  touch(reference: KernelReference): void
  /** Waits for what is being written. */
  close(): Promise<void>
}

const DEFAULT_LAST_USED_GRACE_MS = 3_600_000
const FILES_AT_ONCE = 32
const ORPHAN = /\.json\.\d+$/
const ORPHAN_AGE_MS = 10_000

/** Loads the index. Files that are damaged, half written or foreign are passed over with a warning. */
export async function openKernelIndex (options: KernelIndexOptions): Promise<KernelIndex> {
  const directory = join(options.directory, 'index')
  const warn = options.onWarning ?? (() => {})
  const graceMs = options.lastUsedGraceMs ?? DEFAULT_LAST_USED_GRACE_MS
  const records = new Map<string, KernelRecord>()
  const releases = new Map<string, Set<string>>()
  const contents = new Map<Sha256, Set<string>>()
  const usesWrittenAt = new Map<string, number>()
  const writes = new Map<string, Promise<void>>()
  let sorted: readonly KernelRecord[] | undefined

  const forget = (key: string): void => {
    const record = records.get(key)
    if (record === undefined) return
    records.delete(key)
    usesWrittenAt.delete(key)
    removeFrom(releases, record.reference.release, key)
    removeFrom(contents, record.btfSha256, key)
    sorted = undefined
  }
  const hold = (record: KernelRecord): void => {
    const key = formatReference(record.reference)
    forget(key)
    records.set(key, record)
    addTo(releases, record.reference.release, key)
    addTo(contents, record.btfSha256, key)
    usesWrittenAt.set(key, Date.parse(record.lastUsed))
    sorted = undefined
  }
  const recordsOf = (keys: ReadonlySet<string> | undefined): KernelRecord[] => [...keys ?? []].sort().flatMap(key => records.get(key) ?? [])

  /** Writes of one record follow each other, and the last one writes what is true by then. */
  const save = (reference: KernelReference): Promise<void> => {
    const key = formatReference(reference)
    const path = recordPath(directory, reference)
    const write = (writes.get(key) ?? Promise.resolve()).then(async () => {
      const record = records.get(key)
      try {
        if (record === undefined) await unlink(path)
        else await writeDurably(path, serializeRecord(record))
      } catch (error) {
        if (record !== undefined) warn('A kernel cannot be written to the index on disk; it is known until the service stops.', { kernel: key, error: String(error) })
      }
      if (writes.get(key) === write) writes.delete(key)
    })
    writes.set(key, write)
    return write
  }

  for (const record of await loadRecords(directory, warn)) hold(record)

  return {
    get: reference => records.get(formatReference(reference)),
    byRelease: release => recordsOf(releases.get(release)),
    byBtf: hash => recordsOf(contents.get(hash)),
    list () {
      sorted ??= [...records].sort(([a], [b]) => a < b ? -1 : 1).map(([, record]) => record)
      return sorted
    },
    put (record) {
      hold(record)
      return save(record.reference)
    },
    remove (reference) {
      forget(formatReference(reference))
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
    async close () { await Promise.all(writes.values()) }
  }
}

async function loadRecords (directory: string, warn: (message: string, facts: Record<string, unknown>) => void): Promise<KernelRecord[]> {
  const files = await readdir(directory, { recursive: true }).catch(() => [])
  const paths = files.filter(file => file.endsWith('.json'))
  const records: KernelRecord[] = []
  let next = 0
  const reader = async (): Promise<void> => {
    for (let file = paths[next++]; file !== undefined; file = paths[next++]) {
      const path = join(directory, file)
      const text = await readFile(path, 'utf8').catch(() => '')
      const record = parseRecord(text)
      if (record !== undefined && recordPath(directory, record.reference) === path) records.push(record)
      else warn('A file of the kernel index cannot be used; it is passed over.', { file })
    }
  }
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, reader))
  await removeOrphans(files.filter(file => ORPHAN.test(file)).map(file => join(directory, file)))
  return records
}

/** Temporary files of a process that was killed; younger ones may be another process's, and are left for the next start. */
async function removeOrphans (paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const age = await stat(path).then(({ mtimeMs }) => Date.now() - mtimeMs, () => 0)
    if (age >= ORPHAN_AGE_MS) await unlink(path).catch(() => {})
  }
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
