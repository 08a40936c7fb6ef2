import { openKernelIndex, type KernelIndex } from '../kernels/kernel-index.js'
import { shareOfSources } from '../kernels/kernel-record.js'
import { createSharedRecords } from '../kernels/shared-records.js'
import type { ServiceSettings, Warn } from '../settings/service-options.js'
import { createBtfMemory, rawBytes, type BtfMemory } from '../store/btf-memory.js'
import { contentPath } from '../store/content-path.js'
import { openContentStore, type ContentStore } from '../store/content-store.js'
import type { Share } from '../store/disk-ledger.js'
import { createDiskState, type DiskState } from '../store/disk-state.js'
import type { Sha256 } from '../store/sha256.js'
import type { SharedBucket } from '../store/shared/shared-bucket.js'
import { createSharedContent, type SharedContent } from '../store/shared/shared-content.js'
import type { WorkerPool } from '../workers/pool.js'

/** How soon a kernel that another process put into the cache counts here, where that makes a bare release ambiguous. */
const INDEX_WATCH_MS = 5000

/** What a service holds, and where: names in the index, content in memory, on disk and in the bucket that replicas share. */
export interface Storage {
  readonly memory: BtfMemory
  readonly disk: DiskState
  readonly index: KernelIndex
  readonly store: ContentStore
  readonly bucket: SharedBucket | undefined
  readonly shared: SharedContent | undefined
  /** Whose content is by the names that stand for it; undefined where none is known. */
  shareOf(hash: Sha256): Share | undefined
  /** Gives the other replicas what waits for them. Needs threads that run. */
  closeShared(): Promise<void>
  close(): Promise<void>
}

export interface StorageOptions {
  readonly settings: ServiceSettings
  readonly pool: WorkerPool
  /** Of BTF in memory, in bytes. */
  readonly memoryBytes: number
  /** Told of large memory that nobody needs any more. In bytes. */
  readonly onRelease: (bytes: number) => void
  readonly warn: Warn
}

/** Reads the names that the cache folder has. */
export async function openStorage ({ settings, pool, memoryBytes, onRelease, warn }: StorageOptions): Promise<Storage> {
  const memory = createBtfMemory({ maxBytes: memoryBytes, onRelease })
  const disk = createDiskState({
    directory: settings.cacheDir,
    onWarning: warn,
    ...(settings.diskRetryMs === undefined ? {} : { retryMs: settings.diskRetryMs })
  })
  const replicas = settings.sharedStore === undefined
    ? undefined
    : await openReplicas({ settings, bucket: settings.sharedStore, pool, memory, warn })
  const closeShared = async (): Promise<void> => { await replicas?.close() }
  try {
    const index = await openKernelIndex({
      directory: settings.cacheDir,
      disk,
      watchMs: INDEX_WATCH_MS,
      onWarning: warn,
      keepsSnapshot: true,
      ...(replicas === undefined ? {} : { elsewhere: { ...replicas.records, ...settings.sharedAges } })
    })
    const shareOf = (hash: Sha256): Share => shareOfSources(index.sourcesOf(hash))
    const store = openContentStore({
      directory: settings.cacheDir,
      disk,
      shareOf,
      onUploadEvicted: hash => { index.forgetUploads(hash) },
      onWarning: warn,
      ...(settings.cacheBytes === undefined ? {} : { maxBytes: settings.cacheBytes })
    })
    return {
      memory,
      disk,
      index,
      store,
      bucket: replicas?.bucket,
      shared: replicas?.content,
      shareOf,
      closeShared,
      async close () {
        await index.close()
        await store.close()
        disk.close()
      }
    }
  } catch (error) {
    await closeShared()
    disk.close()
    throw error
  }
}

/** The tier that replicas share: its content, and the rows of its index, which name content that is there. */
async function openReplicas ({ settings, bucket: place, pool, memory, warn }: Pick<StorageOptions, 'settings' | 'pool' | 'warn'> & {
  readonly bucket: NonNullable<ServiceSettings['sharedStore']>
  readonly memory: BtfMemory
}) {
  const { createSharedBucket } = await import('../store/shared/shared-bucket.js') // it loads undici, which not every service needs
  const bucket = createSharedBucket({ settings: place, network: settings.network, onWarning: warn })
  const content = createSharedContent({ bucket, maxBytes: Math.max(settings.maxBtfBytes, settings.maxObjectBytes), onWarning: warn })
  const readBtf = async (hash: Sha256): Promise<Uint8Array | undefined> => {
    const held = memory.find(hash)
    if (held !== undefined) return rawBytes(held)
    const file = await pool.run({ kind: 'read', path: contentPath(settings.cacheDir, 'btf', hash), expected: hash })
    return file.state === 'ready' ? file.bytes : undefined
  }
  const records = createSharedRecords({
    bucket,
    place: hash => content.offer('btf', hash, () => readBtf(hash)),
    trustUploads: settings.trustUploads,
    onWarning: warn
  })
  return {
    bucket,
    content,
    records,
    async close () {
      await bucket.close(() => records.waiting > 0)
      records.close()
    }
  }
}
