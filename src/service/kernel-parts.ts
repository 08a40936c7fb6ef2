import { randomUUID } from 'node:crypto'
import { createBtfAccess, type BtfAccess } from '../kernels/btf-access.js'
import type { Catalog } from '../kernels/catalog/catalog.js'
import { openCatalog } from '../kernels/catalog/open-catalog.js'
import { createFetchJobs, type FetchJobs } from '../kernels/fetch-jobs.js'
import { createFetching, type Fetching } from '../kernels/fetching.js'
import { createKernels, type Kernels } from '../kernels/kernels.js'
import { createLayoutTables, type LayoutTables } from '../kernels/layout-tables.js'
import { createLocalFiles } from '../kernels/local-files.js'
import { createLocalKernel, type LocalKernel } from '../kernels/local-kernel.js'
import { recordsOfName } from '../kernels/resolve.js'
import { createSources } from '../kernels/sources/create-sources.js'
import type { PresetFor, PublishedOf } from '../kernels/types.js'
import { presetCovering } from '../packages/covered.js'
import type { Packages } from '../packages/open-packages.js'
import type { ServiceSettings, Warn } from '../settings/service-options.js'
import type { SealKeys } from '../store/seal.js'
import { openWatch } from '../watch/open-watch.js'
import type { Watch } from '../watch/watch.js'
import type { Storage } from './storage.js'
import type { Threads } from './threads.js'

/** The longest that fetching a kernel ahead may take: other downloads may come before. */
const FETCH_AHEAD_MS = 3 * 3_600_000

/** Where kernels come from, and what is known of them. */
export interface KernelParts {
  readonly btfs: BtfAccess
  readonly tables: LayoutTables
  readonly jobs: FetchJobs
  readonly packages: Packages | undefined
  readonly catalog: Catalog
  readonly hasSources: boolean
  readonly fetching: Fetching
  readonly local: LocalKernel
  readonly kernels: Kernels
  readonly presetFor: PresetFor
  readonly watch: Watch | undefined
  /** Reads the running kernel and the lists of the sources. */
  start(): Promise<void>
  /** Ends all connections to sources. */
  close(): Promise<void>
}

export interface KernelPartsOptions {
  readonly settings: ServiceSettings
  readonly threads: Threads
  readonly storage: Storage
  /** With which indexes beside BTF are sealed. */
  readonly sealKeys: SealKeys
  /** Told of large memory that nobody needs any more. In bytes. */
  readonly onRelease: (bytes: number) => void
  readonly warn: Warn
}

export async function openKernelParts (
  { settings, threads, storage, sealKeys, onRelease, warn }: KernelPartsOptions
): Promise<KernelParts> {
  const { index, store, memory, shared, shareOf, bucket, disk } = storage
  const { trustUploads } = settings
  const files = createLocalFiles()
  const btfs = createBtfAccess({
    memory,
    store,
    shared,
    pool: threads.pool,
    warn,
    shareOf,
    maxBtfBytes: settings.maxBtfBytes,
    onRelease,
    sealKeys,
    otherPaths: files.pathsOf
  })
  const tables = createLayoutTables({
    store,
    glance: hash => btfs.glance(hash),
    pool: threads.lane,
    inTurn: threads.turns.run,
    threads: threads.laneThreads,
    isBusy: threads.isBusy
  })
  btfs.onKept(btf => { if (btf.key === btf.sha256) tables.prepare(btf.sha256) }) // tables are of kernels, not of modules
  store.onWithoutLayout(hash => { if (index.byBtf(hash).length > 0) tables.prepare(hash) })

  const self = randomUUID()
  const jobs = createFetchJobs()
  const packages = (settings.packages ?? []).length === 0
    ? undefined
    : (await import('../packages/open-packages.js')).openPackages(settings, { open: btfs.open, jobs, warn })
  const catalog = await openCatalog(settings, warn, packages === undefined ? [] : [packages.feed])
  const { sources, client } = await createSources(settings, {
    open: btfs.open,
    self,
    catalog,
    ...(packages === undefined ? {} : { packages: packages.source })
  })
  const fetching = createFetching({ sources, index, btfs, self, trustUploads, settings: settings.sources ?? {}, warn, jobs })
  btfs.recoverFrom(fetching)

  const local = createLocalKernel({ settings, index, btfs, files, warn })
  const publishedOf: PublishedOf = reference => packages?.source.published(reference)
  const presetFor: PresetFor = reference => packages?.distros.has(reference.distro) === true ? undefined : presetCovering(reference)
  const kernels = createKernels({ index, btfs, local, fetching, catalog, trustUploads, publishedOf, presetFor })
  const watch = await openWatch(settings, {
    catalog,
    bucket,
    warn,
    publishedOf,
    fetch: async reference => await kernels.get(reference, { isAhead: true, waitMs: FETCH_AHEAD_MS }),
    findHeld (reference) {
      const [first, ...others] = recordsOfName(index, reference, trustUploads)
      return others.every(({ btfSha256 }) => btfSha256 === first?.btfSha256) ? first : undefined
    }
  })
  if (watch !== undefined) {
    fetching.onKept(reference => { watch.noteHeld(reference) })
    catalog.onLook(() => { watch.look().catch(() => {}) }) // it warns by itself
  }
  disk.onRecovered(() => { btfs.saveHeld().catch(() => {}) }) // it warns by itself

  return {
    btfs,
    tables,
    jobs,
    packages,
    catalog,
    hasSources: sources.length > 0,
    fetching,
    local,
    kernels,
    presetFor,
    watch,
    async start () { await Promise.all([local.start(), catalog.start()]) },
    async close () {
      const watched = watch?.close()
      fetching.close()
      await catalog.close()
      await watched
      await packages?.close()
      await client?.close()
      await local.close()
    }
  }
}
