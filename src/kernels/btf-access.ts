import { AppError } from '../errors.js'
import type { OpenedKernel, OpenKernel } from './sources/source.js'
import { sharedKey, type BtfMemory, type SharedBtf } from '../store/btf-memory.js'
import type { ContentStore } from '../store/content-store.js'
import type { Sha256 } from '../store/sha256.js'
import type { SharedStore } from './shared-store.js'
import { toShared } from '../store/shared-bytes.js'
import type { WorkerPool } from '../workers/pool.js'
import type { PrepareBtfTask } from '../workers/protocol.js'
import type { Warn } from '../settings.js'

export interface BtfAccessOptions {
  readonly memory: BtfMemory
  readonly store: ContentStore
  readonly pool: WorkerPool
  readonly maxBtfBytes: number
  /** Told of large memory that nobody needs any more. In bytes. */
  readonly onRelease: (bytes: number) => void
  /** Further files that may hold content, where the store does not: the running kernel's. */
  readonly otherPaths: (hash: Sha256) => readonly string[]
  /** Has content fetched again that a source once gave and that is lost here. Undefined where that brought nothing. */
  readonly recover: (hash: Sha256, base?: SharedBtf) => Promise<SharedBtf | undefined>
  /** What other replicas hold. */
  readonly shared?: SharedStore | undefined
  readonly warn: Warn
}

/** BTF by content: memory, disk, the shared store, and the source that it once came from, in this order. Reading, hashing and parsing are done by workers. */
export interface BtfAccess {
  /**
   * BTF that is held, in shared memory. One load for all who ask at a time.
   *
   * @throws AppError `btf_unknown`
   */
  load(hash: Sha256, base?: SharedBtf): Promise<SharedBtf>
  /** The same where it is in memory already. */
  peek(hash: Sha256, base?: SharedBtf): SharedBtf | undefined
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
  /** Keeps prepared BTF: in memory and on disk. Resolves when it is on disk, or could not be put there. */
  keep(btf: SharedBtf): Promise<void>
  /** Writes what is in memory only: after a time in which the disk took nothing. */
  saveHeld(): Promise<void>
}

export function createBtfAccess ({ memory, store, pool, maxBtfBytes, onRelease, otherPaths, recover, shared, warn }: BtfAccessOptions): BtfAccess {
  const readFile = async (path: string, expected: Sha256, base: SharedBtf | undefined): Promise<SharedBtf | 'absent' | 'damaged'> => {
    const prepared = await pool.run({ kind: 'prepareBtf', source: { path }, expected, maxBytes: Infinity, ...(base === undefined ? {} : { base }) })
    return prepared.state === 'ready' ? prepared.btf : prepared.state
  }
  const requireSize = (bytes: number): void => {
    if (bytes > maxBtfBytes) throw new AppError('too_large', `The BTF has ${bytes} bytes; at most ${maxBtfBytes} are taken.`, { bytes, limit: maxBtfBytes })
  }
  const write = async (btf: SharedBtf): Promise<void> => {
    if (await store.sizeOf('btf', btf.sha256) === btf.parts.byteLength) return store.noteUse('btf', btf.sha256)
    await store.write('btf', btf.sha256, rawBytes(btf))
  }

  /** Memory and disk. */
  const readHere = async (hash: Sha256): Promise<Uint8Array | undefined> => {
    const held = memory.find(hash)
    if (held !== undefined) return rawBytes(held)
    for (const path of [store.pathOf('btf', hash), ...otherPaths(hash)]) {
      const file = await pool.run({ kind: 'read', path, expected: hash })
      if (file.state === 'ready') return file.bytes
      if (file.state === 'damaged' && path === store.pathOf('btf', hash)) await store.discardDamaged('btf', hash)
    }
    return undefined
  }
  const readShared = async (hash: Sha256, base: SharedBtf | undefined): Promise<SharedBtf | undefined> => {
    const bytes = await shared?.read('btf', hash)
    if (bytes === undefined) return undefined
    const prepared = await pool.run({ kind: 'prepareBtf', source: { bytes }, expected: hash, maxBytes: Infinity, ...(base === undefined ? {} : { base }) })
    if (prepared.state !== 'ready') return undefined
    write(prepared.btf).catch(() => {}) // it warns by itself
    return prepared.btf
  }

  return {
    peek: (hash, base) => memory.peek(sharedKey(hash, base?.sha256)),
    load: (hash, base) => memory.get(sharedKey(hash, base?.sha256), async () => {
      const stored = await readFile(store.pathOf('btf', hash), hash, base)
      if (typeof stored === 'object') return stored
      if (stored === 'damaged') await store.discardDamaged('btf', hash)
      for (const path of otherPaths(hash)) {
        const found = await readFile(path, hash, base)
        if (typeof found === 'string') continue
        write(found).catch(() => {}) // it warns by itself
        return found
      }
      const elsewhere = await readShared(hash, base) ?? await recover(hash, base)
      if (elsewhere !== undefined) return elsewhere
      throw new AppError('btf_unknown', `The service does not hold BTF ${hash}; supply it, or name its kernel.`, { btf_sha256: hash })
    }),
    noteUse (hashes) { for (const hash of hashes) store.noteUse('btf', hash) },
    async read (hash) {
      store.noteUse('btf', hash)
      const here = await readHere(hash)
      if (here !== undefined) return here
      const bytes = await shared?.read('btf', hash)
      if (bytes !== undefined) return bytes
      const recovered = await recover(hash)
      return recovered === undefined ? undefined : rawBytes(recovered)
    },
    sizeOf: async hash => memory.find(hash)?.parts.byteLength ?? await store.sizeOf('btf', hash) ?? await shared?.sizeOf('btf', hash),
    async prepare (source, base) {
      let shared = source
      if ('bytes' in source) {
        requireSize(source.bytes.length)
        onRelease(source.bytes.length) // an upload is garbage as soon as it is in shared memory
        shared = { bytes: toShared(source.bytes) }
      }
      const task: PrepareBtfTask = { kind: 'prepareBtf', source: shared, maxBytes: maxBtfBytes, ...(base === undefined ? {} : { base }) }
      const prepared = await pool.run(task)
      if (prepared.state !== 'ready') throw new AppError('btf_unknown', 'The BTF file is gone.')
      return prepared.btf
    },
    async open (content, { names, isArchive = false, expected, base }): Promise<OpenedKernel | undefined> {
      let source = content
      if ('bytes' in content) {
        requireSize(content.bytes.length)
        if (!(content.bytes.buffer instanceof SharedArrayBuffer)) source = { bytes: toShared(content.bytes) }
        onRelease(content.bytes.length)
      }
      const opened = await pool.run({
        kind: 'openKernel', source, releases: names, isArchive, maxBytes: maxBtfBytes, ...(expected === undefined ? {} : { expected }), ...(base === undefined ? {} : { base })
      })
      if (opened.state === 'absent') return undefined
      if (opened.skipped.length > 0) warn('The BTF of some modules of a kernel cannot be used.', { kernel: names[0], modules: opened.skipped.length, first: opened.skipped[0] })
      return { btf: opened.btf, modules: opened.modules }
    },
    async keep (btf) {
      memory.put(btf)
      const { sha256 } = btf
      await write(btf)
      shared?.offer('btf', sha256, () => readHere(sha256))
    },
    async saveHeld () {
      for (const btf of memory.list()) await write(btf)
    }
  }
}

/** The raw BTF behind the handle, not copied. */
export function rawBytes ({ parts }: SharedBtf): Uint8Array { return new Uint8Array(parts.bytes, parts.byteOffset, parts.byteLength) }
