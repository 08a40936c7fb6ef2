import { readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, writeDurably, writeQuickly } from './atomic-file.js'
import { hexOf, isSha256, sha256, type Sha256 } from './sha256.js'
import { createWriteBehind } from './write-behind.js'

/** What content is: raw BTF, or an eBPF object. Kept apart, so that each can have its own budget. */
export type ContentKind = 'btf' | 'object'

const KINDS: readonly ContentKind[] = ['btf', 'object']

export interface ContentStoreOptions {
  readonly directory: string
  /** Told of what was passed over: a write that failed, a file that was damaged. Never of a secret or of content. */
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
  /** How old a temporary file must be to count as left over by a killed process. */
  readonly orphanAgeMs?: number
}

/**
 * Immutable content by SHA-256 on disk: `content/<kind>/<first two hex digits>/<hex>`.
 *
 * A file is complete or absent, whenever the process is killed, and no byte is used that was not hashed after reading. Nothing
 * here rejects: content that cannot be read is absent, and content that cannot be written is not held.
 */
export interface ContentStore {
  /** Where content is or would be, for a worker that reads or writes it. */
  pathOf(kind: ContentKind, hash: Sha256): string
  /** Reads and verifies. Undefined where there is no such content, or none that is intact. */
  read(kind: ContentKind, hash: Sha256): Promise<Uint8Array | undefined>
  /** Size of the file in bytes, unverified. */
  sizeOf(kind: ContentKind, hash: Sha256): Promise<number | undefined>
  /** Writes, flushed to the disk. False where the disk did not take it. The hash must be that of the bytes. */
  write(kind: ContentKind, hash: Sha256, bytes: Uint8Array): Promise<boolean>
  /** Removes a file that a reader found damaged. */
  discardDamaged(kind: ContentKind, hash: Sha256): Promise<void>
  /** Writes in the background, unflushed, and only as fast as is good for the disk: see write-behind.ts. May be lost. */
  writeBehind(kind: ContentKind, hash: Sha256, bytes: Uint8Array): void
  stats(): ContentStoreStats
  /** Ends the sweep that runs since opening, and writes what is queued. */
  close(): Promise<void>
}

export interface ContentStoreStats {
  /** Bytes of content on disk: what the sweep has counted, and what was written since. */
  readonly diskBytes: number
  readonly written: number
  readonly writeFailures: number
  /** Writes that the queue had no room for. */
  readonly writesDropped: number
  readonly damaged: number
  readonly orphansRemoved: number
}

const DEFAULT_ORPHAN_AGE_MS = 10_000

export function openContentStore (options: ContentStoreOptions): ContentStore {
  const root = join(options.directory, 'content')
  const warn = options.onWarning ?? (() => {})
  const counts = { diskBytes: 0, written: 0, writeFailures: 0, damaged: 0, orphansRemoved: 0 }
  const sweep = startSweep(root, options.orphanAgeMs ?? DEFAULT_ORPHAN_AGE_MS, counts)

  const pathOf = (kind: ContentKind, hash: Sha256): string => {
    const hex = hexOf(hash)
    return join(root, kind, hex.slice(0, 2), hex)
  }
  const sizeOf = async (kind: ContentKind, hash: Sha256): Promise<number | undefined> => {
    try {
      return (await stat(pathOf(kind, hash))).size
    } catch {
      return undefined
    }
  }
  const write = async (kind: ContentKind, hash: Sha256, bytes: Uint8Array, writeFile: typeof writeQuickly): Promise<boolean> => {
    const replaced = await sizeOf(kind, hash) ?? 0
    try {
      await writeFile(pathOf(kind, hash), bytes)
      counts.written++
      counts.diskBytes += bytes.length - replaced
      return true
    } catch (error) {
      counts.writeFailures++
      warn('Content cannot be stored on disk; it is served from memory.', { kind, hash, error: String(error) })
      return false
    }
  }
  const behind = createWriteBehind()
  const discardDamaged = async (kind: ContentKind, hash: Sha256): Promise<void> => {
    counts.damaged++
    warn('Stored content does not have the hash it is stored under; it is removed and counts as absent.', { kind, hash })
    const size = await sizeOf(kind, hash) ?? 0
    if (await remove(pathOf(kind, hash))) counts.diskBytes -= size
  }

  return {
    pathOf,
    sizeOf,
    discardDamaged,
    async read (kind, hash) {
      let bytes: Uint8Array
      try {
        bytes = await readFile(pathOf(kind, hash))
      } catch (error) {
        if (errorCode(error) !== 'ENOENT') warn('Stored content cannot be read.', { kind, hash, error: String(error) })
        return undefined
      }
      if (sha256(bytes) === hash) return bytes
      await discardDamaged(kind, hash)
      return undefined
    },
    write: (kind, hash, bytes) => write(kind, hash, bytes, writeDurably),
    writeBehind (kind, hash, bytes) {
      behind.add(bytes.length, async () => {
        if (await sizeOf(kind, hash) === undefined) await write(kind, hash, bytes, writeQuickly)
      })
    },
    stats: () => ({ ...counts, writesDropped: behind.dropped }),
    async close () {
      await sweep.stop()
      await behind.close()
    }
  }
}

/**
 * Counts what is there and removes what killed processes left, in the background. A file younger than `orphanAgeMs` may be
 * being written by another process on the same volume; for those a second pass follows.
 */
function startSweep (root: string, orphanAgeMs: number, counts: { diskBytes: number, orphansRemoved: number }): { stop: () => Promise<void> } {
  const startedAt = Date.now()
  const state: { stopped: boolean, timer: NodeJS.Timeout | undefined } = { stopped: false, timer: undefined }

  const pass = async (isFirst: boolean): Promise<void> => {
    let leftYoung = false
    for await (const { path, name } of listFiles(root, () => state.stopped)) {
      const facts = await stat(path).catch(() => undefined)
      if (facts === undefined) continue
      if (isSha256(`sha256:${name}`)) {
        if (isFirst && facts.ctimeMs < startedAt) counts.diskBytes += facts.size // later ones were counted as they were written
      } else if (Date.now() - facts.mtimeMs >= orphanAgeMs) {
        if (await remove(path)) counts.orphansRemoved++
      } else {
        leftYoung = true
      }
    }
    if (isFirst && leftYoung && !state.stopped) {
      state.timer = setTimeout(() => { running = pass(false) }, orphanAgeMs + 100)
      state.timer.unref()
    }
  }

  let running = pass(true)
  return {
    async stop () {
      state.stopped = true
      clearTimeout(state.timer)
      await running
    }
  }
}

async function * listFiles (root: string, isStopped: () => boolean): AsyncGenerator<{ path: string, name: string }> {
  for (const kind of KINDS) {
    const folders = await readdir(join(root, kind)).catch(() => [])
    for (const folder of folders) {
      const names = await readdir(join(root, kind, folder)).catch(() => [])
      for (const name of names) {
        if (isStopped()) return
        yield { path: join(root, kind, folder, name), name }
      }
    }
  }
}

async function remove (path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch {
    return false
  }
}
