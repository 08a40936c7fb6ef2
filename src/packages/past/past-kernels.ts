import { LRUCache } from 'lru-cache'
import type { Errand, Lanes } from '../../fetch/lanes.js'
import type { Refusal } from '../../fetch/refusal.js'
import { normalizeArch } from '../../identity/arch.js'
import type { KernelQuery } from '../../identity/reference.js'
import type { FetchJobs } from '../../kernels/fetch-jobs.js'
import type { Indexes } from '../indexes.js'
import { mayHave, type Publication } from '../publication.js'
import type { PastRepository } from '../repository.js'
import { findPast, type PastKernel } from './find-past.js'

export interface PastKernelsOptions {
  readonly repositories: readonly PastRepository[]
  readonly indexes: Indexes
  readonly jobs: FetchJobs
  /** Room for what costs as much as a download. */
  readonly lanes: Lanes
}

/** Kernels that no index lists any more: each archive is asked for one release at a time. */
export interface PastKernels {
  /** Never rejects for what an origin does. */
  find(query: KernelQuery): Promise<{ readonly publications: Publication[], readonly refusals: Refusal[] }>
}

/** Releases that were found, which stay as they are. */
const MOST_KNOWN = 500

export function createPastKernels ({ repositories, indexes, jobs, lanes }: PastKernelsOptions): PastKernels {
  const known = new LRUCache<string, readonly PastKernel[]>({ max: MOST_KNOWN })

  const findOne = async (repository: PastRepository, release: string, errand: Errand): Promise<readonly PastKernel[] | Refusal> => {
    const key = `${repository.id} ${release}`
    const held = known.get(key)
    if (held !== undefined) return held
    const found = await lanes.run(errand, async () => await findPast({
      repository,
      client: indexes.clientOf(repository),
      keyring: await indexes.keyringOf(repository),
      release,
      signal: indexes.signal,
      now: Date.now()
    }))
    if (found.state !== 'ok') return found
    known.set(key, found.kernels)
    return found.kernels
  }

  return {
    async find (query) {
      const asked = repositories.filter(repository => mayHave(repository, query) &&
        (query.arch === undefined || normalizeArch(query.arch) === normalizeArch(repository.arch)))
      const publications: Publication[] = []
      const refusals: Refusal[] = []
      if (asked.length === 0) return { publications, refusals }
      const job = jobs.begin(query)
      try {
        for (const repository of asked) {
          const found = await findOne(repository, query.release, job)
          if ('state' in found) refusals.push(found)
          else publications.push(...found.map(({ kernel, base }) => ({ repository, kernel, base })))
        }
      } finally {
        job.end()
      }
      return { publications, refusals }
    }
  }
}
