import { createLanes } from '../fetch/lanes.js'
import { gravest, type Refusal } from '../fetch/refusal.js'
import { formatReference, type KernelReference } from '../identity/reference.js'
import type { FetchJob, FetchJobs } from '../kernels/fetch-jobs.js'
import { agreementOfBuild, type WantedBuild } from '../kernels/matches.js'
import type {
  Candidates, FoundKernel, HeldCopy, KernelSource, ModuleOutcome, OpenKernel, SourceOutcome
} from '../kernels/sources/source.js'
import type { Published } from '../kernels/types.js'
import type { SharedBtf } from '../store/btf-memory.js'
import { createAllModules } from './all-modules.js'
import { chooseBuild, formatBuild } from './choose-build.js'
import { DOWNLOAD_MS } from './download.js'
import type { Indexes } from './indexes.js'
import { createKnownListings } from './known-listings.js'
import { createPackageContents } from './package-contents.js'
import { createPackageSearch, FRESH_MS, type Look } from './package-search.js'
import { mayHave, type Publication } from './publication.js'
import type { Repository } from './repository.js'

export interface PackagesSourceOptions {
  readonly repositories: readonly Repository[]
  readonly indexes: Indexes
  readonly open: OpenKernel
  readonly jobs: FetchJobs
  /** Packages that are downloaded at once. */
  readonly downloads: number
  /** Whether all modules of a kernel are taken when one is asked for. */
  readonly takesAllModules?: boolean
}

export interface PackagesSource extends KernelSource {
  /** The package of a kernel, as far as the indexes are known that list it. */
  published(reference: KernelReference): Published | undefined
  /** The kernels of each index that is known now, by the repository's id. */
  listings(): ReadonlyMap<string, readonly KernelReference[]>
  /** Looks at all indexes that are older, in milliseconds. Never rejects. */
  refresh(maxAgeMs: number): Promise<void>
  stats(): PackagesStats
}

export interface PackagesStats {
  readonly downloads: number
  readonly bytes: number
  readonly failures: number
  /** Kernels that the indexes list which are known now. */
  readonly published: number
}

/** Builds of one release that one look compares. */
const MOST_BUILDS = 4

/** The package repositories of distributions: each kernel's BTF is in the vmlinuz of its package. */
export function createPackagesSource (
  { repositories, indexes, open, jobs, downloads, takesAllModules = false }: PackagesSourceOptions
): PackagesSource {
  const lanes = createLanes(downloads)
  const contents = createPackageContents({ indexes, open, lanes })
  const all = takesAllModules ? createAllModules(contents) : undefined

  const listings = createKnownListings(repositories, indexes)
  const { search, searchBuilds, refresh } = createPackageSearch({ repositories, indexes, jobs, lanes })

  const beginJob = (reference: KernelReference, total: number | undefined): FetchJob => {
    const job = jobs.begin(reference)
    job.report({ phase: 'queued', bytes: 0, total })
    return job
  }

  const readAll = async (
    reference: KernelReference, builds: readonly Publication[], signal: AbortSignal
  ): Promise<{ readonly found: readonly FoundKernel[], readonly refusals: readonly Refusal[] }> => {
    const found: FoundKernel[] = []
    const refusals: Refusal[] = []
    const job = beginJob(reference, builds[0]?.kernel.image.bytes)
    try {
      for (const build of builds) {
        const outcome = await contents.kernel(build, { job, signal })
        if (outcome.state === 'found') found.push(outcome)
        else refusals.push(outcome)
      }
    } finally {
      job.end()
    }
    return { found, refusals }
  }

  /** The build whose modules fit BTF: the one that it was in, or another one in which the same is. */
  const buildOfBtf = async (
    builds: readonly Publication[],
    { base, held, wanted, job, signal }: {
      readonly base: SharedBtf
      readonly held: HeldCopy | undefined
      readonly wanted: WantedBuild
      readonly job: FetchJob
      readonly signal: AbortSignal
    }
  ): Promise<Publication | Refusal | undefined> => {
    const own = builds.find(({ kernel: { image } }) => image.sha256 === held?.etag)
    if (own !== undefined) return own
    for (const build of builds) {
      const read = contents.buildIn(build) === undefined ? await contents.kernel(build, { job, signal }) : undefined
      if (read !== undefined && read.state !== 'found') return read
      const known = contents.buildIn(build)
      if (known?.btf === base.sha256 && agreementOfBuild(wanted, known) !== 'other') return build
    }
    return undefined
  }

  return {
    name: 'packages',
    tellsBuilds: true,
    deadlineMs: DOWNLOAD_MS,
    async candidates (query): Promise<Candidates> {
      let look: Look = { publications: [], refusals: [] }
      for await (look of search(query)) if (look.publications.length > 0) break
      // A repository that cannot be read may have another kernel of that release.
      const worst = gravest(look.refusals)
      if (worst !== undefined && worst.state !== 'absent') return worst
      const byName = new Map(look.publications.map(({ kernel: { reference } }) => [formatReference(reference), reference]))
      return { state: 'listed', references: [...byName.values()] }
    },
    async fetch (reference, { signal, held, build: wanted = {} }): Promise<SourceOutcome> {
      if (!repositories.some(repository => mayHave(repository, reference))) {
        return {
          state: 'absent',
          answer: `not asked: no package repository of ${reference.distro}/${reference.distroVersion}/${reference.arch} is configured`
        }
      }
      const others: WantedBuild[] = []
      const otherBuilds: FoundKernel[] = []
      let unread: readonly Refusal[] = []
      for await (const { publications: builds, refusals } of searchBuilds(reference)) {
        unread = refusals
        if (builds.length > MOST_BUILDS) {
          return {
            state: 'absent',
            answer: `have ${builds.length} builds of ${formatReference(reference)}; at most ${MOST_BUILDS} are compared`
          }
        }
        if (held !== undefined && builds.some(({ kernel }) => kernel.image.sha256 === held.etag)) return { state: 'unchanged' }
        // What was read before is recorded, and is not read again for each build that somebody says to run.
        const passed = builds.flatMap(build => {
          const known = contents.buildIn(build)
          return known !== undefined && agreementOfBuild(wanted, known) === 'other' ? [{ build, known }] : []
        })
        others.push(...passed.map(({ known }) => known))
        const left = builds.filter(build => !passed.some(other => other.build === build))
        if (left.length === 0) continue
        const read = await readAll(reference, left, signal)
        const outcome = chooseBuild(read.found, read.refusals, wanted)
        if (outcome !== undefined) return { ...outcome, otherBuilds: [...otherBuilds, ...outcome.otherBuilds ?? []] }
        others.push(...read.found)
        otherBuilds.push(...read.found)
      }
      const worst = gravest(unread.filter(({ state }) => state !== 'absent'))
      if (worst !== undefined) return { ...worst, otherBuilds }
      const name = formatReference(reference)
      return {
        state: 'absent',
        answer: others.length === 0
          ? `list no kernel ${reference.release} for ${reference.distro}/${reference.distroVersion}/${reference.arch}`
          : `have ${name} with ${[...new Set(others.map(formatBuild))].join('; ')}, and not with ${formatBuild(wanted)}, which is meant`,
        retryAfterMs: FRESH_MS,
        otherBuilds
      }
    },
    async fetchModule (reference, module, { signal, base, held, keepOthers, build: wanted = {} }): Promise<ModuleOutcome> {
      let unread: readonly Refusal[] = []
      for await (const { publications: builds, refusals } of searchBuilds(reference)) {
        unread = refusals
        if (builds.length === 0 || builds.length > MOST_BUILDS) continue
        const job = beginJob(reference, builds[0]?.kernel.modules[0]?.bytes)
        try {
          const build = await buildOfBtf(builds, { base, held, wanted, job, signal })
          if (build === undefined) continue
          if ('state' in build) return build
          const outcome = await all?.fetch(module, build, { base, job, signal, ...(keepOthers === undefined ? {} : { keepOthers }) })
          if (outcome !== undefined) return outcome
          const found = await contents.module(module, build, { base, job, signal })
          if (found === undefined) {
            return { state: 'absent', answer: `has no module ${module} in the packages of ${formatReference(reference)}` }
          }
          return 'state' in found ? found : { state: 'found', ...found }
        } finally {
          job.end()
        }
      }
      return gravest(unread) ?? {
        state: 'absent',
        answer: `list no build of ${formatReference(reference)} any more that has the BTF which its modules have to fit`
      }
    },
    published (reference) {
      const found = listings.publicationOf(reference)
      if (found === undefined) return undefined
      const { name, version, bytes, builtAt } = found.kernel.image
      return { repository: found.repository.id, package: name, version, bytes, builtAt }
    },
    listings: listings.all,
    refresh,
    stats: () => ({ ...contents.stats(), published: listings.count() })
  }
}
