import { readFile, stat, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from './atomic-file.js'
import { startContentSweep } from './content-sweep.js'
import { createDiskBudget } from './disk-budget.js'
import { createDiskLedger, type Share } from './disk-ledger.js'
import { createDiskState, type DiskState, type Room } from './disk-state.js'
import { isAbsence, storageUnreadable, toUnread } from './read-failure.js'
import { hexOf, sha256, type Sha256 } from './sha256.js'
import { withOpenFile } from './open-files.js'
import { createSingleFlight } from './single-flight.js'
import { createWriteBehind } from './write-behind.js'

/** What content is: raw BTF, or an eBPF object. */
export type ContentKind = 'btf' | 'object'

/** What is stored: content, or a table that is made of BTF, has its hash for a name, and can be made of it again. */
export type StoredKind = ContentKind | 'layout'

const KINDS: readonly StoredKind[] = ['btf', 'object', 'layout']

export interface ContentStoreOptions {
  readonly directory: string
  /** Budget in bytes, of BTF and objects together. Undefined: none, for a command that adds to the cache of a service. */
  readonly maxBytes?: number
  /**
   * Whose BTF is by the names that stand for it now. Asked when it comes up for removal; undefined where that cannot be told yet.
   * Without it, no BTF has a name.
   */
  readonly shareOf?: (hash: Sha256) => Share | undefined
  /** Told of uploads that made room for others. */
  readonly onUploadEvicted?: (hash: Sha256) => void
  /** Whether the disk takes writes, where others want to know as well. */
  readonly disk?: DiskState
  /** Told of what was passed over: a write that failed, a file that was damaged. Never of a secret or of content. */
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
  /** How old a temporary file must be to count as left over by a killed process. */
  readonly orphanAgeMs?: number
  /** Between two looks at what other processes did to the folder. */
  readonly sweepIntervalMs?: number
}

/**
 * Immutable content by SHA-256 on disk: `content/<kind>/<first two hex digits>/<hex>`.
 *
 * A file is complete or absent, whenever the process is killed, and no byte is used that was not hashed after reading. Content
 * that cannot be written is not held. Content that is there and cannot be read is neither absent nor removed.
 *
 * Within the budget, the least recently used of its own share goes first (see DiskBudget): an object goes for objects, an upload
 * for uploads.
 * The order outlives the process in the files' own times, an hour coarse. Nothing is removed before a first walk over the cache
 * is done, which nobody waits for. Several processes may share the folder: each looks again from time to time, and before it
 * removes a file, whether another one has used it. A process removes nothing that it knows another to have just used, and
 * together they stay within the largest of their budgets, but for what was written since they last looked.
 *
 * As the volume itself fills up the store gives way: it removes what can be had again to make room for what is new. Where
 * others have used up even the reserve that it leaves free, it stops storing (see DiskState).
 */
export interface ContentStore {
  /** Where content is or would be, for a worker that reads or writes it. */
  pathOf(kind: StoredKind, hash: Sha256): string
  /**
   * Reads and verifies. Undefined where there is no such content, or none that is intact.
   *
   * @throws AppError `storage_unreadable` where it is there and cannot be read
   */
  read(kind: ContentKind, hash: Sha256): Promise<Uint8Array | undefined>
  /**
   * Size of the file in bytes, unverified.
   *
   * @throws AppError `storage_unreadable`
   */
  sizeOf(kind: ContentKind, hash: Sha256): Promise<number | undefined>
  /** Notes that content was used, wherever it was read from. Cheap enough for every request. */
  noteUse(kind: StoredKind, hash: Sha256): void
  /**
   * Writes, flushed to the disk. False where the disk did not take it. The hash must be that of the bytes; of a layout table, that of the
   * BTF. BTF is an operator's unless said otherwise.
   */
  write(kind: StoredKind, hash: Sha256, bytes: Uint8Array, share?: Share): Promise<boolean>
  /** Counts content that a reader could not read, and warns. Nothing is removed. */
  noteUnreadable(kind: ContentKind, hash: Sha256, code: string): void
  /** Removes a file that a reader found damaged. */
  discardDamaged(kind: ContentKind, hash: Sha256): Promise<void>
  /** Writes in the background what is not there yet, and only as fast as is good for the disk: see write-behind.ts. May be lost. */
  writeBehind(kind: ContentKind, hash: Sha256, bytes: Uint8Array): void
  stats(): ContentStoreStats
  /** Ends the sweep that runs since opening, and writes what is queued. */
  close(): Promise<void>
}

export interface ContentStoreStats {
  /** Bytes of content on disk: what the sweep has counted, and what was written since. */
  readonly diskBytes: number
  readonly files: number
  readonly written: number
  readonly writeFailures: number
  /** Writes that were not tried, because the disk is known to take none or content is larger than the budget. */
  readonly writesSkipped: number
  /** Writes that the queue had no room for. */
  readonly writesDropped: number
  readonly evicted: number
  /** Of those, what nobody else can give again. */
  readonly keptEvicted: number
  readonly damaged: number
  /** Reads of files that are there and could not be read. */
  readonly unreadable: number
  readonly orphansRemoved: number
}

/** Whose what is not BTF is: a table can be had again, as what a source gave. */
const SHARE_OF_KIND: Readonly<Record<Exclude<StoredKind, 'btf'>, Share>> = { object: 'object', layout: 'fetched' }

/** How the room for so many bytes is learned. */
type FindRoom = (bytes: number) => Promise<Room>

const DEFAULT_ORPHAN_AGE_MS = 10_000
const DEFAULT_SWEEP_INTERVAL_MS = 600_000

type Key = `${StoredKind} ${Sha256}`

export function openContentStore (options: ContentStoreOptions): ContentStore {
  const { directory, maxBytes = Infinity, shareOf = () => 'spare', onWarning: warn = () => {} } = options
  const disk = options.disk ?? createDiskState({ directory, onWarning: warn })
  const ledger = createDiskLedger<Key>(key => {
    const [kind, hash] = splitKey(key)
    return kind === 'btf' ? shareOf(hash) : SHARE_OF_KIND[kind]
  })
  const counts = { written: 0, writeFailures: 0, writesSkipped: 0, damaged: 0, unreadable: 0, orphansRemoved: 0 }

  const rootOf = (kind: StoredKind): string => join(directory, 'content', kind)
  const pathOf = (kind: StoredKind, hash: Sha256): string => {
    const hex = hexOf(hash)
    return join(rootOf(kind), hex.slice(0, 2), hex)
  }
  const sizeOf = async (kind: ContentKind, hash: Sha256): Promise<number | undefined> => {
    try {
      return (await stat(pathOf(kind, hash))).size
    } catch (error) {
      const unread = toUnread(error)
      if (unread.state === 'absent') return undefined
      throw storageUnreadable(kind === 'btf' ? `BTF ${hash}` : `Object ${hash}`, unread.code)
    }
  }
  const budget = createDiskBudget<Key>({
    ledger,
    maxBytes,
    pathOf: key => pathOf(...splitKey(key)),
    onKeptEvicted (key, share) {
      warn('The part of the cache budget (CORELO_CACHE_BYTES) for uploads or imports is used up. ' +
        'The least recently used of them was removed, and no source can replace it.', { content: key, share })
      if (share === 'upload') options.onUploadEvicted?.(splitKey(key)[1])
    }
  })
  const noteUse = (kind: StoredKind, hash: Sha256): void => {
    if (!ledger.use(`${kind} ${hash}`)) return
    const now = new Date()
    utimes(pathOf(kind, hash), now, now).catch(() => {}) // it is gone, or the disk takes no writes: then nothing is evicted either
  }

  const write = async (kind: StoredKind, hash: Sha256, bytes: Uint8Array, findRoom: FindRoom, share: Share): Promise<boolean> => {
    if (disk.trouble !== undefined || bytes.length > maxBytes) {
      counts.writesSkipped++
      return false
    }
    const room = await findRoom(bytes.length)
    const release = room.spare < 0 ? () => {} : await budget.reserve(bytes.length, room, share)
    if (release === undefined) {
      counts.writesSkipped++
      warn('Content cannot be stored: the cache budget (CORELO_CACHE_BYTES) is full of content that must not be removed for it. ' +
        'It is served from memory.', { kind, hash, share, bytes: bytes.length })
      return false
    }
    try {
      const { spare } = room.spare > bytes.length ? room : await disk.room()
      if (spare < bytes.length) {
        counts.writesSkipped++
        disk.isFull({ free_beyond_reserve: Math.floor(spare), needed: bytes.length })
        return false
      }
      await writeDurably(pathOf(kind, hash), bytes)
      counts.written++
      ledger.add(`${kind} ${hash}`, bytes.length, share)
      return true
    } catch (error) {
      counts.writeFailures++
      warn('Content cannot be stored on disk; it is served from memory.', { kind, hash, error: String(error) })
      disk.failed(error)
      return false
    } finally {
      release()
    }
  }
  const writes = createSingleFlight<boolean>()
  const writeOnce = (kind: StoredKind, hash: Sha256, bytes: Uint8Array, findRoom: FindRoom, share: Share): Promise<boolean> =>
    writes.run(`${kind} ${hash}`, () => write(kind, hash, bytes, findRoom, share))

  const behind = createWriteBehind()
  const sweep = startContentSweep({
    roots: new Map(KINDS.map(kind => [kind, rootOf(kind)])),
    orphanAgeMs: options.orphanAgeMs ?? DEFAULT_ORPHAN_AGE_MS,
    intervalMs: options.sweepIntervalMs ?? DEFAULT_SWEEP_INTERVAL_MS,
    onOrphan () { counts.orphansRemoved++ },
    onWalked (found, startedAt) {
      ledger.adopt(found as ReadonlyMap<Key, { bytes: number, mtimeMs: number }>, startedAt) // its kinds are the roots' above
      budget.start()
    }
  })
  const noteUnreadable = (kind: ContentKind, hash: Sha256, code: string): void => {
    counts.unreadable++
    warn('Stored content cannot be read; it is kept, and read again when it is next asked for.', { kind, hash, error: code })
  }
  const discardDamaged = async (kind: ContentKind, hash: Sha256): Promise<void> => {
    counts.damaged++
    warn('Stored content does not have the hash it is stored under; it is removed and counts as absent.', { kind, hash })
    ledger.drop(`${kind} ${hash}`)
    await remove(pathOf(kind, hash))
  }

  return {
    pathOf,
    sizeOf,
    noteUse,
    noteUnreadable,
    discardDamaged,
    async read (kind, hash) {
      let bytes: Uint8Array
      try {
        bytes = await withOpenFile(() => readFile(pathOf(kind, hash)))
      } catch (error) {
        const unread = toUnread(error)
        if (unread.state === 'absent') return undefined
        noteUnreadable(kind, hash, unread.code)
        throw storageUnreadable(kind === 'btf' ? `BTF ${hash}` : `Object ${hash}`, unread.code)
      }
      if (sha256(bytes) === hash) {
        noteUse(kind, hash)
        return bytes
      }
      await discardDamaged(kind, hash)
      return undefined
    },
    write: (kind, hash, bytes, share = kind === 'btf' ? 'kept' : SHARE_OF_KIND[kind]) =>
      writeOnce(kind, hash, bytes, () => disk.room(), share),
    writeBehind (kind, hash, bytes) {
      if (disk.trouble !== undefined) {
        counts.writesSkipped++
        return
      }
      behind.add(bytes.length, async () => {
        const isThere = await stat(pathOf(kind, hash)).then(() => true, error => !isAbsence(error))
        if (!isThere) await writeOnce(kind, hash, bytes, size => disk.recentRoom(size), kind === 'object' ? 'object' : 'fetched')
      })
    },
    stats: () => ({ diskBytes: ledger.bytes, files: ledger.files, ...counts, ...budget.counts, writesDropped: behind.dropped }),
    async close () {
      await sweep.stop()
      await behind.close()
      await budget.close()
      if (options.disk === undefined) disk.close()
    }
  }
}

function splitKey (key: Key): [StoredKind, Sha256] {
  const at = key.indexOf(' ')
  return [key.slice(0, at) as StoredKind, key.slice(at + 1) as Sha256] // the type says that it has both
}

async function remove (path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch {
    return false
  }
}
