import type { Catalog } from '../catalog/catalog.js'
import { archivePlaces, type ArchivePlace } from '../../identity/archive-places.js'
import type { HttpClient } from '../../fetch/http-client.js'
import { createBtfhubSource } from './btfhub-http.js'
import { inPublicArchive, PUBLIC_ARCHIVE } from './public-archive.js'
import { createDirectorySource } from './btfhub-directory.js'
import { createUpstreamSource } from './corelo-upstream.js'
import type { KernelQuery } from '../../identity/reference.js'
import type { KernelSource, OpenKernel } from './source.js'
import type { ServiceSettings } from '../../settings/service-options.js'

interface CreateSourcesOptions {
  readonly open: OpenKernel
  readonly self: string
  readonly catalog: Catalog
  /** The package repositories, which know what they have, and are asked before an archive that does not. */
  readonly packages?: KernelSource
}

/** The sources that the settings name, in the order in which they are asked: the nearest first. */
export async function createSources (settings: ServiceSettings, { open, self, catalog, packages }: CreateSourcesOptions): Promise<{
  readonly sources: readonly KernelSource[]
  /** Undefined where none of them is asked over HTTP. */
  readonly client: HttpClient | undefined
}> {
  const { btfhubUrls = [], btfhubDir, upstreamUrl } = settings
  const bases = btfhubUrls.map(url => new URL(url))
  const upstream = upstreamUrl === undefined ? [] : [new URL(upstreamUrl)]
  const client = await openClient([...bases, ...upstream], settings)
  const listed = (query: KernelQuery): readonly ArchivePlace[] => catalog.placesOf(query, 'btfhub')
  const btfhubPlaces = btfhubUrls.every(url => url === PUBLIC_ARCHIVE) ? (query: KernelQuery) => inPublicArchive(listed(query)) : listed
  const directories = btfhubDir === undefined
    ? []
    : [createDirectorySource({ root: btfhubDir, open, placesOf: query => listedAndPossible(catalog, query) })]
  const archives = client === undefined || bases.length === 0 ? [] : [createBtfhubSource({ bases, client, open, placesOf: btfhubPlaces })]
  const upstreams = client === undefined
    ? []
    : upstream.map(base => createUpstreamSource({
      base,
      client,
      open,
      self,
      maxBtfBytes: settings.maxBtfBytes,
      trustUploads: settings.trustUploads
    }))
  return { sources: [...directories, ...upstreams, ...(packages === undefined ? [] : [packages]), ...archives], client }
}

/** Loads undici, which takes longer to load than most of the service, only where something is asked over HTTP. */
async function openClient (origins: readonly URL[], { network, sources }: ServiceSettings): Promise<HttpClient | undefined> {
  if (origins.length === 0) return undefined
  const { createHttpClient } = await import('../../fetch/http-client.js')
  return createHttpClient({ origins, network, ...(sources?.fetch === undefined ? {} : { limits: sources.fetch }) })
}

/** A directory costs nothing to look into, and may have got a file since it was listed. */
function listedAndPossible (catalog: Catalog, query: KernelQuery): readonly ArchivePlace[] {
  const places = [...catalog.placesOf(query, 'directory'), ...archivePlaces(query)]
  return [...new Map(places.map(place => [place.path, place])).values()]
}
