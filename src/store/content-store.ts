import { readFile } from 'node:fs'
import { stat, unlink, utimes } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { AppError } from '../errors.js'
import { writeAtomically, writeDurably } from './atomic-file.js'
import { contentPathIn, rootOf } from './content-path.js'
import { startContentSweep } from './content-sweep.js'
import { createDiskBudget } from './disk-budget.js'
import { createDiskLedger, type FoundFile, type Share } from './disk-ledger.js'
import { createDiskState, type Room } from './disk-state.js'
import { isAbsence, storageUnreadable, toUnread } from './read-failure.js'
import { sha256, type Sha256 } from './sha256.js'
import { withOpenFile } from './open-files.js'
import { createSingleFlight } from './single-flight.js'
import {
  isContentKind, SHARE_OF_KIND, splitKey, STORED_KINDS, type ContentKind, type StoredKey, type StoredKind
} from './stored-kinds.js'
import type { ContentStore, ContentStoreOptions } from './types.js'
import { createWriteBehind } from './write-behind.js'

export type { ContentStore, ContentStoreOptions } from './types.js'

// That of node:fs/promises costs the event loop twice as much, most of all for files that are not there.
const readWhole = promisify(readFile)

/** How the room for so many bytes is learned. */
type FindRoom = (bytes: number) => Promise<Room>

/** What can be made again has time, and must not take it from what cannot. */
const DERIVED_PACE = { burst: 32, perSecond: 10 }
const DEFAULT_ORPHAN_AGE_MS = 10_000
const DEFAULT_SWEEP_INTERVAL_MS = 600_000

export function openContentStore (options: ContentStoreOptions): ContentStore {
  const { directory, maxBytes = Infinity, shareOf = () => 'spare', onWarning: warn = () => {} } = options
  const disk = options.disk ?? createDiskState({ directory, onWarning: warn })
  const ledger = createDiskLedger<StoredKey>(key => {
    const [kind, hash] = splitKey(key)
    return kind === 'btf' ? shareOf(hash) : SHARE_OF_KIND[kind]
  })
  const counts = { written: 0, writeFailures: 0, writesSkipped: 0, damaged: 0, unreadable: 0, orphansRemoved: 0 }

  const roots = new Map(STORED_KINDS.map(kind => [kind, rootOf(directory, kind)]))
  const pathOf = (kind: StoredKind, hash: Sha256): string => contentPathIn(roots.get(kind) ?? rootOf(directory, kind), hash)
  const sizeOf = async (kind: ContentKind, hash: Sha256): Promise<number | undefined> => {
    try {
      return (await stat(pathOf(kind, hash))).size
    } catch (error) {
      const unread = toUnread(error)
      if (unread.state === 'absent') return undefined
      throw unreadableContent(kind, hash, unread.code)
    }
  }
  const budget = createDiskBudget<StoredKey>({
    ledger,
    maxBytes,
    pathOf: key => pathOf(...splitKey(key)),
    onKeptEvicted (key, share) {
      warn('The part of the cache budget (CORELO_CACHE_BYTES) for uploads or imports is used up. ' +
        'The least recently used of them was removed, and no source can replace it.', { content: key, share })
      if (share === 'upload') options.onUploadEvicted?.(splitKey(key)[1])
    },
    async onEvicted (key) {
      const [kind, hash] = splitKey(key)
      if (kind === 'btf') await removeIndex(hash)
    }
  })
  /** An index is of no use without its BTF. A layout table is: it tells kernels apart whose BTF is not held any more. */
  const removeIndex = async (hash: Sha256): Promise<void> => {
    ledger.drop(`index ${hash}`)
    await remove(pathOf('index', hash))
  }
  const noteUse = (kind: StoredKind, hash: Sha256): void => {
    if (kind === 'btf') noteUse('index', hash)
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
      // What is made of content is made again where a power failure took it: flushing costs as much as writing.
      await (isContentKind(kind) ? writeDurably : writeAtomically)(pathOf(kind, hash), bytes)
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

  let tellOfLacking: ((hash: Sha256) => void) | undefined
  let lackingBefore: readonly Sha256[] = []
  const behind = createWriteBehind()
  const derived = createWriteBehind(DERIVED_PACE)
  const sweep = startContentSweep({
    roots,
    orphanAgeMs: options.orphanAgeMs ?? DEFAULT_ORPHAN_AGE_MS,
    intervalMs: options.sweepIntervalMs ?? DEFAULT_SWEEP_INTERVAL_MS,
    onOrphan () { counts.orphansRemoved++ },
    onWalked (found, startedAt) {
      ledger.adopt(found as ReadonlyMap<StoredKey, FoundFile>, startedAt) // its kinds are the roots' above
      budget.start()
      for (const hash of strayIndexes(found, startedAt)) removeIndex(hash).catch(() => {}) // it does not reject
      if (disk.trouble !== undefined || ledger.bytes > ROOMY_SHARE * maxBytes) return
      const lacking = withoutLayout(found)
      if (tellOfLacking === undefined) lackingBefore = lacking
      else lacking.forEach(tellOfLacking)
    }
  })
  const noteUnreadable = (kind: StoredKind, hash: Sha256, code: string): void => {
    counts.unreadable++
    warn('Stored content cannot be read; it is kept, and read again when it is next asked for.', { kind, hash, error: code })
  }
  const readAny = async (kind: StoredKind, hash: Sha256): ReturnType<ContentStore['readDerived']> => {
    try {
      return await withOpenFile(() => readWhole(pathOf(kind, hash)))
    } catch (error) {
      const unread = toUnread(error)
      if (unread.state === 'unreadable') noteUnreadable(kind, hash, unread.code)
      return unread
    }
  }
  const discardDamaged = async (kind: StoredKind, hash: Sha256): Promise<void> => {
    counts.damaged++
    warn(isContentKind(kind)
      ? 'Stored content does not have the hash it is stored under; it is removed and counts as absent.'
      : 'A file that is made of content is not as this service made it; it is removed, and made anew.', { kind, hash })
    ledger.drop(`${kind} ${hash}`)
    await remove(pathOf(kind, hash))
    if (kind === 'btf') await removeIndex(hash)
  }

  return {
    pathOf,
    sizeOf,
    noteUse,
    noteUnreadable,
    discardDamaged,
    readDerived: readAny,
    async read (kind, hash) {
      const bytes = await readAny(kind, hash)
      if (!(bytes instanceof Uint8Array)) {
        if (bytes.state === 'absent') return undefined
        throw unreadableContent(kind, hash, bytes.code)
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
    rewriteBehind (kind, hash, bytes, make) {
      if (disk.trouble !== undefined) {
        counts.writesSkipped++
        return false
      }
      return derived.add(bytes, async () => {
        const made = await make()
        if (made !== undefined) await writeOnce(kind, hash, made, size => disk.recentRoom(size), SHARE_OF_KIND[kind])
      })
    },
    onWithoutLayout (listener) {
      tellOfLacking = listener
      lackingBefore.forEach(listener)
      lackingBefore = []
    },
    stats: () => ({
      diskBytes: ledger.bytes,
      files: ledger.files,
      ...counts,
      ...budget.counts,
      writesDropped: behind.dropped + derived.dropped
    }),
    async close () {
      await sweep.stop()
      await behind.close()
      await derived.close()
      await budget.close()
      if (options.disk === undefined) disk.close()
    }
  }
}

/** BTF is written before its index: an index that is older than a minute and stands alone has lost it. */
const STRAY_AFTER_MS = 60_000

/** Of the budget, up to which what can be made ahead is made. */
const ROOMY_SHARE = 0.9

function unreadableContent (kind: ContentKind, hash: Sha256, code: string): AppError {
  return storageUnreadable(kind === 'btf' ? `BTF ${hash}` : `Object ${hash}`, code)
}

function withoutLayout (found: ReadonlyMap<string, FoundFile>): Sha256[] {
  return [...found.keys()].flatMap(key => {
    const [kind, hash] = splitKey(key as StoredKey) // as above
    return kind === 'btf' && !found.has(`layout ${hash}`) ? [hash] : []
  })
}

function strayIndexes (found: ReadonlyMap<string, FoundFile>, startedAt: number): Sha256[] {
  return [...found].flatMap(([key, { mtimeMs }]) => {
    const [kind, hash] = splitKey(key as StoredKey) // as above
    return kind === 'index' && mtimeMs < startedAt - STRAY_AFTER_MS && !found.has(`btf ${hash}`) ? [hash] : []
  })
}

async function remove (path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch {
    return false
  }
}
