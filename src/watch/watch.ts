import { AppError } from '../errors.js'
import { compilePattern } from '../identity/pattern.js'
import { formatReference, parseReference, type KernelReference } from '../identity/reference.js'
import type { Catalog } from '../kernels/catalog/catalog.js'
import type { KernelRecord } from '../kernels/kernel-record.js'
import type { PublishedOf } from '../kernels/types.js'
import type { Warn } from '../settings/service-options.js'
import { heldEvent, listedEvent, type WatchEvent } from './events.js'
import type { Listed } from './listed.js'
import { newestOf } from './newest.js'
import type { Pending } from './pending.js'
import type { Webhook, WebhookStats } from './webhook.js'

export interface WatchOptions {
  readonly catalog: Pick<Catalog, 'kernels' | 'places'>
  /** None: nothing is fetched ahead, and every new kernel is told of. */
  readonly patterns: readonly string[]
  /** Of the new kernels of one look, so many of each distribution, version and architecture are fetched ahead. */
  readonly newest: number
  readonly listed: Listed
  readonly pending: Pending
  readonly webhook: Webhook | undefined
  /** Brings a kernel, however long that takes. */
  readonly fetch: (reference: KernelReference) => Promise<unknown>
  /** The row that answers for a kernel's name now. */
  readonly findHeld: (reference: KernelReference) => KernelRecord | undefined
  readonly publishedOf?: PublishedOf
  readonly warn: Warn
}

/**
 * Notices kernels that the catalog lists for the first time, fetches those that patterns name, and has the webhook tell of them.
 * Nothing here rejects.
 */
export interface Watch {
  /** To be called after each look of the catalog. Resolves when what is new is written down. */
  look(): Promise<void>
  /** To be called when a kernel was fetched, for whomever. */
  noteHeld(reference: KernelReference): void
  stats(): WatchStats
  close(): Promise<void>
}

export interface WatchStats {
  /** New kernels that the patterns name, or all where there are none. */
  readonly newKernels: number
  readonly fetched: number
  readonly failed: number
  /** New kernels that are still to be fetched ahead. */
  readonly waiting: number
  /** Undefined without a webhook. */
  readonly webhook: WebhookStats & { readonly waiting: number } | undefined
}

/** A kernel that cannot be had after so many looks is left to who asks for it. */
const MOST_TRIES = 5
/** New kernels of which it is noticed that they are held. Beyond it the oldest are let go of. */
const MOST_AWAITED = 10_000
const MOST_AWAITED_MS = 90 * 24 * 3_600_000

export function createWatch (options: WatchOptions): Watch {
  const { catalog, patterns, newest, listed, pending, webhook, fetch, findHeld, publishedOf = () => undefined, warn } = options
  const { awaited, events } = pending
  const counts = { newKernels: 0, fetched: 0, failed: 0 }
  /** Tried since the last look. */
  const tried = new Set<string>()
  const closing = new AbortController()
  const isClosed = (): boolean => closing.signal.aborted
  let loading: Promise<void> | undefined
  let looking: Promise<void> = Promise.resolve()
  let fetching: Promise<void> | undefined

  const tell = (event: WatchEvent): void => { if (webhook !== undefined && !events.has(event.id)) events.set(event.id, event) }
  const matchers = patterns.map(compilePattern)
  const isWanted = (reference: KernelReference): boolean => matchers.length === 0 || matchers.some(fits => fits(reference))

  /** True where a new kernel turned out to be held. */
  const settle = (name: string): boolean => {
    const reference = parseReference(name)
    const record = awaited.has(name) ? findHeld(reference) : undefined
    if (record === undefined) return false
    awaited.delete(name)
    tell(heldEvent(reference, record, new Date().toISOString()))
    return true
  }

  const welcome = (names: readonly string[]): void => {
    const now = new Date().toISOString()
    const found = names.map(name => ({ name, reference: parseReference(name) })).filter(({ reference }) => isWanted(reference))
    const ahead = new Set(patterns.length === 0 ? [] : newestOf(found, newest).map(({ name }) => name))
    for (const { name, reference } of found) {
      counts.newKernels++
      const alike = catalog.kernels().byRelease(reference.release)
      const sources = alike.find(kernel => formatReference(kernel.reference) === name)?.sources ?? []
      tell(listedEvent(reference, { sources, published: publishedOf(reference), at: now }))
      awaited.set(name, { since: now, isWatched: ahead.has(name), tries: 0 })
    }
    if (patterns.length > 0 && ahead.size < found.length) {
      warn('More new kernels are listed at once than are fetched ahead; the highest releases of each platform are.',
        { kernels: found.length, fetched_ahead: ahead.size, newest })
    }
  }

  const isTooOld = (since: string): boolean => Date.now() - Date.parse(since) > MOST_AWAITED_MS
  const letGo = (): void => {
    for (const [name, { since }] of awaited) if (awaited.size > MOST_AWAITED || isTooOld(since)) awaited.delete(name)
  }

  const loadAll = async (): Promise<void> => {
    await Promise.all([listed.load(closing.signal), pending.adopt(closing.signal)])
    webhook?.wake()
  }

  const lookNow = async (): Promise<void> => {
    if (isClosed()) return
    await (loading ??= loadAll())
    if (isClosed()) return
    const fresh = listed.sift(catalog.places())
    welcome(fresh)
    const settled = [...awaited.keys()].filter(settle)
    letGo()
    // First what is to be done, then that its reason is known: whatever happens in between, it is done.
    const isKept = (fresh.length === 0 && settled.length === 0) || await pending.save()
    if (isKept) await listed.save()
    webhook?.wake()
    tried.clear()
    fetchAhead()
  }

  const tryOne = async (name: string): Promise<void> => {
    try {
      await fetch(parseReference(name))
      counts.fetched++
    } catch (error) {
      if (isClosed()) return
      counts.failed++
      const kernel = awaited.get(name)
      const tries = (kernel?.tries ?? 0) + 1
      if (kernel !== undefined) awaited.set(name, { ...kernel, tries, isWatched: tries < MOST_TRIES })
      const reason = error instanceof AppError ? error.message : String(error)
      warn('A new kernel cannot be fetched ahead.', { kernel: name, tries, again: tries < MOST_TRIES, reason })
    }
    if (isClosed()) return // the next start notices
    settle(name)
    await pending.save()
    webhook?.wake()
  }

  const fetchAll = async (): Promise<void> => {
    for (;;) {
      const [next] = [...awaited].find(([name, { isWatched }]) => isWatched && !tried.has(name)) ?? []
      if (next === undefined || isClosed()) return
      tried.add(next)
      await tryOne(next)
    }
  }

  /** One at a time, so that who waits for another kernel finds room. */
  const fetchAhead = (): void => { fetching ??= fetchAll().finally(() => { fetching = undefined }) }

  const watch: Watch = {
    look () {
      looking = looking.then(lookNow).catch((error: unknown) => { warn('New kernels cannot be looked for.', { error: String(error) }) })
      return looking
    },
    noteHeld (reference) {
      if (isClosed() || !settle(formatReference(reference))) return
      pending.save().then(() => { webhook?.wake() }, () => {})
    },
    stats: () => ({
      ...counts,
      waiting: [...awaited.values()].filter(({ isWatched }) => isWatched).length,
      webhook: webhook === undefined ? undefined : { ...webhook.stats(), waiting: events.size }
    }),
    async close () {
      closing.abort()
      await looking
      await webhook?.close()
      await pending.save()
    }
  }
  webhook?.wake()
  return watch
}
