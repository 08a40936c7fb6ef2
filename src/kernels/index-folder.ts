import { readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { parseRecord, recordPath, type KernelRecord } from './kernel-record.js'
import { isSegment, type KernelReference } from '../identity/reference.js'

/** The index as files: `<distro>/<distro_version>/<arch>/<kernel_release>.json`, which other processes write to as well. */
export interface IndexFolder {
  /**
   * Reads the files that are new or were replaced since the last time: all of them, the first time. Folders in which nothing was
   * renamed since are not looked into, so that this costs about as many system calls as there are folders.
   */
  readChanged(): Promise<readonly KernelRecord[]>
  /** The record in the file of this kernel, if there is an intact one. */
  read(reference: KernelReference): Promise<KernelRecord | undefined>
}

const FILES_AT_ONCE = 32
/** More folders than all distributions, versions and architectures that anybody has. */
const MAX_FOLDERS = 4096
const ORPHAN = /\.json\.\d+$/
/** Temporary files of a process that was killed; younger ones may be another process's. */
const ORPHAN_AGE_MS = 10_000
/** A folder may change again within the tick of the clock that its time shows. Only an older time proves that it did not. */
const SETTLED_MS = 2000

export function openIndexFolder (directory: string, warn: (message: string, facts: Record<string, unknown>) => void): IndexFolder {
  const settledAt = new Map<string, number>()
  const seen = new Map<string, string>()

  /** The files that are not what they were, and whether there are temporary ones that may yet be left over. */
  const changedFiles = async (folder: string): Promise<{ paths: string[], leftYoung: boolean }> => {
    const paths: string[] = []
    let leftYoung = false
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name)
      const isOrphan = ORPHAN.test(name)
      if (!isOrphan && !name.endsWith('.json')) continue
      const facts = await stat(path).catch(() => undefined)
      if (facts === undefined) continue
      if (isOrphan) {
        if (Date.now() - facts.mtimeMs < ORPHAN_AGE_MS) leftYoung = true
        else await unlink(path).catch(() => {})
        continue
      }
      const signature = `${facts.mtimeMs} ${facts.ino} ${facts.size}`
      if (seen.get(path) === signature) continue
      seen.set(path, signature)
      paths.push(path)
    }
    return { paths, leftYoung }
  }
  const readRecord = async (path: string): Promise<KernelRecord | undefined> => {
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    const record = parseRecord(text)
    if (record !== undefined && recordPath(directory, record.reference) === path) return record
    warn('A file of the kernel index cannot be used; it is passed over.', { file: path })
    return undefined
  }

  return {
    read: reference => readRecord(recordPath(directory, reference)),
    async readChanged () {
      const startedAt = Date.now()
      const paths: string[] = []
      for (const folder of await listFolders(directory)) {
        const changedAt = await stat(folder).then(({ mtimeMs }) => mtimeMs, () => undefined)
        if (changedAt === undefined || settledAt.get(folder) === changedAt) continue
        const { paths: changed, leftYoung } = await changedFiles(folder)
        paths.push(...changed)
        if (!leftYoung && startedAt - changedAt > SETTLED_MS) settledAt.set(folder, changedAt)
        else settledAt.delete(folder)
      }
      const records: KernelRecord[] = []
      let next = 0
      const reader = async (): Promise<void> => {
        for (let path = paths[next++]; path !== undefined; path = paths[next++]) {
          const record = await readRecord(path)
          if (record !== undefined) records.push(record)
        }
      }
      await Promise.all(Array.from({ length: FILES_AT_ONCE }, reader))
      return records
    }
  }
}

/** The folders of architectures. */
async function listFolders (directory: string): Promise<string[]> {
  let folders = [directory]
  for (let level = 0; level < 3; level++) {
    const below = await Promise.all(folders.map(async folder => {
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
      return entries.filter(entry => entry.isDirectory() && isSegment(entry.name)).map(({ name }) => join(folder, name))
    }))
    folders = below.flat().slice(0, MAX_FOLDERS)
  }
  return folders
}
