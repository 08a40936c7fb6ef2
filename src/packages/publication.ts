import { isSameDistro, isSamePlatform } from '../identity/platform.js'
import type { KernelQuery } from '../identity/reference.js'
import type { PublishedKernel } from './published.js'
import type { Repository } from './repository.js'

/** A published kernel, and where. */
export interface Publication {
  readonly repository: Repository
  readonly kernel: PublishedKernel
  /** Where the paths begin, where that is not the repository's own index. */
  readonly base?: URL
}

/** Whether a repository can have what a query means, as far as the names tell. */
export function mayHave (repository: Repository, query: KernelQuery): boolean {
  const { distro, distroVersion } = repository
  if (query.distro !== undefined && query.distroVersion !== undefined) {
    return isSamePlatform({ distro: query.distro, distroVersion: query.distroVersion }, { distro, distroVersion })
  }
  return query.distro === undefined || isSameDistro(query.distro, distro)
}
