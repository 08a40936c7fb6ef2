import { LRUCache } from 'lru-cache'
import { shownUrl } from '../fetch/http-client.js'
import type { Lanes } from '../fetch/lanes.js'
import type { Refusal } from '../fetch/refusal.js'
import { formatReference } from '../identity/reference.js'
import type { FetchJob } from '../kernels/fetch-jobs.js'
import type { WantedBuild } from '../kernels/matches.js'
import { openOrRefuse } from '../kernels/sources/open.js'
import type { FoundKernel, OpenKernel } from '../kernels/sources/source.js'
import type { SharedBtf } from '../store/btf-memory.js'
import type { Sha256 } from '../store/sha256.js'
import { createSingleFlight } from '../store/single-flight.js'
import { downloadPackage } from './download.js'
import type { Indexes } from './indexes.js'
import type { Publication } from './publication.js'
import type { PackageFile } from './published.js'
import type { Repository } from './repository.js'
import { below } from './urls.js'
import type { KernelTask } from './worker/protocol.js'

export interface PackageContentsOptions {
  readonly indexes: Indexes
  readonly open: OpenKernel
  readonly lanes: Lanes
}

/** Which build of a kernel a package has, by what was read of it. */
export interface PackagedBuild extends WantedBuild {
  readonly btf: Sha256
}

export interface OpenedModule {
  readonly btf: SharedBtf
  readonly url: string
}

/** What packages have in them. Nothing rejects for what an origin did. */
export interface PackageContents {
  /** The kernel of a package. One download for all who ask at a time. */
  kernel(publication: Publication, job: FetchJob, signal: AbortSignal): Promise<FoundKernel | Refusal>
  /** One module of a kernel; undefined where its packages do not have it. */
  module(
    name: string, publication: Publication, asking: { readonly base: SharedBtf, readonly job: FetchJob, readonly signal: AbortSignal }
  ): Promise<OpenedModule | undefined | Refusal>
  /** The build in a package, where that was read since the start. */
  buildIn(publication: Publication): PackagedBuild | undefined
  stats(): { readonly downloads: number, readonly bytes: number, readonly failures: number }
}

/** Packages of which it is remembered what they have. Each is some 300 bytes. */
const MOST_KNOWN = 10_000

export function createPackageContents ({ indexes, open, lanes }: PackageContentsOptions): PackageContents {
  const counts = { downloads: 0, bytes: 0, failures: 0 }
  const flights = createSingleFlight<FoundKernel | Refusal>()
  const builds = new LRUCache<string, PackagedBuild>({ max: MOST_KNOWN })

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

  const readModule = async (
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
    kernel: async (publication, job, signal) => {
      const { bytes } = publication.kernel.image
      const work = async (): Promise<FoundKernel | Refusal> => await counted(bytes, () => readKernel(publication, job, signal))
      return await flights.run(keyOf(publication), () => lanes.run(job, work))
    },
    async module (name, publication, { base, job, signal }) {
      for (const file of publication.kernel.modules) {
        const found = await readModule(name, publication, file, job, signal)
        if (found === undefined) continue
        if ('state' in found) return found
        const url = shownUrl(below(baseOf(publication), file.path))
        const opened = await openOrRefuse(open, { bytes: found }, { names: [], base }, `${url}: ${name}`)
        return opened.state === 'opened' ? { btf: opened.btf, url } : opened
      }
      return undefined
    },
    buildIn: publication => builds.get(keyOf(publication)),
    stats: () => ({ ...counts })
  }
}

function keyOf ({ kernel: { reference, image } }: Publication): string { return `${formatReference(reference)} ${image.sha256}` }
