import { detectByteOrder } from '../btf/header.js'
import { AppError } from '../errors.js'
import type { OpenedKernel, OpenKernel } from './sources/source.js'
import { sharedKey, type BtfMemory, type SharedBtf } from '../store/btf-memory.js'
import type { ContentStore } from '../store/content-store.js'
import type { Share } from '../store/disk-ledger.js'
import { storageUnreadable, type Unread } from '../store/read-failure.js'
import type { SealKeys } from '../store/seal.js'
import type { Sha256 } from '../store/sha256.js'
import type { SharedContent } from '../store/shared/shared-content.js'
import { toShared } from '../store/shared-bytes.js'
import type { WorkerPool } from '../workers/pool.js'
import type { CheckedBtf, PreparedBtf, PrepareBtfTask, Task, TaskValue } from '../workers/protocol.js'
import type { Warn } from '../settings/service-options.js'

export interface BtfAccessOptions {
  readonly memory: BtfMemory
  readonly store: ContentStore
  readonly pool: WorkerPool
  readonly maxBtfBytes: number
  /** Told of large memory that nobody needs any more. In bytes. */
  readonly onRelease: (bytes: number) => void
  /** Further files that may hold content, where the store does not: the running kernel's. */
  readonly otherPaths: (hash: Sha256) => readonly string[]
  /** Whose content is by the names that stand for it; undefined where none is known. */
  readonly shareOf: (hash: Sha256) => Share | undefined
  /** With which indexes are sealed that are kept beside their BTF. Without any, none is kept. */
  readonly sealKeys?: SealKeys
  /** What other replicas hold. */
  readonly shared?: SharedContent | undefined
  readonly warn: Warn
}

/** Where content that is lost here once came from. */
export interface BtfOrigin {
  /** Has it fetched again. Undefined where that brought nothing. */
  recover(hash: Sha256, base?: SharedBtf): Promise<SharedBtf | undefined>
  /** Told of content that is nowhere any more. */
  forgetLost(hash: Sha256): Promise<void>
}

/**
 * BTF by content: memory, disk, the shared store, and the source that it once came from, in this order. Reading, hashing and
 * parsing are done by workers.
 */
export interface BtfAccess {
  /**
   * BTF that is held, in shared memory. One load for all who ask at a time.
   *
   * @throws AppError `btf_unknown`, `storage_unreadable`
   */
  load(hash: Sha256, base?: SharedBtf): Promise<SharedBtf>
  /** The same where it is in memory already. */
  peek(hash: Sha256, base?: SharedBtf): SharedBtf | undefined
  /** The same from memory or disk alone, and not kept in memory: for what is nice to know. Undefined where it is not there. */
  loadHere(hash: Sha256, base: SharedBtf): Promise<SharedBtf | undefined>
  /**
   * Where BTF can be had without keeping it in memory: it itself where it is there, else the files that may hold it. Does not count
   * as a use.
   */
  glance(hash: Sha256, base?: Sha256): CheckedBtf
  /** The same as `load`, past the memory. */
  loadPast(hash: Sha256, base?: SharedBtf): Promise<SharedBtf>
  /** Raw bytes that are held: of vmlinux or of a module. Undefined where there are none. */
  read(hash: Sha256): Promise<Uint8Array | undefined>
  sizeOf(hash: Sha256): Promise<number | undefined>
  /** Notes that BTF is in use, so that it stays on disk although it is read from memory. */
  noteUse(hashes: readonly Sha256[]): void
  /**
   * Reads BTF that came from outside: raw, or ELF. Neither stored nor kept in memory.
   *
   * @throws AppError `btf_invalid`, `too_large`
   */
  prepare(source: PrepareBtfTask['source'], base?: SharedBtf): Promise<SharedBtf>
  /**
   * The same of a kernel's file, which may be a .tar.xz and bring modules. Undefined where the file is not there.
   *
   * @throws AppError `btf_invalid`, `too_large`
   */
  open: OpenKernel
  /** Keeps prepared BTF: in memory, and on disk as part of that share. Resolves when it is on disk, or could not be put there. */
  keep(btf: SharedBtf, share: Share): Promise<void>
  /** Keeps the index of BTF that is on disk, made by somebody who read that past the memory. */
  keepIndex(hash: Sha256, index: Uint8Array): void
  /** What fetches kernels needs this access, and gives lost content back: it is named once it is there. */
  recoverFrom(origin: BtfOrigin): void
  /** `listener` is told of BTF that is taken in from now on. */
  onKept(listener: (btf: SharedBtf) => void): void
  /** Writes what is in memory only: after a time in which the disk took nothing. */
  saveHeld(): Promise<void>
  /** Of BTF on disk that was read and is worth it: how often its index was read, and how often it had to be made. */
  stats(): { readonly indexesRead: number, readonly indexesMade: number }
}

export function createBtfAccess ({
  memory,
  store,
  pool,
  maxBtfBytes,
  onRelease,
  otherPaths,
  shareOf,
  shared,
  sealKeys = [],
  warn
}: BtfAccessOptions): BtfAccess {
  const counts = { indexesRead: 0, indexesMade: 0 }
  const keptListeners: Array<(btf: SharedBtf) => void> = []
  let origin: BtfOrigin | undefined
  const requireSize = (bytes: number): void => {
    if (bytes > maxBtfBytes) {
      throw new AppError('too_large', `The BTF has ${bytes} bytes; at most ${maxBtfBytes} are taken.`, { bytes, limit: maxBtfBytes })
    }
  }
  const write = async (btf: SharedBtf, share: Share): Promise<void> => {
    const size = await store.sizeOf('btf', btf.sha256).catch(() => undefined) // writing tells what is wrong
    if (size === btf.parts.byteLength) return store.noteUse('btf', btf.sha256)
    if (await store.write('btf', btf.sha256, rawBytes(btf), share)) keepIndexOf(btf)
  }
  /** Its memory is the file, and does not change. */
  const keepIndexOf = ({ sha256: hash, parts: { index }, isSealed }: SharedBtf): void => {
    if (isSealed) writeIndex(hash, new Uint8Array(index))
  }
  const writeIndex = (hash: Sha256, index: Uint8Array): void => { store.rewriteBehind('index', hash, index.length, () => index) }
  /** An index that could not be used is made anew; one that is there and cannot be read is left alone. */
  const settleIndex = async ({ btf, indexFile: file }: Extract<PreparedBtf, { state: 'ready' }>): Promise<void> => {
    if (file === undefined) return
    if (file.state === 'ready') {
      counts.indexesRead++
      return
    }
    counts.indexesMade++
    if (file.state === 'unreadable') return store.noteUnreadable('index', btf.sha256, file.code)
    if (file.state === 'damaged') await store.discardDamaged('index', btf.sha256)
    keepIndexOf(btf)
  }

  /** Bytes that came from outside, in shared memory. */
  const take = (bytes: Uint8Array): { readonly bytes: Uint8Array } => {
    requireSize(bytes.length)
    if (bytes.buffer instanceof SharedArrayBuffer) return { bytes }
    onRelease(bytes.length) // it is garbage as soon as it is in shared memory
    return { bytes: toShared(bytes) }
  }
  /** Does a task; the bytes that it is given are garbage afterwards unless they are the BTF that comes of it. */
  const run = async <T extends Task>(task: T, given: { readonly bytes: Uint8Array } | undefined): Promise<TaskValue<T>> => {
    let isKept = false
    try {
      const value = await pool.run(task)
      isKept = given !== undefined && detectByteOrder(given.bytes) !== undefined
      return value
    } finally {
      if (given !== undefined && !isKept) onRelease(given.bytes.length)
    }
  }

  /** Files that may hold it: ours, then the running kernel's. */
  const readFiles = async <T extends object>(
    hash: Sha256,
    read: (path: string) => Promise<T | Unread>
  ): Promise<{ found: T | undefined, unreadable: string | undefined }> => {
    let unreadable: string | undefined
    const own = store.pathOf('btf', hash)
    for (const path of [own, ...otherPaths(hash)]) {
      const file = await read(path)
      if (!('state' in file) || !isUnread(file)) return { found: file, unreadable }
      if (file.state === 'damaged' && path === own) await store.discardDamaged('btf', hash)
      if (file.state !== 'unreadable') continue
      unreadable ??= file.code
      store.noteUnreadable('btf', hash, file.code)
    }
    return { found: undefined, unreadable }
  }
  const readBytes = async (hash: Sha256): Promise<{
    found: { readonly bytes: Uint8Array } | undefined
    unreadable: string | undefined
  }> => {
    const held = memory.find(hash)
    if (held !== undefined) return { found: { bytes: rawBytes(held) }, unreadable: undefined }
    return await readFiles<{ readonly bytes: Uint8Array }>(hash, path => pool.run({ kind: 'read', path, expected: hash }))
  }
  /** Memory and disk. */
  const readHere = async (hash: Sha256): Promise<Uint8Array | undefined> => (await readBytes(hash)).found?.bytes

  const prepareFile = async (path: string, expected: Sha256, base: SharedBtf | undefined): Promise<PreparedBtf> => {
    const prepared = await pool.run({
      kind: 'prepareBtf',
      source: { path },
      expected,
      maxBytes: Infinity,
      sealKeys,
      // Of BTF that is not ours yet, the index is written when it is.
      ...(path === store.pathOf('btf', expected) ? { indexPath: store.pathOf('index', expected) } : {}),
      ...(base === undefined ? {} : { base })
    })
    if (prepared.state === 'ready') await settleIndex(prepared)
    return prepared
  }
  const readShared = async (hash: Sha256, base: SharedBtf | undefined): Promise<SharedBtf | undefined> => {
    const bytes = await shared?.read('btf', hash)
    if (bytes === undefined) return undefined
    const prepared = await pool.run({
      kind: 'prepareBtf',
      source: { bytes },
      expected: hash,
      maxBytes: Infinity,
      sealKeys,
      ...(base === undefined ? {} : { base })
    })
    return prepared.state === 'ready' ? prepared.btf : undefined
  }
  const writeBehind = (btf: SharedBtf): void => { write(btf, shareOf(btf.sha256) ?? 'fetched').catch(() => {}) } // it warns by itself

  /**
   * The one way in which content that is not in memory is had, and the one place where it is given up: from files, from other
   * replicas, from the source that once gave it. What is there and cannot be read is not lost, and nothing of it is forgotten.
   */
  const obtain = async (hash: Sha256, base: SharedBtf | undefined): Promise<SharedBtf> => {
    const own = store.pathOf('btf', hash)
    let isOwn = false
    const { found, unreadable } = await readFiles<{ readonly btf: SharedBtf }>(hash, async path => {
      isOwn = path === own
      return await prepareFile(path, hash, base)
    })
    if (found !== undefined) {
      if (!isOwn) writeBehind(found.btf)
      return found.btf
    }
    const elsewhere = await readShared(hash, base) ?? await origin?.recover(hash, base)
    if (elsewhere !== undefined) {
      writeBehind(elsewhere)
      return elsewhere
    }
    if (unreadable !== undefined) throw storageUnreadable(`BTF ${hash}`, unreadable, { btf_sha256: hash })
    await origin?.forgetLost(hash)
    throw new AppError('btf_unknown', `The service does not hold BTF ${hash}; supply it, or name its kernel.`, { btf_sha256: hash })
  }

  return {
    peek: (hash, base) => memory.peek(sharedKey(hash, base?.sha256)),
    load: (hash, base) => memory.get(sharedKey(hash, base?.sha256), () => obtain(hash, base)),
    async loadHere (hash, base) {
      const held = memory.peek(sharedKey(hash, base.sha256))
      if (held !== undefined) return held
      return (await readFiles<{ readonly btf: SharedBtf }>(hash, path => prepareFile(path, hash, base))).found?.btf
    },
    glance: (hash, base) =>
      memory.glance(sharedKey(hash, base)) ?? {
        paths: [store.pathOf('btf', hash), ...otherPaths(hash)],
        sha256: hash,
        ...(base === undefined ? { index: { path: store.pathOf('index', hash), sealKeys, isToBeMade: true } } : {})
      },
    loadPast: async (hash, base) => memory.glance(sharedKey(hash, base?.sha256)) ?? await obtain(hash, base),
    noteUse (hashes) { for (const hash of hashes) store.noteUse('btf', hash) },
    async read (hash) {
      store.noteUse('btf', hash)
      const { found, unreadable } = await readBytes(hash)
      const bytes = found?.bytes ?? await shared?.read('btf', hash)
      if (bytes !== undefined) return bytes
      const recovered = await origin?.recover(hash)
      if (recovered !== undefined) return rawBytes(recovered)
      if (unreadable !== undefined) throw storageUnreadable(`BTF ${hash}`, unreadable, { btf_sha256: hash })
      return undefined
    },
    sizeOf: async hash => memory.find(hash)?.parts.byteLength ?? await store.sizeOf('btf', hash) ?? await shared?.sizeOf('btf', hash),
    async prepare (source, base) {
      const given = 'bytes' in source ? take(source.bytes) : undefined
      const task: PrepareBtfTask = {
        kind: 'prepareBtf',
        source: given ?? source,
        maxBytes: maxBtfBytes,
        ...('path' in source ? { sealKeys } : {}), // bytes are those of a request, or of a module: no index of them is kept
        ...(base === undefined ? {} : { base })
      }
      const prepared = await run(task, given)
      if (prepared.state !== 'ready') throw new AppError('btf_unknown', 'The BTF file is gone.')
      return prepared.btf
    },
    async open (content, { names, isArchive = false, expected, base }): Promise<OpenedKernel | undefined> {
      const given = 'bytes' in content ? take(content.bytes) : undefined
      const opened = await run({
        kind: 'openKernel',
        source: given ?? content,
        releases: names,
        isArchive,
        maxBytes: maxBtfBytes,
        sealKeys,
        ...(expected === undefined ? {} : { expected }),
        ...(base === undefined ? {} : { base })
      }, given)
      if (opened.state === 'absent') return undefined
      if (opened.skipped.length > 0) {
        warn('The BTF of some modules of a kernel cannot be used.',
          { kernel: names[0], modules: opened.skipped.length, first: opened.skipped[0] })
      }
      return { btf: opened.btf, modules: opened.modules }
    },
    async keep (btf, share) {
      memory.put(btf)
      const { sha256 } = btf
      await write(btf, share)
      for (const listener of keptListeners) listener(btf)
      shared?.offer('btf', sha256, () => readHere(sha256)).catch(() => {}) // the row that names it asks again
    },
    keepIndex (hash, index) {
      counts.indexesMade++
      writeIndex(hash, index)
    },
    recoverFrom (named) { origin = named },
    onKept (listener) { keptListeners.push(listener) },
    async saveHeld () {
      for (const btf of memory.list()) await write(btf, shareOf(btf.sha256) ?? 'fetched')
    },
    stats: () => ({ ...counts })
  }
}

/** The raw BTF behind the handle, not copied. */
export function rawBytes ({ parts }: SharedBtf): Uint8Array { return new Uint8Array(parts.bytes, parts.byteOffset, parts.byteLength) }

function isUnread (file: object & { readonly state: unknown }): file is Unread {
  return file.state === 'absent' || file.state === 'damaged' || file.state === 'unreadable'
}

/** Whether an error says that content is lost, and so the name that led to it is worth another look. */
export function isLost (error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'btf_unknown' && 'btf_sha256' in error.details
}
