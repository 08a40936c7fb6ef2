import { detectByteOrder } from '../btf/header.js'
import { AppError } from '../errors.js'
import { createBtfFiles, type BtfFilesOptions, type FromFiles } from './btf-files.js'
import type { OpenedKernel, OpenKernel } from './sources/source.js'
import { rawBytes, sharedKey, type BtfMemory, type SharedBtf } from '../store/btf-memory.js'
import type { Share } from '../store/disk-ledger.js'
import { storageUnreadable } from '../store/read-failure.js'
import type { Sha256 } from '../store/sha256.js'
import type { SharedContent } from '../store/shared/shared-content.js'
import { toShared } from '../store/shared-bytes.js'
import type { CheckedBtf, PrepareBtfTask, Task, TaskValue } from '../workers/protocol.js'
import type { Warn } from '../settings/service-options.js'

export interface BtfAccessOptions extends BtfFilesOptions {
  readonly memory: BtfMemory
  readonly maxBtfBytes: number
  /** Told of large memory that nobody needs any more. In bytes. */
  readonly onRelease: (bytes: number) => void
  /** Whose content is by the names that stand for it; undefined where none is known. */
  readonly shareOf: (hash: Sha256) => Share | undefined
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

export function createBtfAccess (options: BtfAccessOptions): BtfAccess {
  const { memory, store, pool, maxBtfBytes, onRelease, shareOf, shared, sealKeys = [], warn } = options
  const files = createBtfFiles(options)
  const keptListeners: Array<(btf: SharedBtf) => void> = []
  let origin: BtfOrigin | undefined

  /** Bytes that came from outside, in shared memory. */
  const take = (bytes: Uint8Array): { readonly bytes: Uint8Array } => {
    if (bytes.length > maxBtfBytes) {
      throw new AppError('too_large', `The BTF has ${bytes.length} bytes; at most ${maxBtfBytes} are taken.`,
        { bytes: bytes.length, limit: maxBtfBytes })
    }
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

  /** Memory and files. */
  const readHere = async (hash: Sha256): Promise<Pick<FromFiles<Uint8Array>, 'found' | 'unreadable'>> => {
    const held = memory.find(hash)
    return held === undefined ? await files.read(hash) : { found: rawBytes(held), unreadable: undefined }
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
  const writeBehind = (btf: SharedBtf): void => { files.write(btf, shareOf(btf.sha256) ?? 'fetched').catch(() => {}) } // it warns by itself

  /**
   * The one way in which content that is not in memory is had, and the one place where it is given up: from files, from other
   * replicas, from the source that once gave it. What is there and cannot be read is not lost, and nothing of it is forgotten.
   */
  const obtain = async (hash: Sha256, base: SharedBtf | undefined): Promise<SharedBtf> => {
    const { found, isOwn, unreadable } = await files.load(hash, base)
    const btf = found ?? await readShared(hash, base) ?? await origin?.recover(hash, base)
    if (btf !== undefined) {
      if (!isOwn) writeBehind(btf)
      return btf
    }
    if (unreadable !== undefined) throw storageUnreadable(`BTF ${hash}`, unreadable, { btf_sha256: hash })
    await origin?.forgetLost(hash)
    throw new AppError('btf_unknown', `The service does not hold BTF ${hash}; supply it, or name its kernel.`, { btf_sha256: hash })
  }

  return {
    peek: (hash, base) => memory.peek(sharedKey(hash, base?.sha256)),
    load: (hash, base) => memory.get(sharedKey(hash, base?.sha256), () => obtain(hash, base)),
    async loadHere (hash, base) {
      return memory.peek(sharedKey(hash, base.sha256)) ?? (await files.load(hash, base)).found
    },
    glance: (hash, base) => memory.glance(sharedKey(hash, base)) ?? files.places(hash, base),
    loadPast: async (hash, base) => memory.glance(sharedKey(hash, base?.sha256)) ?? await obtain(hash, base),
    noteUse (hashes) { for (const hash of hashes) store.noteUse('btf', hash) },
    async read (hash) {
      store.noteUse('btf', hash)
      const { found, unreadable } = await readHere(hash)
      const bytes = found ?? await shared?.read('btf', hash)
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
      await files.write(btf, share)
      for (const listener of keptListeners) listener(btf)
      shared?.offer('btf', sha256, async () => (await readHere(sha256)).found).catch(() => {}) // the row that names it asks again
    },
    keepIndex: files.keepIndex,
    recoverFrom (named) { origin = named },
    onKept (listener) { keptListeners.push(listener) },
    async saveHeld () {
      for (const btf of memory.list()) await files.write(btf, shareOf(btf.sha256) ?? 'fetched')
    },
    stats: files.stats
  }
}

/** Whether an error says that content is lost, and so the name that led to it is worth another look. */
export function isLost (error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'btf_unknown' && 'btf_sha256' in error.details
}
