import { ARCHIVE_SUFFIX } from '../identity/archive-places.js'
import { formatReference, type KernelReference } from '../identity/reference.js'
import type { Feed } from '../kernels/catalog/feed.js'
import type { FetchJobs } from '../kernels/fetch-jobs.js'
import type { OpenKernel } from '../kernels/sources/source.js'
import type { ServiceSettings, Warn } from '../settings/service-options.js'
import { createIndexes } from './indexes.js'
import { createPackagesSource, type PackagesSource } from './packages-source.js'
import { readRepositories } from './read-repositories.js'

export interface Packages {
  /** Distributions whose repositories are asked. */
  readonly distros: ReadonlySet<string>
  readonly source: PackagesSource
  /** What they list, for the catalog. */
  readonly feed: Feed
  close(): Promise<void>
}

const DEFAULT_DOWNLOADS = 2

/**
 * The package repositories that the settings ask for.
 *
 * @throws AppError `invalid_request`
 */
export function openPackages (
  settings: ServiceSettings,
  { open, jobs, warn }: { readonly open: OpenKernel, readonly jobs: FetchJobs, readonly warn: Warn }
): Packages {
  const { packages = [], cacheDir, packageDownloads = DEFAULT_DOWNLOADS, packageModules, catalogMs } = settings
  const limits = settings.sources?.fetch
  const repositories = readRepositories(packages)
  const indexes = createIndexes({
    repositories,
    directory: cacheDir,
    warn,
    network: settings.network,
    ...(limits === undefined ? {} : { limits }),
    ...(catalogMs === undefined ? {} : { intervalMs: catalogMs })
  })
  const source = createPackagesSource({
    repositories, indexes, open, jobs, downloads: packageDownloads, takesAllModules: packageModules === 'all'
  })
  const distros = new Set(repositories.map(({ distro }) => distro))
  return { distros, source, feed: createPackagesFeed(source, indexes.intervalMs), close: () => indexes.close() }
}

/** All published kernels, as the catalog lists what can be had. */
function createPackagesFeed (source: PackagesSource, intervalMs: number): Feed {
  let before: string | undefined
  return {
    source: source.name,
    what: 'package repositories',
    intervalMs,
    restore: async () => undefined,
    async load () {
      // By the half, since the next look may come sooner by its jitter, and would find an index just young enough to be passed over.
      await source.refresh(intervalMs / 2)
      const paths = [...new Set([...source.listings().values()].flat().map(pathOf))].sort()
      const now = paths.join('\n')
      if (now === before) return undefined
      before = now
      return paths
    },
    places: () => new Map([...source.listings()].map(([id, kernels]) => [id, kernels.map(pathOf)])),
    close: async () => {}
  }
}

function pathOf (reference: KernelReference): string { return `${formatReference(reference)}${ARCHIVE_SUFFIX}` }
