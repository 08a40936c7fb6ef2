import type { Answered, HttpClient } from '../../fetch/http-client.js'
import { shownUrl } from '../../fetch/shown-url.js'
import { archivePlaces, kernelsAt } from '../../identity/archive-places.js'
import { formatReference, parseReference, type KernelQuery, type KernelReference } from '../../identity/reference.js'
import { UPLOAD_SOURCE } from '../kernel-record.js'
import { isSha256 } from '../../store/sha256.js'
import { below } from './btfhub-http.js'
import { openOrRefuse } from './open.js'
import type { WantedBuild } from '../matches.js'
import type { Asking, KernelSource, OpenKernel } from './source.js'
import type { Refusal } from '../../fetch/refusal.js'

export interface CoreloUpstreamOptions {
  readonly base: URL
  readonly client: HttpClient
  readonly open: OpenKernel
  /** Name of this service, by which it knows its own questions again. */
  readonly self: string
  readonly maxBtfBytes: number
  /** Whether BTF that the other service has from an upload, and vouches for nothing, is taken for a name. */
  readonly trustUploads: boolean
}

/** Lists the services through which a question came. */
export const VIA_HEADER = 'corelo-via'
/** Says where the answering service has the BTF from. */
export const SOURCE_HEADER = 'corelo-source'

/** Says which vmlinux BTF a module's BTF extends. */
export const BASE_HEADER = 'corelo-btf-base'
/** `uname -v` and build-id of the build that answered, where the answering service knows them. */
export const KERNEL_VERSION_HEADER = 'corelo-kernel-version'
export const BUILD_ID_HEADER = 'corelo-kernel-build-id'

/** A question that came through more services than this goes no further. */
const MAX_HOPS = 8
const MAX_LIST_BYTES = 4 * 1024 * 1024
/** Kernels of a page of the list: as many as one answer has. */
const PAGE = 1000
/** Kernels of one release that are read. With more of them the release alone means nothing. */
const MAX_LISTED = 20_000

/** Another service of this kind. What it sends is verified against the hash that it names. */
export function createUpstreamSource ({ base, client, open, self, maxBtfBytes, trustUploads }: CoreloUpstreamOptions): KernelSource {
  const get = async (
    url: URL,
    { signal, via }: Asking,
    more: { readonly etag?: string | undefined, readonly maxBytes: number }
  ): Promise<Answered | Refusal> => {
    if (via.length >= MAX_HOPS) {
      return { state: 'absent', answer: `not asked: the question came through ${via.length} services already`, retryAfterMs: 0 }
    }
    return await client.get({ url, signal, ...more, headers: { [VIA_HEADER]: [...via, self].join(', ') } })
  }
  /** Why what it sent does not count for a name; undefined where it does. */
  const refusalOfUpload = (answer: Extract<Answered, { state: 'ok' }>, url: URL): Refusal | undefined => {
    const source = answer.header(SOURCE_HEADER)
    if (source === undefined) return { state: 'malformed', answer: `${shownUrl(url)} does not say where its BTF is from` }
    if (source !== UPLOAD_SOURCE || trustUploads) return undefined
    return { state: 'absent', answer: `${shownUrl(url)} is an upload, and those answer only for their hash here (CORELO_TRUST_UPLOADS)` }
  }

  return {
    name: 'upstream',
    isForwarding: true,
    tellsBuilds: true,
    async candidates (query, asking) {
      // What it does not list it may still fetch.
      const proven = kernelsAt(archivePlaces(query), query.release)
      const listed = new Map<string, KernelReference>()
      for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
        const url = below(base, 'kernels')
        url.search = new URLSearchParams({
          ...filterOf(query),
          limit: String(PAGE),
          ...(cursor === undefined ? {} : { cursor })
        }).toString()
        const answer = await get(url, asking, { maxBytes: MAX_LIST_BYTES })
        if (answer.state === 'absent' && isFirst) return { state: 'listed', references: proven }
        if (answer.state === 'unchanged') return unexpectedlyUnchanged(url)
        if (answer.state === 'absent') return { ...answer, state: 'failed' } // the rest of a list that has begun
        if (answer.state !== 'ok') return answer
        const page = parseList(answer.bytes, trustUploads)
        if (page === undefined || (page.next !== undefined && page.next === cursor)) {
          return { state: 'malformed', answer: `${shownUrl(url)} answered with something else than a list of kernels` }
        }
        for (const reference of page.references) listed.set(formatReference(reference), reference)
        if (listed.size > MAX_LISTED) {
          return { state: 'malformed', answer: `${shownUrl(url)} lists more than ${MAX_LISTED} kernels of this release` }
        }
        cursor = page.next
      }
      return { state: 'listed', references: [...listed.values(), ...proven] }
    },
    async fetch (reference, { held, build, ...asking }) {
      const url = below(base, `kernels/${formatReference(reference)}/btf`)
      url.search = new URLSearchParams(buildQuery(build)).toString()
      const answer = await get(url, asking, { maxBytes: maxBtfBytes, etag: held?.url === shownUrl(url) ? held.etag : undefined })
      if (answer.state !== 'ok') return answer
      const refusal = refusalOfUpload(answer, url)
      if (refusal !== undefined) return refusal
      const expected = answer.header('corelo-btf')
      if (expected === undefined || !isSha256(expected)) return withoutHash(url)
      const opened = await openOrRefuse(open, { bytes: answer.bytes }, { names: [], expected }, shownUrl(url))
      if (opened.state !== 'opened') return opened
      return {
        state: 'found',
        reference,
        btf: opened.btf,
        modules: [],
        url: shownUrl(url),
        ...(answer.etag === undefined ? {} : { etag: answer.etag }),
        ...buildOf(answer)
      }
    },
    async fetchModule (reference, module, { base: vmlinux, build, ...asking }) {
      const url = below(base, `kernels/${formatReference(reference)}/btf/${module}`)
      url.search = new URLSearchParams(buildQuery(build)).toString()
      const answer = await get(url, asking, { maxBytes: maxBtfBytes })
      if (answer.state === 'unchanged') return unexpectedlyUnchanged(url)
      if (answer.state !== 'ok') return answer
      const refusal = refusalOfUpload(answer, url)
      if (refusal !== undefined) return refusal
      const expected = answer.header('corelo-btf')
      if (expected === undefined || !isSha256(expected)) return withoutHash(url)
      const extended = answer.header(BASE_HEADER)
      if (extended !== vmlinux.sha256) {
        return {
          state: 'malformed',
          answer: `${shownUrl(url)} extends vmlinux BTF ${extended ?? 'that it does not name'}, ` +
            `and not the ${vmlinux.sha256} that is held`
        }
      }
      const opened = await openOrRefuse(open, { bytes: answer.bytes }, { names: [], expected, base: vmlinux }, shownUrl(url))
      return opened.state === 'opened' ? { state: 'found', btf: opened.btf, url: shownUrl(url) } : opened
    }
  }
}

function filterOf ({ release, distro, distroVersion, arch }: KernelQuery): Record<string, string> {
  return {
    release,
    ...(distro === undefined ? {} : { distro }),
    ...(distroVersion === undefined ? {} : { distro_version: distroVersion }),
    ...(arch === undefined ? {} : { arch })
  }
}

function buildQuery ({ kernelVersion, buildId }: WantedBuild = {}): Record<string, string> {
  return {
    ...(kernelVersion === undefined ? {} : { kernel_version: kernelVersion }),
    ...(buildId === undefined ? {} : { kernel_build_id: buildId })
  }
}

function unexpectedlyUnchanged (url: URL): Refusal {
  return { state: 'malformed', answer: `${shownUrl(url)} answered 304 (not modified) to a request that had no condition` }
}

function withoutHash (url: URL): Refusal {
  return { state: 'malformed', answer: `${shownUrl(url)} does not say which hash its BTF has` }
}

/** The build that the service says it gave; nothing where it does not know. */
function buildOf (answer: Extract<Answered, { state: 'ok' }>): WantedBuild {
  const kernelVersion = answer.header(KERNEL_VERSION_HEADER)
  const buildId = answer.header(BUILD_ID_HEADER)
  return {
    ...(kernelVersion !== undefined && /^[\x20-\x7e]{1,256}$/.test(kernelVersion) ? { kernelVersion } : {}),
    ...(buildId !== undefined && /^(?:[0-9a-f]{2}){8,64}$/.test(buildId) ? { buildId } : {})
  }
}

/** The references in a page of GET /kernels, and where it goes on; undefined where it is none. */
function parseList (bytes: Uint8Array, trustUploads: boolean): { references: KernelReference[], next: string | undefined } | undefined {
  try {
    const { kernels, next_cursor: next } = JSON.parse(Buffer.from(bytes).toString()) as { kernels?: unknown, next_cursor?: unknown }
    if (!Array.isArray(kernels)) return undefined
    const references = (kernels as unknown[]).flatMap(kernel => {
      if (typeof kernel !== 'object' || kernel === null || !('reference' in kernel) || typeof kernel.reference !== 'string') return []
      const isUpload = 'source' in kernel && kernel.source === UPLOAD_SOURCE
      return isUpload && !trustUploads ? [] : [parseReference(kernel.reference)]
    })
    return { references, next: typeof next === 'string' ? next : undefined }
  } catch {
    return undefined
  }
}
