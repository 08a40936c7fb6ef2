import { createLanes } from '../fetch/lanes.js'
import { gravest, type Refusal } from '../fetch/refusal.js'
import { formatReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import { inferFromRelease } from '../identity/infer.js'
import { isSameDistro } from '../identity/platform.js'
import type { FetchJob, FetchJobs } from '../kernels/fetch-jobs.js'
import { agreementOfBuild, matchesName, type WantedBuild } from '../kernels/matches.js'
import type {
  Candidates, FoundKernel, HeldCopy, KernelSource, ModuleOutcome, OpenKernel, SourceOutcome
} from '../kernels/sources/source.js'
import type { Published } from '../kernels/types.js'
import type { SharedBtf } from '../store/btf-memory.js'
import { createAllModules } from './all-modules.js'
import { chooseBuild, formatBuild } from './choose-build.js'
import { DOWNLOAD_MS } from './download.js'
import type { Indexes, KnownIndex } from './indexes.js'
import { createPackageContents } from './package-contents.js'
import { createPastKernels } from './past/past-kernels.js'
import { mayHave, type Publication } from './publication.js'
import type { PublishedKernel } from './published.js'
import { isPast, type IndexedRepository, type Repository } from './repository.js'

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

/** A kernel that no index lists may have been published just now. No index is looked at again for that reason more often. */
const FRESH_MS = 10 * 60_000
/** Indexes may take so many milliseconds before who asks for a kernel is told to come again. */
const PATIENCE_MS = 1000
/** Builds of one release that one look compares. */
const MOST_BUILDS = 4

/** What one look for a kernel brought, and of which places it cannot be told whether they have it. */
interface Look {
  readonly publications: readonly Publication[]
  readonly refusals: readonly Refusal[]
}

/** The package repositories of distributions: each kernel's BTF is in the vmlinuz of its package. */
export function createPackagesSource (
  { repositories, indexes, open, jobs, downloads, takesAllModules = false }: PackagesSourceOptions
): PackagesSource {
  const lanes = createLanes(downloads)
  const contents = createPackageContents({ indexes, open, lanes })
  const all = takesAllModules ? createAllModules(contents) : undefined

  /** By name, for as long as the indexes stay the same. */
  const names = new Map<Repository, { kernels: readonly PublishedKernel[] | undefined, byName: ReadonlyMap<string, PublishedKernel> }>()
  const publicationOf = (reference: KernelReference): Publication | undefined => {
    const name = formatReference(reference)
    for (const repository of repositories) {
      const kernels = indexes.peek(repository).index?.kernels
      let known = names.get(repository)
      if (known === undefined || known.kernels !== kernels) {
        known = { kernels, byName: new Map((kernels ?? []).map(kernel => [formatReference(kernel.reference), kernel])) }
        names.set(repository, known)
      }
      const kernel = known.byName.get(name)
      if (kernel !== undefined) return { repository, kernel }
    }
    return undefined
  }

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

  /**
   * The looks for the kernels that a query means, one after the other: in what is known, in what is newer than that, in what is no longer
   * listed. Who has found what it needs goes no further.
   */
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

  /** The same for one kernel, with each build of it once. */
  async function * searchBuilds (reference: KernelReference): AsyncGenerator<Look> {
    const seen = new Set<string>()
    for await (const { publications, refusals } of search(reference)) {
      const builds = new Map(publications.map(publication => [publication.kernel.image.sha256, publication]))
      for (const sha256 of seen) builds.delete(sha256)
      for (const sha256 of builds.keys()) seen.add(sha256)
      yield { publications: [...builds.values()], refusals }
    }
  }

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
      const found = publicationOf(reference)
      if (found === undefined) return undefined
      const { name, version, bytes, builtAt } = found.kernel.image
      return { repository: found.repository.id, package: name, version, bytes, builtAt }
    },
    listings: () => new Map(repositories.flatMap(repository => {
      const kernels = indexes.peek(repository).index?.kernels
      return kernels === undefined ? [] : [[repository.id, kernels.map(({ reference }) => reference)]]
    })),
    async refresh (maxAgeMs) { await Promise.all(current.map(repository => indexes.get(repository, maxAgeMs, true))) },
    stats: () => ({
      ...contents.stats(),
      published: repositories.reduce((sum, repository) => sum + (indexes.peek(repository).index?.kernels.length ?? 0), 0)
    })
  }
}
