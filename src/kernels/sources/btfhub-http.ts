import { posix } from 'node:path'
import type { HttpClient } from '../../fetch/http-client.js'
import { shownUrl } from '../../fetch/shown-url.js'
import { archivePlaces, ARCHIVE_SUFFIX } from '../../identity/archive-places.js'
import { openOrRefuse } from './open.js'
import { placeCandidates, searchPlaces, type PlacesOf } from './places.js'
import { gravest, type Refusal } from '../../fetch/refusal.js'
import type { KernelSource, OpenKernel } from './source.js'

export interface BtfhubHttpOptions {
  /** Roots of the archive and of its mirrors, in the order in which they are asked. */
  readonly bases: readonly URL[]
  readonly client: HttpClient
  readonly open: OpenKernel
  /** Where it may have what a query means. Undefined: where the names prove it. */
  readonly placesOf?: PlacesOf
}

/** Most bytes of a packed kernel. The largest real one unpacks to 27 MB, and has 4. */
const MAX_PACKED_BYTES = 16 * 1024 * 1024

/**
 * BTFHub's archive over HTTP: `<distro>/<version>/<arch>/<release>.btf.tar.xz`.
 *
 * @see https://github.com/aquasecurity/btfhub-archive
 */
export function createBtfhubSource ({ bases, client, open, placesOf = archivePlaces }: BtfhubHttpOptions): KernelSource {
  return {
    name: 'btfhub',
    candidates: query => placeCandidates(query, placesOf),
    fetch: async (reference, { held, signal }) => await searchPlaces(reference, placesOf, async ({ path }) => {
      const refusals: Refusal[] = []
      for (const base of bases) {
        const url = below(base, path)
        const answer = await client.get({
          url,
          maxBytes: MAX_PACKED_BYTES,
          signal,
          etag: held?.url === shownUrl(url) ? held.etag : undefined
        })
        if (answer.state === 'unchanged') return answer
        if (answer.state !== 'ok') {
          refusals.push(answer)
          continue
        }
        const names = [posix.basename(path, ARCHIVE_SUFFIX), reference.release]
        const opened = await openOrRefuse(open, { bytes: answer.bytes }, { names, isArchive: true }, answer.url)
        if (opened.state === 'opened') {
          return {
            state: 'found',
            reference,
            btf: opened.btf,
            modules: opened.modules,
            url: shownUrl(url),
            ...(answer.etag === undefined ? {} : { etag: answer.etag })
          }
        }
        refusals.push(opened)
      }
      return gravest(refusals) ?? { state: 'absent', answer: 'has no address' }
    })
  }
}

/** A path below an address, whose own path, user and password stay. Each part is escaped: `+` and `~` are in real releases. */
export function below (base: URL, path: string): URL {
  const url = new URL(base)
  url.pathname = posix.join('/', base.pathname, ...path.split('/').map(encodeURIComponent))
  return url
}
