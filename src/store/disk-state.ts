import { randomBytes } from 'node:crypto'
import { statfs, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from './error-code.js'
import { makeFolder } from './folder.js'

export interface DiskStateOptions {
  readonly directory: string
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
  /** How long to leave a disk alone that took nothing, in milliseconds. */
  readonly retryMs?: number
}

/** What is wrong with the disk: no room left on it, or it takes no writes at all (read-only, no permission, broken). */
export type DiskTrouble = 'full' | 'unwritable'

/**
 * Whether the cache's disk takes writes. Once it does not, nothing more is tried but a small file now and then, so that a full
 * or broken disk costs requests nothing; when that file can be written again, storing goes on.
 */
export interface DiskState {
  readonly trouble: DiskTrouble | undefined
  /**
   * Bytes that may still be written: what is free on the volume beyond a reserve that is left to others (a hard-full volume
   * breaks more than this cache). Infinity where the volume does not tell.
   */
  room(): Promise<Room>
  /**
   * The same for a small write that may fail: as it was measured within the last second, less what was asked for since, where
   * that leaves the volume at ease.
   *
   * @param bytes that are to be written
   */
  recentRoom(bytes: number): Promise<Room>
  /** A write failed. Stops storing where the error says that the next one would fail too. */
  failed(error: unknown): void
  /** There was no room for a write. */
  isFull(facts: Record<string, unknown>): void
  /** Called whenever the disk takes writes again. */
  onRecovered(listener: () => void): void
  close(): void
}

export interface Room {
  readonly spare: number
  /** Below this much the cache gives way: it removes what it can have again, instead of growing. */
  readonly comfortable: number
}

/** Of the volume, kept free of content. */
const RESERVE_SHARE = 0.03
const MAX_RESERVE = 1024 ** 3
const DEFAULT_RETRY_MS = 10_000
const RECENT_MS = 1000
/** More than what fits into an inode or a last block. */
const PROBE_BYTES = 64 * 1024

/**
 * Errors that may come from the moment and not from the disk: a folder that was just deleted, too many open files. (Making a
 * folder on a read-only disk fails with ENOENT as well.) A small file tells.
 */
const PASSING = new Set(['ENOENT', 'ENOTEMPTY', 'EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY', 'EINTR'])
const FULL = new Set(['ENOSPC', 'EDQUOT'])

export function createDiskState (options: DiskStateOptions): DiskState {
  const { directory, onWarning: warn = () => {}, retryMs = DEFAULT_RETRY_MS } = options
  const listeners: Array<() => void> = []
  const folder = join(directory, 'content', 'btf', '00') // where the sweep finds it if the process is killed
  const probePath = join(folder, `probe-${randomBytes(6).toString('base64url')}`)
  let trouble: DiskTrouble | undefined
  let timer: NodeJS.Timeout | undefined
  let isSuspected = false
  let isClosed = false
  /** What recentRoom measured, and when by performance.now(). */
  let recent: Room & { readonly at: number } | undefined

  const room = async (): Promise<Room> => {
    try {
      const { bavail, blocks, bsize } = await statfs(directory)
      const reserve = Math.min(MAX_RESERVE, blocks * bsize * RESERVE_SHARE)
      return { spare: bavail * bsize - reserve, comfortable: reserve }
    } catch {
      return { spare: Infinity, comfortable: 0 } // no folder yet, or a system that does not tell: the write itself will
    }
  }
  const recentRoom = async (bytes: number): Promise<Room> => {
    let known = recent
    if (known === undefined || performance.now() - known.at >= RECENT_MS || known.spare - bytes < known.comfortable) {
      known = { ...await room(), at: performance.now() }
    }
    const { spare, comfortable, at } = known
    recent = { spare: spare - bytes, comfortable, at }
    return { spare, comfortable }
  }
  const enter = (found: DiskTrouble, facts: Record<string, unknown>): void => {
    if (trouble === undefined && !isClosed) {
      const why = found === 'full' ? 'The disk is full' : 'The disk takes no writes'
      warn(`${why}: content cannot be stored on disk. The service goes on without storing, and tries again by itself.`,
        { directory, ...facts })
      schedule()
    }
    trouble = found
    recent = undefined
  }
  const suspect = (error: unknown): void => {
    if (isSuspected || trouble !== undefined) return
    isSuspected = true
    writeProbe().then(isWritable => {
      isSuspected = false
      if (!isWritable) enter('unwritable', { error: String(error) })
    }).catch(() => {}) // it does not reject
  }
  const schedule = (): void => {
    timer = setTimeout(() => { probe().catch(() => {}) }, retryMs)
    timer.unref()
  }
  const probe = async (): Promise<void> => {
    const isWritable = await writeProbe()
    if (isClosed) return
    if (!isWritable) return schedule()
    trouble = undefined
    warn('The disk takes writes again; storing goes on.', { directory })
    for (const listener of listeners) listener()
  }
  const writeProbe = async (): Promise<boolean> => {
    try {
      await makeFolder(folder)
      const { spare, comfortable } = await room()
      if (spare < comfortable) return false // twice the reserve, so that a disk at the edge does not go back and forth
      await writeFile(probePath, new Uint8Array(PROBE_BYTES))
      return true
    } catch {
      return false
    } finally {
      await unlink(probePath).catch(() => {})
    }
  }

  return {
    get trouble () { return trouble },
    room,
    recentRoom,
    failed (error) {
      const code = errorCode(error)
      if (code !== undefined && PASSING.has(code)) return suspect(error)
      enter(code === undefined || FULL.has(code) ? 'full' : 'unwritable', { error: String(error) })
    },
    isFull: facts => { enter('full', facts) },
    onRecovered: listener => { listeners.push(listener) },
    close () {
      isClosed = true
      clearTimeout(timer)
    }
  }
}
