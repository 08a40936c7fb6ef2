import type { Refusal } from '../fetch/refusal.js'
import type { Lanes } from '../fetch/lanes.js'
import { inferFromRelease } from '../identity/infer.js'
import { isSameDistro } from '../identity/platform.js'
import type { KernelQuery, KernelReference } from '../identity/reference.js'
import type { FetchJob, FetchJobs } from '../kernels/fetch-jobs.js'
import { matchesName } from '../kernels/matches.js'
import type { Indexes, KnownIndex } from './indexes.js'
import { createPastKernels } from './past/past-kernels.js'
import { mayHave, type Publication } from './publication.js'
import { isPast, type IndexedRepository, type Repository } from './repository.js'

/** What one look for a kernel brought, and of which places it cannot be told whether they have it. */
export interface Look {
  readonly publications: readonly Publication[]
  readonly refusals: readonly Refusal[]
}

export interface PackageSearch {
  /**
   * The looks for the kernels that a query means, one after the other: in what is known, in what is newer than that, in what is no longer
   * listed. Who has found what it needs goes no further.
   */
  search(query: KernelQuery): AsyncGenerator<Look>
  /** The same for one kernel, with each build of it once. */
  searchBuilds(reference: KernelReference): AsyncGenerator<Look>
  /** Looks at all indexes of what is published now that are older, in milliseconds. */
  refresh(maxAgeMs: number): Promise<void>
}

/** A kernel that no index lists may have been published just now. No index is looked at again for that reason more often. */
export const FRESH_MS = 10 * 60_000
/** Indexes may take so many milliseconds before who asks for a kernel is told to come again. */
const PATIENCE_MS = 1000

export function createPackageSearch ({ repositories, indexes, jobs, lanes }: {
  readonly repositories: readonly Repository[]
  readonly indexes: Indexes
  readonly jobs: FetchJobs
  readonly lanes: Lanes
}): PackageSearch {
  const indexed = repositories.filter((repository): repository is IndexedRepository => !isPast(repository))
  const current = indexed.filter(({ isHistory = false }) => !isHistory)
  const history = indexed.filter(({ isHistory = false }) => isHistory)
  const past = createPastKernels({ repositories: repositories.filter(isPast), indexes, jobs, lanes })

  const know = async (
    asked: readonly IndexedRepository[], what: KernelQuery, maxAgeMs?: number
  ): Promise<Array<{ repository: IndexedRepository, known: KnownIndex }>> => {
    let job: FetchJob | undefined
    const timer = setTimeout(() => { job = jobs.begin(what) }, PATIENCE_MS)
    try {
      return await Promise.all(asked.map(async repository => ({ repository, known: await indexes.get(repository, maxAgeMs) })))
    } finally {
      clearTimeout(timer)
      job?.end()
    }
  }

  const find = async (query: KernelQuery, among: readonly IndexedRepository[], maxAgeMs?: number): Promise<Look> => {
    const asked = among.filter(repository => mayHave(repository, query))
    const states = await know(asked, query, maxAgeMs)
    return {
      publications: states.flatMap(({ repository, known }) => (known.index?.kernels ?? [])
        .filter(({ reference }) => reference.release === query.release && matchesName(query, reference))
        .map(kernel => ({ repository, kernel }))),
      refusals: states.flatMap(({ known }) => known.refusal ?? [])
    }
  }

  async function * search (query: KernelQuery): AsyncGenerator<Look> {
    yield await find(query, current)
    const fresh = await find(query, current, FRESH_MS)
    yield fresh
    // Its own distribution has to be named or known from its release: else every unknown name would ask all archives.
    const distro = query.distro ?? inferFromRelease(query.release).distro
    if (distro === undefined) return
    const old = await find(query, history.filter(repository => isSameDistro(distro, repository.distro)))
    yield { publications: old.publications, refusals: [...fresh.refusals, ...old.refusals] }
    const oldest = await past.find({ ...query, distro })
    yield { publications: oldest.publications, refusals: [...fresh.refusals, ...old.refusals, ...oldest.refusals] }
  }

  return {
    search,
    async * searchBuilds (reference) {
      const seen = new Set<string>()
      for await (const { publications, refusals } of search(reference)) {
        const builds = new Map(publications.map(publication => [publication.kernel.image.sha256, publication]))
        for (const sha256 of seen) builds.delete(sha256)
        for (const sha256 of builds.keys()) seen.add(sha256)
        yield { publications: [...builds.values()], refusals }
      }
    },
    async refresh (maxAgeMs) { await Promise.all(current.map(repository => indexes.get(repository, maxAgeMs, true))) }
  }
}
