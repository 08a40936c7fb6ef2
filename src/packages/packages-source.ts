import { createLanes } from '../fetch/lanes.js'
import { gravest, type Refusal } from '../fetch/refusal.js'
import { shownUrl } from '../fetch/http-client.js'
import { formatReference, type KernelQuery, type KernelReference } from '../identity/reference.js'
import { inferFromRelease } from '../identity/infer.js'
import { isSameDistro } from '../identity/platform.js'
import type { FetchJob, FetchJobs } from '../kernels/fetch-jobs.js'
import { matchesName } from '../kernels/matches.js'
import { openOrRefuse } from '../kernels/sources/open.js'
import type { Candidates, FoundKernel, KernelSource, ModuleOutcome, OpenKernel, SourceOutcome } from '../kernels/sources/source.js'
import type { Published } from '../kernels/types.js'
import { DOWNLOAD_MS, downloadPackage } from './download.js'
import type { Indexes, KnownIndex } from './indexes.js'
import { mayHave, type Publication } from './publication.js'
import type { PackageFile, PublishedKernel } from './published.js'
import { createPastKernels } from './past/past-kernels.js'
import { isPast, type IndexedRepository, type Repository } from './repository.js'
import type { KernelTask } from './worker/protocol.js'
import { below } from './urls.js'

export interface PackagesSourceOptions {
  readonly repositories: readonly Repository[]
  readonly indexes: Indexes
  readonly open: OpenKernel
  readonly jobs: FetchJobs
  /** Packages that are downloaded at once. */
  readonly downloads: number
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
/** Builds of one release that are compared. */
const MOST_BUILDS = 4

/** The package repositories of distributions: each kernel's BTF is in the vmlinuz of its package. */
export function createPackagesSource ({ repositories, indexes, open, jobs, downloads }: PackagesSourceOptions): PackagesSource {
  const lanes = createLanes(downloads)
  const counts = { downloads: 0, bytes: 0, failures: 0 }

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

  /** Where the kernels are that a query means, and which of the repositories could not be looked at. */
  const find = async (
    query: KernelQuery, among: readonly IndexedRepository[], maxAgeMs?: number
  ): Promise<{ publications: Publication[], refusals: Refusal[] }> => {
    const asked = among.filter(repository => mayHave(repository, query))
    const states = await know(asked, query, maxAgeMs)
    return {
      publications: states.flatMap(({ repository, known }) => (known.index?.kernels ?? [])
        .filter(({ reference }) => reference.release === query.release && matchesName(query, reference))
        .map(kernel => ({ repository, kernel }))),
      refusals: states.flatMap(({ known }) => known.refusal ?? [])
    }
  }

  /** Also where the kernel is newer than what is known, or older than what is still listed. */
  const search = async (query: KernelQuery): Promise<{ publications: Publication[], refusals: Refusal[] }> => {
    const known = await find(query, current)
    if (known.publications.length > 0) return known
    const fresh = await find(query, current, FRESH_MS)
    if (fresh.publications.length > 0) return fresh
    // Its own distribution has to be named or known from its release: else every unknown name would ask all archives.
    const distro = query.distro ?? inferFromRelease(query.release).distro
    if (distro === undefined) return fresh
    const old = await find(query, history.filter(repository => isSameDistro(distro, repository.distro)))
    if (old.publications.length > 0) return { publications: old.publications, refusals: [...fresh.refusals, ...old.refusals] }
    const oldest = await past.find({ ...query, distro })
    return { publications: oldest.publications, refusals: [...fresh.refusals, ...old.refusals, ...oldest.refusals] }
  }

  const fetchOne = async (
    reference: KernelReference, publication: Publication, job: FetchJob, signal: AbortSignal
  ): Promise<SourceOutcome> => await lanes.run(job, async () => {
    const { repository, kernel: { image } } = publication
    const task = await kernelTask(publication)
    const url = below(baseOf(publication), image.path)
    const downloaded = await downloadPackage({
      client: indexes.clientOf(repository),
      url,
      file: image,
      task,
      signal,
      onBytes: bytes => { job.report({ phase: 'package', bytes, total: image.bytes }) }
    })
    if (downloaded.state !== 'ok') return downloaded
    const { btf, kernelVersion, buildId } = downloaded.value
    const opened = await openOrRefuse(open, { bytes: btf }, { names: [] }, shownUrl(url))
    if (opened.state !== 'opened') return opened
    return {
      state: 'found',
      reference,
      btf: opened.btf,
      modules: [],
      url: shownUrl(url),
      etag: image.sha256,
      kernelVersion,
      package: { repository: repository.id, name: image.name, version: image.version },
      ...(buildId === undefined ? {} : { buildId })
    }
  })

  const counted = async <T extends { readonly state: string }>(bytes: number, work: () => Promise<T>): Promise<T> => {
    const outcome = await work()
    counts.downloads++
    if (outcome.state === 'found') counts.bytes += bytes
    else counts.failures++
    return outcome
  }

  const fetchAll = async (
    reference: KernelReference, publications: readonly Publication[], job: FetchJob, signal: AbortSignal
  ): Promise<SourceOutcome> => {
    const found: FoundKernel[] = []
    const refusals: Refusal[] = []
    for (const publication of publications) {
      const outcome = await counted(publication.kernel.image.bytes, () => fetchOne(reference, publication, job, signal))
      if (outcome.state === 'found') found.push(outcome)
      else if (outcome.state !== 'unchanged') refusals.push(outcome)
    }
    const worst = gravest(refusals)
    const [first, ...others] = found
    if (first === undefined || worst !== undefined) {
      return worst ?? { state: 'absent', answer: `lists no kernel ${formatReference(reference)}` }
    }
    if (others.every(({ btf }) => btf.sha256 === first.btf.sha256)) return first
    return {
      state: 'absent',
      answer: `has ${found.length} builds of ${formatReference(reference)} ` +
        `with different BTF (${publications.map(({ kernel }) => kernel.image.version).join(', ')})`
    }
  }

  const baseOf = ({ repository, base: own }: Publication): URL => {
    if (own !== undefined) return own
    const base = new URL(indexes.peek(repository).index?.base ?? repository.url)
    base.username = repository.url.username
    base.password = repository.url.password
    return base
  }

  const kernelTask = async ({ repository, kernel: { reference, image } }: Publication): Promise<KernelTask> => ({
    kind: 'kernel',
    format: repository.type === 'rpm' ? 'rpm' : 'deb',
    release: reference.release,
    arch: reference.arch,
    sha256: image.sha256,
    what: image.name,
    ...await signedBy(repository)
  })

  /** Where the index is not signed, the package has to be. */
  const signedBy = async (repository: Repository): Promise<Pick<KernelTask, 'signedBy'>> => {
    if (repository.type !== 'rpm') return {} // who signs for an apt repository signs its index
    const keyring = await indexes.keyringOf(repository)
    if (keyring === undefined || indexes.peek(repository).index?.isSigned === true) return {}
    return { signedBy: { keys: keyring.keys.map(key => key.write()), what: keyring.what } }
  }

  const fetchModuleFrom = async (
    module: string, publication: Publication, file: PackageFile, job: FetchJob, signal: AbortSignal
  ): Promise<Uint8Array | undefined | Refusal> => await lanes.run(job, async () => {
    const { kind: _, ...common } = await kernelTask(publication)
    const downloaded = await downloadPackage({
      client: indexes.clientOf(publication.repository),
      url: below(baseOf(publication), file.path),
      file,
      task: { ...common, kind: 'modules', names: [module], sha256: file.sha256, what: file.name },
      signal,
      onBytes: bytes => { job.report({ phase: 'package', bytes, total: file.bytes }) }
    })
    return downloaded.state === 'ok' ? downloaded.value.find(({ name }) => name === module)?.elf : downloaded
  })

  return {
    name: 'packages',
    deadlineMs: DOWNLOAD_MS,
    async candidates (query): Promise<Candidates> {
      const { publications, refusals } = await search(query)
      // A repository that cannot be read may have another kernel of that release.
      const worst = gravest(refusals)
      if (worst !== undefined && worst.state !== 'absent') return worst
      const byName = new Map(publications.map(({ kernel: { reference } }) => [formatReference(reference), reference]))
      return { state: 'listed', references: [...byName.values()] }
    },
    async fetch (reference, { signal, held }): Promise<SourceOutcome> {
      if (!repositories.some(repository => mayHave(repository, reference))) {
        return {
          state: 'absent',
          answer: `not asked: no package repository of ${reference.distro}/${reference.distroVersion}/${reference.arch} is configured`
        }
      }
      const { publications, refusals } = await search(reference)
      const builds = [...new Map(publications.map(publication => [publication.kernel.image.sha256, publication])).values()]
      if (builds.length === 0) {
        return gravest(refusals.filter(({ state }) => state !== 'absent')) ?? {
          state: 'absent',
          answer: `list no kernel ${reference.release} for ${reference.distro}/${reference.distroVersion}/${reference.arch}`,
          retryAfterMs: FRESH_MS
        }
      }
      if (builds.length > MOST_BUILDS) {
        return {
          state: 'absent',
          answer: `have ${builds.length} builds of ${formatReference(reference)}; at most ${MOST_BUILDS} are compared`
        }
      }
      if (held !== undefined && builds.some(({ kernel }) => kernel.image.sha256 === held.etag)) return { state: 'unchanged' }
      const job = jobs.begin(reference)
      job.report({ phase: 'queued', bytes: 0, total: builds[0]?.kernel.image.bytes })
      try {
        return await fetchAll(reference, builds, job, signal)
      } finally {
        job.end()
      }
    },
    async fetchModule (reference, module, { signal, base }): Promise<ModuleOutcome> {
      const { publications, refusals } = await search(reference)
      const [publication] = publications
      if (publication === undefined) {
        return gravest(refusals) ?? { state: 'absent', answer: `list no kernel ${formatReference(reference)} any more` }
      }
      const job = jobs.begin(reference)
      job.report({ phase: 'queued', bytes: 0, total: publication.kernel.modules[0]?.bytes })
      try {
        for (const file of publication.kernel.modules) {
          const found = await fetchModuleFrom(module, publication, file, job, signal)
          if (found === undefined) continue
          if ('state' in found) return found
          const url = shownUrl(below(baseOf(publication), file.path))
          const opened = await openOrRefuse(open, { bytes: found }, { names: [], base }, `${url}: ${module}`)
          return opened.state === 'opened' ? { state: 'found', btf: opened.btf, url } : opened
        }
      } finally {
        job.end()
      }
      return { state: 'absent', answer: `has no module ${module} in the packages of ${formatReference(reference)}` }
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
      ...counts,
      published: repositories.reduce((sum, repository) => sum + (indexes.peek(repository).index?.kernels.length ?? 0), 0)
    })
  }
}
