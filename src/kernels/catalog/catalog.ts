import { setImmediate } from 'node:timers/promises'
import { AppError } from '../../errors.js'
import { archivePlaces, kernelsAt, type ArchivePlace } from '../../identity/archive-places.js'
import type { KernelQuery, KernelReference } from '../../identity/reference.js'
import type { Feed } from './feed.js'
import { createOfferedKernels, MAX_LISTINGS, type OfferedKernels } from './offered-kernels.js'

export interface CatalogOptions {
  readonly feeds: readonly Feed[]
  /** The most milliseconds between two looks at a feed. A tenth more or less, so that a fleet of services does not ask at once. */
  readonly intervalMs?: number
  /** Milliseconds after which a feed that failed is looked at again; doubled with each failure, up to the interval. */
  readonly retryMs?: number
  readonly onWarning?: (message: string, facts: Record<string, unknown>) => void
}

/** What the sources are known to have, kept up to date in the background. */
export interface Catalog {
  /** All that is known now. Another one after the next change. */
  kernels(): OfferedKernels
  /**
   * Where a source may have what a query means: exactly what it lists, where it lists any of that; else what the names prove.
   * A listing has to be of the whole source: of a bare release that is listed once, no other kernel is looked for.
   *
   * @param source only what this source lists; undefined: any
   */
  placesOf(query: KernelQuery, source?: string): readonly ArchivePlace[]
  /** The kernels at those places, each once: whole references to ask for one by one, and to compare. */
  candidatesOf(query: KernelQuery, source?: string): readonly KernelReference[]
  /** Resolves when what is at hand is known: listings in files, and what was known when the service last ran. Never rejects. */
  start(): Promise<void>
  /** Looks at all feeds now. Never rejects. */
  refresh(): Promise<void>
  /** What is listed now, by the places that could be read: paths in an archive of BTFHub's layout. */
  places(): ReadonlyMap<string, readonly string[]>
  /** Has someone told after each look at a feed. One listener. */
  onLook(listener: () => void): void
  close(): Promise<void>
}

const DEFAULT_INTERVAL_MS = 6 * 3_600_000
const DEFAULT_RETRY_MS = 60_000
/** A look at a feed takes no longer, whatever its origin does. */
const LOAD_MS = 120_000

export function createCatalog ({
  feeds,
  intervalMs = DEFAULT_INTERVAL_MS,
  retryMs = DEFAULT_RETRY_MS,
  onWarning: warn = () => {}
}: CatalogOptions): Catalog {
  const closing = new AbortController()
  const timers = new Map<Feed, NodeJS.Timeout>()
  const failures = new Map<Feed, number>()
  const known = new Map<Feed, readonly string[]>()
  const running = new Map<Feed, Promise<void>>()
  let kernels = createOfferedKernels([])
  let tell = (): void => {}
  if (feeds.length > MAX_LISTINGS) throw new AppError('invalid_request', `At most ${MAX_LISTINGS} listings of kernels can be used.`)

  const learn = (feed: Feed, paths: readonly string[] | undefined): void => {
    if (paths === undefined || closing.signal.aborted) return
    known.set(feed, paths)
    kernels = createOfferedKernels([...known].map(([{ source }, listed]) => ({ source, paths: listed })))
  }

  const complain = (feed: Feed, error: unknown): void => {
    if (closing.signal.aborted) return
    const message = known.has(feed)
      ? 'The listing of kernels cannot be renewed; what was listed before still counts.'
      : 'The listing of kernels cannot be read.'
    warn(message, { listing: feed.what, error: error instanceof Error ? error.message : String(error) })
  }

  const look = async (feed: Feed): Promise<void> => {
    const regular = Math.min(feed.intervalMs ?? intervalMs, intervalMs)
    let pause = regular
    try {
      const paths = await feed.load(AbortSignal.any([closing.signal, AbortSignal.timeout(LOAD_MS)]))
      await setImmediate() // reading a large listing takes a moment, and so does sorting it in: others come between
      learn(feed, paths)
      failures.delete(feed)
    } catch (error) {
      complain(feed, error)
      const failed = failures.get(feed) ?? 0
      failures.set(feed, failed + 1)
      pause = Math.max(Math.min(retryMs * 2 ** failed, regular), retryAfterOf(error))
    }
    if (closing.signal.aborted) return
    tell()
    clearTimeout(timers.get(feed))
    timers.set(feed, setTimeout(() => { lookOnce(feed).catch(() => {}) }, pause * (0.9 + 0.2 * Math.random())).unref())
  }

  /** One look at a feed at a time; who comes meanwhile gets the same. */
  const lookOnce = (feed: Feed): Promise<void> => {
    const looking = running.get(feed) ?? look(feed).finally(() => { running.delete(feed) })
    running.set(feed, looking)
    return looking
  }

  const placesOf: Catalog['placesOf'] = (query, source) => {
    const listed = kernels.matching(query).filter(({ sources }) => source === undefined || sources.includes(source))
    return listed.length === 0 ? archivePlaces(query) : listed.map(({ reference, path }) => ({ reference, path }))
  }

  return {
    kernels: () => kernels,
    placesOf,
    candidatesOf: (query, source) => kernelsAt(placesOf(query, source), query.release),
    async start () {
      await Promise.all(feeds.map(async feed => {
        await feed.restore().then(paths => { learn(feed, paths) }, (error: unknown) => { complain(feed, error) })
      }))
      for (const feed of feeds) lookOnce(feed).catch(() => {})
    },
    places: () => new Map([...known].flatMap(([feed, paths]) => {
      const places = [...feed.places?.() ?? [[feed.what, paths] as const]]
      return places.map(([place, listed]) => [`${feed.source} ${place}`, listed] as const)
    })),
    onLook (listener) { tell = listener },
    async refresh () { await Promise.all(feeds.map(lookOnce)) },
    async close () {
      closing.abort()
      for (const timer of timers.values()) clearTimeout(timer)
      await Promise.all(feeds.map(feed => feed.close()))
      await Promise.all(running.values())
    }
  }
}

/** Milliseconds for which the origin wants to be left alone. */
function retryAfterOf (error: unknown): number {
  const wait = error instanceof AppError ? error.details['retry_after_ms'] : undefined
  return typeof wait === 'number' ? Math.min(wait, 24 * 3_600_000) : 0
}
