import { shownUrl, type Answered, type HttpClient } from '../../fetch/http-client.js'
import { archivePlaces, kernelsAt } from '../../identity/archive-places.js'
import { formatReference, parseReference, type KernelQuery, type KernelReference } from '../../identity/reference.js'
import { UPLOAD_SOURCE } from '../kernel-record.js'
import { isSha256 } from '../../store/sha256.js'
import { below } from './btfhub-http.js'
import { openOrRefuse } from './open.js'
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

/** A question that came through more services than this goes no further. */
const MAX_HOPS = 8
const MAX_LIST_BYTES = 4 * 1024 * 1024
const MAX_LISTED = 100

/** Another service of this kind. What it sends is verified against the hash that it names. */
export function createUpstreamSource ({ base, client, open, self, maxBtfBytes, trustUploads }: CoreloUpstreamOptions): KernelSource {
  const get = async (url: URL, { signal, via }: Asking, more: { readonly etag?: string | undefined, readonly maxBytes: number }): Promise<Answered | Refusal> => {
    if (via.length >= MAX_HOPS) return { state: 'absent', answer: `not asked: the question came through ${via.length} services already`, retryAfterMs: 0 }
    return await client.get({ url, signal, ...more, headers: { [VIA_HEADER]: [...via, self].join(', ') } })
  }

  return {
    name: 'upstream',
    isForwarding: true,
    async candidates (query, asking) {
      // What it does not list it may still fetch.
      const proven = kernelsAt(archivePlaces(query), query.release)
      const url = below(base, 'kernels')
      url.search = new URLSearchParams({ ...filterOf(query), limit: String(MAX_LISTED) }).toString()
      const answer = await get(url, asking, { maxBytes: MAX_LIST_BYTES })
      if (answer.state === 'absent') return { state: 'listed', references: proven }
      if (answer.state === 'unchanged') return { state: 'malformed', answer: `${shownUrl(url)} answered 304 to what was no such question` }
      if (answer.state !== 'ok') return answer
      const references = parseList(answer.bytes, trustUploads)
      return references === undefined ? { state: 'malformed', answer: `${shownUrl(url)} answered with something else than a list of kernels` } : { state: 'listed', references: [...references, ...proven] }
    },
    async fetch (reference, { held, ...asking }) {
      const url = below(base, `kernels/${formatReference(reference)}/btf`)
      const answer = await get(url, asking, { maxBytes: maxBtfBytes, etag: held?.url === shownUrl(url) ? held.etag : undefined })
      if (answer.state !== 'ok') return answer
      if (answer.header(SOURCE_HEADER) === UPLOAD_SOURCE && !trustUploads) {
        return { state: 'absent', answer: `${shownUrl(url)} is an upload, and those answer only for their hash here (CORELO_TRUST_UPLOADS)` }
      }
      const expected = answer.header('corelo-btf')
      if (expected === undefined || !isSha256(expected)) return { state: 'malformed', answer: `${shownUrl(url)} does not say which hash its BTF has` }
      const opened = await openOrRefuse(open, { bytes: answer.bytes }, { names: [], expected }, shownUrl(url))
      if (opened.state !== 'opened') return opened
      return { state: 'found', reference, btf: opened.btf, modules: [], url: shownUrl(url), ...(answer.etag === undefined ? {} : { etag: answer.etag }) }
    },
    async fetchModule (reference, module, { base: vmlinux, ...asking }) {
      const url = below(base, `kernels/${formatReference(reference)}/btf/${module}`)
      const answer = await get(url, asking, { maxBytes: maxBtfBytes })
      if (answer.state === 'unchanged') return { state: 'malformed', answer: `${shownUrl(url)} answered 304 to what was no such question` }
      if (answer.state !== 'ok') return answer
      const expected = answer.header('corelo-btf')
      if (expected === undefined || !isSha256(expected)) return { state: 'malformed', answer: `${shownUrl(url)} does not say which hash its BTF has` }
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

/** The references in a page of GET /kernels; undefined where it is none. */
function parseList (bytes: Uint8Array, trustUploads: boolean): KernelReference[] | undefined {
  try {
    const { kernels } = JSON.parse(Buffer.from(bytes).toString()) as { kernels?: unknown }
    if (!Array.isArray(kernels)) return undefined
    return (kernels as unknown[]).flatMap(kernel => {
      if (typeof kernel !== 'object' || kernel === null || !('reference' in kernel) || typeof kernel.reference !== 'string') return []
      const isUpload = 'source' in kernel && kernel.source === UPLOAD_SOURCE
      return isUpload && !trustUploads ? [] : [parseReference(kernel.reference)]
    })
  } catch {
    return undefined
  }
}
