import { join } from 'node:path'
import { createCatalog, type Catalog } from './catalog.js'
import { createDirectoryFeed } from './directory-feed.js'
import { createFileFeed, createUrlFeed, type Feed } from './feed.js'
import type { ServiceSettings, Warn } from '../../settings/service-options.js'

/** The catalog that the settings ask for: the listing of the archive, the directory, and what else there is. */
export async function openCatalog (settings: ServiceSettings, warn: Warn, more: readonly Feed[] = []): Promise<Catalog> {
  const { catalog, btfhubDir, catalogMs } = settings
  const feeds: Feed[] = [...more]
  if (catalog !== undefined) feeds.push(isUrl(catalog) ? await urlFeed(new URL(catalog), settings) : createFileFeed(catalog, 'btfhub'))
  if (btfhubDir !== undefined) feeds.push(createDirectoryFeed(btfhubDir, 'directory'))
  return createCatalog({ feeds, onWarning: warn, ...(catalogMs === undefined ? {} : { intervalMs: catalogMs }) })
}

/** The listing need not be on the archive's origin, so that it has a client of its own. */
async function urlFeed (url: URL, { cacheDir, sources, network }: ServiceSettings): Promise<Feed> {
  const { createHttpClient } = await import('../../fetch/http-client.js') // it loads undici, which not every service needs
  const client = createHttpClient({ origins: [url], network, ...(sources?.fetch === undefined ? {} : { limits: sources.fetch }) })
  return createUrlFeed({
    url,
    source: 'btfhub',
    get: request => client.get(request),
    close: () => client.close(),
    copyPath: join(cacheDir, 'catalog', 'btfhub.txt')
  })
}

function isUrl (text: string): boolean { return /^https?:\/\//.test(text) }
