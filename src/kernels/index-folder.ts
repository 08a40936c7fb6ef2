import type { Dirent, Stats } from 'node:fs'
import { readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { errorCode } from '../store/error-code.js'
import { isAbsence } from '../store/read-failure.js'
import { isSegment, type KernelReference } from '../identity/reference.js'
import { readSnapshot, type Snapshot } from './index-snapshot.js'
import { parseRecord, recordKey, recordPath, singleRecordPath, type KernelRecord, type RecordName } from './kernel-record.js'

/** A file or folder of the index that is there and cannot be read: what it says of names is not known. */
export interface UnreadPlace {
  /** Below the index folder, part by part: as many of distro, version, architecture and file as the place has. */
  readonly parts: readonly string[]
  /** EACCES, EIO, EMFILE. */
  readonly code: string
}

/**
 * The index as files: `<distro>/<distro_version>/<arch>/<kernel_release>@<hash>.json`, one for each row, which other processes
 * write to as well.
 */
export interface IndexFolder {
  /**
   * Reads the files that are new or were replaced since the last time: all of them, the first time. Folders in which nothing was
   * renamed since are not looked into, so that this costs about as many system calls as there are folders.
   */
  readChanged(): Promise<readonly KernelRecord[]>
  /** Those of the new or replaced files that are of one reference. */
  readReference(reference: KernelReference): Promise<readonly KernelRecord[]>
  /** What could not be read when it was last tried. */
  unread(): readonly UnreadPlace[]
  /** Whether the row was last seen in the file that earlier versions kept for a reference. */
  isSingle(record: RecordName): boolean
  /** What a later start need not read again: the files that were seen, and the folders that have not changed since. */
  seen(): Pick<Snapshot, 'folders' | 'signatures'>
}

const AT_ONCE = 32
/** Temporary names, those of earlier versions too. */
const ORPHAN = /\.json\.[\w-]+$/
/** Temporary files of a process that was killed; younger ones may be another process's. */
const ORPHAN_AGE_MS = 10_000
/** A folder may change again within the tick of the clock that its time shows. Only an older time proves that it did not. */
const SETTLED_MS = 2000

export function openIndexFolder (directory: string, warn: (message: string, facts: Record<string, unknown>) => void): IndexFolder {
  const settledAt = new Map<string, number>()
  const signatures = new Map<string, string>()
  const unread = new Map<string, UnreadPlace & { readonly scan: number }>()
  let scan = 0
  const singles = new Set<string>()
  /** Only until the first reading is done: it takes as much memory as the index. */
  let snapshot: Snapshot | undefined

  /** What is there; undefined where nothing is, or where it cannot be read, which is noted. */
  const tryRead = async <T>(path: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      const value = await read()
      unread.delete(path)
      return value
    } catch (error) {
      if (isAbsence(error)) unread.delete(path)
      else {
        if (!unread.has(path)) {
          warn('A part of the kernel index cannot be read; names that it may speak of are not answered.',
            { path, error: String(error) })
        }
        unread.set(path, { parts: relative(directory, path).split('/').filter(part => part !== ''), code: errorCode(error) ?? 'EIO', scan })
      }
      return undefined
    }
  }
  const readRecord = async (path: string): Promise<KernelRecord | undefined> => {
    const text = await tryRead(path, () => readFile(path, 'utf8'))
    if (text === undefined) {
      signatures.delete(path) // to be tried again
      return undefined
    }
    const record = parseRecord(text)
    if (record !== undefined && recordPath(directory, record) === path) return record
    if (record !== undefined && singleRecordPath(directory, record.reference) === path) {
      singles.add(recordKey(record))
      return record
    }
    warn('A file of the kernel index cannot be used; it is passed over.', { file: path })
    return undefined
  }

  /** The rows of files that are not what they were. */
  const readFiles = async (paths: readonly string[]): Promise<{ records: KernelRecord[], leftYoung: boolean }> => {
    const records: KernelRecord[] = []
    let leftYoung = false
    await each(paths, async path => {
      const isOrphan = ORPHAN.test(path)
      const facts = await tryRead(path, () => stat(path))
      if (facts === undefined) return
      if (isOrphan) {
        if (Date.now() - facts.mtimeMs < ORPHAN_AGE_MS) leftYoung = true
        else await unlink(path).catch(() => {})
        return
      }
      const signature = signatureOf(facts)
      if (signatures.get(path) === signature) return
      signatures.set(path, signature)
      const name = relative(directory, path)
      const known = snapshot?.signatures.get(name) === signature ? snapshot.records.get(name) : undefined
      const record = known ?? await readRecord(path)
      if (record !== undefined) records.push(record)
    })
    return { records, leftYoung }
  }
  const fromSnapshot = (folder: string, changedAt: number): readonly KernelRecord[] | undefined => {
    const name = relative(directory, folder)
    if (snapshot?.folders.get(name) !== changedAt) return undefined
    const records: KernelRecord[] = []
    for (const path of snapshot.filesOf(name)) {
      const record = snapshot.records.get(path)
      if (record === undefined) return undefined // a large row is in its own file only
      records.push(record)
    }
    for (const path of snapshot.filesOf(name)) signatures.set(join(directory, path), snapshot.signatures.get(path) ?? '')
    return records
  }
  const readFolder = async (folder: string): Promise<readonly KernelRecord[]> => {
    const startedAt = Date.now()
    const changedAt = (await tryRead(folder, () => stat(folder)))?.mtimeMs
    if (changedAt === undefined || settledAt.get(folder) === changedAt) return []
    const known = fromSnapshot(folder, changedAt)
    if (known !== undefined) {
      settledAt.set(folder, changedAt)
      return known
    }
    const names = await tryRead(folder, () => readdir(folder))
    if (names === undefined) return []
    const files = names.filter(name => name.endsWith('.json') || ORPHAN.test(name))
    const { records, leftYoung } = await readFiles(files.map(name => join(folder, name)))
    const isWhole = ![...unread.keys()].some(path => path.startsWith(`${folder}/`))
    if (isWhole && !leftYoung && startedAt - changedAt > SETTLED_MS) settledAt.set(folder, changedAt)
    else settledAt.delete(folder)
    return records
  }

  /** The folders of architectures. */
  const listFolders = async (): Promise<string[]> => {
    let folders = [directory]
    for (let level = 0; level < 3; level++) {
      const below: string[] = []
      await each(folders, async folder => {
        const entries: Dirent[] = await tryRead(folder, () => readdir(folder, { withFileTypes: true })) ?? []
        for (const entry of entries) if (entry.isDirectory() && isSegment(entry.name)) below.push(join(folder, entry.name))
      })
      folders = below
    }
    return folders
  }

  let isFirst = true
  return {
    async readChanged () {
      const current = ++scan
      const wasFirst = isFirst
      isFirst = false
      if (wasFirst) snapshot = await readSnapshot(directory)
      const found: KernelRecord[] = []
      for (const folder of await listFolders()) for (const record of await readFolder(folder)) found.push(record)
      if (wasFirst) snapshot = undefined
      // What was not met again is gone.
      for (const [path, place] of unread) if (place.scan < current) unread.delete(path)
      return found
    },
    async readReference (reference) {
      const { distro, distroVersion, arch, release } = reference
      const folder = join(directory, distro, distroVersion, arch)
      const changedAt = (await tryRead(folder, () => stat(folder)))?.mtimeMs
      if (changedAt === undefined || settledAt.get(folder) === changedAt) return []
      const names = await tryRead(folder, () => readdir(folder)) ?? []
      const isOfRelease = (name: string): boolean => name === `${release}.json` ||
        (name.startsWith(`${release}@`) && name.endsWith('.json'))
      const { records } = await readFiles(names.filter(isOfRelease).map(name => join(folder, name)))
      return records
    },
    isSingle: record => singles.has(recordKey(record)),
    unread: () => unread.size === 0 ? NONE : [...unread.values()],
    seen: () => ({
      folders: new Map([...settledAt].map(([folder, changedAt]) => [relative(directory, folder), changedAt])),
      signatures: new Map([...signatures].map(([path, signature]) => [relative(directory, path), signature]))
    })
  }
}

const NONE: readonly UnreadPlace[] = []

function signatureOf ({ mtimeMs, ino, size }: Stats): string { return `${mtimeMs} ${ino} ${size}` }

/** So many at a time. */
async function each<T> (values: readonly T[], work: (value: T) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, values.length) }, async () => {
    for (let at = next++; at < values.length; at = next++) {
      const [value] = values.slice(at, at + 1)
      if (value !== undefined) await work(value)
    }
  }))
}
