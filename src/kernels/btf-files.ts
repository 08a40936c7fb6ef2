import { rawBytes, type SharedBtf } from '../store/btf-memory.js'
import type { ContentStore } from '../store/content-store.js'
import type { Share } from '../store/disk-ledger.js'
import type { Unread } from '../store/read-failure.js'
import type { SealKeys } from '../store/seal.js'
import type { Sha256 } from '../store/sha256.js'
import type { CheckedBtf, PreparedBtf } from '../workers/protocol.js'
import type { WorkerPool } from '../workers/pool.js'

export interface BtfFilesOptions {
  readonly store: ContentStore
  readonly pool: WorkerPool
  /** Further files that may hold content, where the store does not: the running kernel's. */
  readonly otherPaths: (hash: Sha256) => readonly string[]
  /** With which indexes are sealed that are kept beside their BTF. Without any, none is kept. */
  readonly sealKeys?: SealKeys
}

/** What files had of a content. What is there and cannot be read is not lost. */
export interface FromFiles<T> {
  readonly found: T | undefined
  /** Whether it was found in the store's own file. */
  readonly isOwn: boolean
  /** Why the first file that could not be read could not be. */
  readonly unreadable: string | undefined
}

/** BTF in files, and the index that is kept beside it. Files that turn out to be damaged are discarded. */
export interface BtfFiles {
  /** In shared memory, checked against its hash, parsed or with the index that is kept. */
  load(hash: Sha256, base: SharedBtf | undefined): Promise<FromFiles<SharedBtf>>
  /** Raw bytes, checked. */
  read(hash: Sha256): Promise<FromFiles<Uint8Array>>
  /** Where those who read it past the memory find it. */
  places(hash: Sha256, base: Sha256 | undefined): CheckedBtf
  /** Puts it on disk with its index, unless it is there. Resolves when it is, or could not be put there. */
  write(btf: SharedBtf, share: Share): Promise<void>
  /** Puts an index beside BTF that is on disk. */
  keepIndex(hash: Sha256, index: Uint8Array): void
  stats(): { readonly indexesRead: number, readonly indexesMade: number }
}

export function createBtfFiles ({ store, pool, otherPaths, sealKeys = [] }: BtfFilesOptions): BtfFiles {
  const counts = { indexesRead: 0, indexesMade: 0 }

  const writeIndex = (hash: Sha256, index: Uint8Array): void => { store.rewriteBehind('index', hash, index.length, () => index) }
  /** Its memory is the file, and does not change. */
  const keepIndexOf = ({ sha256: hash, parts: { index }, isSealed }: SharedBtf): void => {
    if (isSealed) writeIndex(hash, new Uint8Array(index))
  }
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

  /** Asks one file after the other: ours, then the running kernel's. */
  const fromFiles = async <T extends object>(hash: Sha256, readFile: (path: string) => Promise<T | Unread>): Promise<FromFiles<T>> => {
    let unreadable: string | undefined
    const own = store.pathOf('btf', hash)
    for (const path of [own, ...otherPaths(hash)]) {
      const file = await readFile(path)
      if (!('state' in file) || !isUnread(file)) return { found: file, isOwn: path === own, unreadable }
      if (file.state === 'damaged' && path === own) await store.discardDamaged('btf', hash)
      if (file.state !== 'unreadable') continue
      unreadable ??= file.code
      store.noteUnreadable('btf', hash, file.code)
    }
    return { found: undefined, isOwn: false, unreadable }
  }
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

  return {
    async load (hash, base) {
      const { found, ...rest } = await fromFiles<{ readonly btf: SharedBtf }>(hash, path => prepareFile(path, hash, base))
      return { ...rest, found: found?.btf }
    },
    async read (hash) {
      const { found, ...rest } = await fromFiles<{ readonly bytes: Uint8Array }>(
        hash, path => pool.run({ kind: 'read', path, expected: hash })
      )
      return { ...rest, found: found?.bytes }
    },
    places: (hash, base) => ({
      paths: [store.pathOf('btf', hash), ...otherPaths(hash)],
      sha256: hash,
      ...(base === undefined ? { index: { path: store.pathOf('index', hash), sealKeys, isToBeMade: true } } : {})
    }),
    async write (btf, share) {
      const size = await store.sizeOf('btf', btf.sha256).catch(() => undefined) // writing tells what is wrong
      if (size === btf.parts.byteLength) return store.noteUse('btf', btf.sha256)
      if (await store.write('btf', btf.sha256, rawBytes(btf), share)) keepIndexOf(btf)
    },
    keepIndex (hash, index) {
      counts.indexesMade++
      writeIndex(hash, index)
    },
    stats: () => ({ ...counts })
  }
}

function isUnread (file: object & { readonly state: unknown }): file is Unread {
  return file.state === 'absent' || file.state === 'damaged' || file.state === 'unreadable'
}
