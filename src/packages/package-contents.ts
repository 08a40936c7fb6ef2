import { LRUCache } from 'lru-cache'
import { shownUrl } from '../fetch/shown-url.js'
import type { Lanes } from '../fetch/lanes.js'
import type { Refusal } from '../fetch/refusal.js'
import { formatReference } from '../identity/reference.js'
import type { FetchJob } from '../kernels/fetch-jobs.js'
import type { WantedBuild } from '../kernels/matches.js'
import { openOrRefuse } from '../kernels/sources/open.js'
import type { FoundKernel, OpenedModule, OpenKernel } from '../kernels/sources/source.js'
import { atMost } from '../store/at-most.js'
import type { SharedBtf } from '../store/btf-memory.js'
import type { Sha256 } from '../store/sha256.js'
import { createSingleFlight } from '../store/single-flight.js'
import { downloadPackage, type Downloaded } from './download.js'
import type { Indexes } from './indexes.js'
import type { Publication } from './publication.js'
import type { PackageFile } from './published.js'
import type { Repository } from './repository.js'
import { below } from './urls.js'
import type { KernelTask, ModulesTask } from './worker/protocol.js'

export interface PackageContentsOptions {
  readonly indexes: Indexes
  readonly open: OpenKernel
  readonly lanes: Lanes
}

/** Which build of a kernel a package has, by what was read of it. */
export interface PackagedBuild extends WantedBuild {
  readonly btf: Sha256
}

/** ELF file or raw BTF of a module, and where it was. */
export interface PackagedModule {
  readonly bytes: Uint8Array
  readonly url: string
}

interface Reading {
  readonly job: FetchJob
  readonly signal: AbortSignal
}

/** What packages have in them. Nothing rejects for what an origin did. */
export interface PackageContents {
  /** The kernel of a package. One download for all who ask at a time. */
  kernel(publication: Publication, reading: Reading): Promise<FoundKernel | Refusal>
  /** One module of a kernel; undefined where its packages do not have it. */
  module(
    name: string, publication: Publication, reading: Reading & { readonly base: SharedBtf }
  ): Promise<OpenedModule | undefined | Refusal>
  /** All modules of a kernel that have BTF, by their names. */
  allModules(publication: Publication, reading: Reading): Promise<ReadonlyMap<string, PackagedModule> | Refusal>
  openModule(name: string, module: PackagedModule, base: SharedBtf): Promise<OpenedModule | Refusal>
  /** The build in a package, where that was read since the start. */
  buildIn(publication: Publication): PackagedBuild | undefined
  stats(): { readonly downloads: number, readonly bytes: number, readonly failures: number }
}

/** Packages of which it is remembered what they have. Each is some 300 bytes. */
const MOST_KNOWN = 10_000

export function createPackageContents ({ indexes, open, lanes }: PackageContentsOptions): PackageContents {
  const counts = { downloads: 0, bytes: 0, failures: 0 }
  const flights = createSingleFlight<FoundKernel | Refusal>()
  const builds = new LRUCache<string, PackagedBuild>(atMost(MOST_KNOWN))

  const readKernel = async (publication: Publication, job: FetchJob, signal: AbortSignal): Promise<FoundKernel | Refusal> => {
    const { repository, kernel: { reference, image } } = publication
    const url = below(baseOf(publication), image.path)
    const downloaded = await downloadPackage({
      client: indexes.clientOf(repository),
      url,
      file: image,
      task: await kernelTask(publication),
      signal,
      onBytes: bytes => { job.report({ phase: 'package', bytes, total: image.bytes }) }
    })
    if (downloaded.state !== 'ok') return downloaded
    const { btf, kernelVersion, buildId } = downloaded.value
    const opened = await openOrRefuse(open, { bytes: btf }, { names: [] }, shownUrl(url))
    if (opened.state !== 'opened') return opened
    const build = { kernelVersion, ...(buildId === undefined ? {} : { buildId }) }
    builds.set(keyOf(publication), { ...build, btf: opened.btf.sha256 })
    return {
      state: 'found',
      reference,
      btf: opened.btf,
      modules: [],
      url: shownUrl(url),
      etag: image.sha256,
      ...build,
      package: { repository: repository.id, name: image.name, version: image.version }
    }
  }

  const counted = async (bytes: number, work: () => Promise<FoundKernel | Refusal>): Promise<FoundKernel | Refusal> => {
    const outcome = await work()
    counts.downloads++
    if (outcome.state === 'found') counts.bytes += bytes
    else counts.failures++
    return outcome
  }

  const baseOf = ({ repository, base: own }: Publication): URL => {
    if (own !== undefined) return own
    const base = new URL(indexes.peek(repository).index?.base ?? repository.url)
    base.username = repository.url.username
    base.password = repository.url.password
    return base
  }

  const urlOf = (publication: Publication, { path }: PackageFile): string => shownUrl(below(baseOf(publication), path))

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

  const readModules = async (
    names: ModulesTask['names'], publication: Publication, file: PackageFile, job: FetchJob, signal: AbortSignal
  ): Promise<Downloaded<ModulesTask>> => await lanes.run(job, async () => {
    const { kind: _, ...common } = await kernelTask(publication)
    return await downloadPackage({
      client: indexes.clientOf(publication.repository),
      url: below(baseOf(publication), file.path),
      file,
      task: { ...common, kind: 'modules', names, sha256: file.sha256, what: file.name },
      signal,
      onBytes: bytes => { job.report({ phase: 'package', bytes, total: file.bytes }) }
    })
  })

  const openModule = async (name: string, { bytes, url }: PackagedModule, base: SharedBtf): Promise<OpenedModule | Refusal> => {
    const opened = await openOrRefuse(open, { bytes }, { names: [], base }, `${url}: ${name}`)
    return opened.state === 'opened' ? { name, btf: opened.btf, url } : opened
  }

  return {
    kernel: async (publication, { job, signal }) => {
      const { bytes } = publication.kernel.image
      const work = async (): Promise<FoundKernel | Refusal> => await counted(bytes, () => readKernel(publication, job, signal))
      return await flights.run(keyOf(publication), () => lanes.run(job, work))
    },
    async module (name, publication, { base, job, signal }) {
      for (const file of publication.kernel.modules) {
        const found = await readModules([name], publication, file, job, signal)
        if (found.state !== 'ok') return found
        const [module] = found.value
        if (module !== undefined) return await openModule(name, { bytes: module.bytes, url: urlOf(publication, file) }, base)
      }
      return undefined
    },
    async allModules (publication, { job, signal }) {
      const modules = new Map<string, PackagedModule>()
      for (const file of publication.kernel.modules) {
        const found = await readModules('all', publication, file, job, signal)
        if (found.state !== 'ok') return found
        const url = urlOf(publication, file)
        for (const { name, bytes } of found.value) if (!modules.has(name)) modules.set(name, { bytes, url })
      }
      return modules
    },
    openModule,
    buildIn: publication => builds.get(keyOf(publication)),
    stats: () => ({ ...counts })
  }
}

function keyOf ({ kernel: { reference, image } }: Publication): string { return `${formatReference(reference)} ${image.sha256}` }
