import type { Catalog } from '../catalog/catalog.js'
import { archivePlaces, type ArchivePlace } from '../../identity/archive-places.js'
import { createHttpClient, type HttpClient } from '../../fetch/http-client.js'
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
export function createSources (settings: ServiceSettings, { open, self, catalog, packages }: CreateSourcesOptions): {
  readonly sources: readonly KernelSource[]
  readonly client: HttpClient
} {
  const { btfhubUrls = [], btfhubDir, upstreamUrl } = settings
  const bases = btfhubUrls.map(url => new URL(url))
  const upstream = upstreamUrl === undefined ? [] : [new URL(upstreamUrl)]
  const client = createHttpClient({
    origins: [...bases, ...upstream],
    network: settings.network,
    ...(settings.sources?.fetch === undefined ? {} : { limits: settings.sources.fetch })
  })
  const listed = (query: KernelQuery): readonly ArchivePlace[] => catalog.placesOf(query, 'btfhub')
  const btfhubPlaces = btfhubUrls.every(url => url === PUBLIC_ARCHIVE) ? (query: KernelQuery) => inPublicArchive(listed(query)) : listed
  const sources = [
    ...(btfhubDir === undefined
      ? []
      : [createDirectorySource({ root: btfhubDir, open, placesOf: query => listedAndPossible(catalog, query) })]),
    ...upstream.map(base => createUpstreamSource({
      base,
      client,
      open,
      self,
      maxBtfBytes: settings.maxBtfBytes,
      trustUploads: settings.trustUploads
    })),
    ...(packages === undefined ? [] : [packages]),
    ...(bases.length === 0 ? [] : [createBtfhubSource({ bases, client, open, placesOf: btfhubPlaces })])
  ]
  return { sources, client }
}

/** A directory costs nothing to look into, and may have got a file since it was listed. */
function listedAndPossible (catalog: Catalog, query: KernelQuery): readonly ArchivePlace[] {
  const places = [...catalog.placesOf(query, 'directory'), ...archivePlaces(query)]
  return [...new Map(places.map(place => [place.path, place])).values()]
}
