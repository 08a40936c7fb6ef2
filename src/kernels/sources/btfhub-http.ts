import { posix } from 'node:path'
import type { HttpClient } from '../fetch/http-client.js'
import { archivePlaces } from '../identity/archive-places.js'
import { formatReference } from '../reference.js'
import { openOrRefuse } from './open.js'
import { placeCandidates } from './place-candidates.js'
import { gravest, type KernelSource, type OpenKernel, type Refusal } from './source.js'

export interface BtfhubHttpOptions {
  /** Roots of the archive and of its mirrors, in the order in which they are asked. */
  readonly bases: readonly URL[]
  readonly client: HttpClient
  readonly open: OpenKernel
}

/** Most bytes of a packed kernel. The largest real one unpacks to 27 MB, and has 4. */
const MAX_PACKED_BYTES = 16 * 1024 * 1024

export const ARCHIVE_SUFFIX = '.btf.tar.xz'

/**
 * BTFHub's archive over HTTP: `<distro>/<version>/<arch>/<release>.btf.tar.xz`.
 *
 * @see https://github.com/aquasecurity/btfhub-archive
 */
export function createBtfhubSource ({ bases, client, open }: BtfhubHttpOptions): KernelSource {
  return {
    name: 'btfhub',
    candidates: placeCandidates,
    async fetch (reference, { held, signal }) {
      const refusals: Refusal[] = []
      for (const { path } of archivePlaces(reference)) {
        for (const base of bases) {
          const url = below(base, path)
          const etag = held?.url === shown(url) ? held.etag : undefined
          const answer = await client.get({ url, maxBytes: MAX_PACKED_BYTES, signal, etag })
          if (answer.state === 'unchanged') return answer
          if (answer.state !== 'ok') {
            refusals.push(answer)
            continue
          }
          const opened = await openOrRefuse(open, { bytes: answer.bytes }, { names: [posix.basename(path, ARCHIVE_SUFFIX), reference.release], isArchive: true }, answer.url)
          if (opened.state !== 'opened') {
            refusals.push(opened)
            continue
          }
          const { btf, modules } = opened
          return { state: 'found', reference, btf, modules, url: shown(url), ...(answer.etag === undefined ? {} : { etag: answer.etag }) }
        }
      }
      return gravest(refusals) ?? { state: 'absent', answer: `not asked: no directory of the archive can be named for ${formatReference(reference)}` }
    }
  }
}

/** A path below an address, whose own path, user and password stay. Each part is escaped: `+` and `~` are in real releases. */
export function below (base: URL, path: string): URL {
  const url = new URL(base)
  url.pathname = posix.join('/', base.pathname, ...path.split('/').map(encodeURIComponent))
  return url
}

/** Without credentials: for records and answers. */
export function shown (url: URL): string { return `${url.origin}${url.pathname}` }
