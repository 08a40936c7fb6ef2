import { readFile, stat } from 'node:fs/promises'
import { AppError } from '../../errors.js'
import { readCopy, writeCopy, type ListingCopy } from './listing-copy.js'
import { LISTING_LIMITS, parseListing } from './parse-listing.js'

/** One place that tells which kernels a source has. */
export interface Feed {
  /** As records and answers call the source that it speaks of. */
  readonly source: string
  /** The feed itself, for the log. */
  readonly what: string
  /** Milliseconds between two looks at it, where it is not that of the catalog. */
  readonly intervalMs?: number
  /** What was known when the service last ran, or can be had at once. Undefined: nothing. */
  restore(): Promise<readonly string[] | undefined>
  /**
   * The paths listed now; undefined where nothing has changed since the last time.
   *
   * @throws AppError `source_failed`, `source_invalid`
   */
  load(signal: AbortSignal): Promise<readonly string[] | undefined>
  /** What is listed now, by the places that it was read from, where these may fail each by itself. Undefined: the feed is one place. */
  places?(): ReadonlyMap<string, readonly string[]>
  close(): Promise<void>
}

/** A GET that does not throw for what the origin does. The HTTP client of the sources is one. */
export type GetListing = (request: {
  readonly url: URL
  readonly maxBytes: number
  readonly signal: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
  /** Where given, `unchanged` may be the answer. */
  readonly etag?: string | undefined
}) => Promise<
  | {
    readonly state: 'ok'
    readonly bytes: Uint8Array
    readonly etag: string | undefined
    readonly header: (name: string) => string | undefined
  }
  | { readonly state: 'unchanged' }
  | { readonly state: string, readonly answer: string, readonly retryAfterMs?: number }
>

/** A listing in a file, for sites without internet. Looked at again when the file has changed. */
export function createFileFeed (path: string, source: string): Feed {
  let version: string | undefined
  const load = async (): Promise<readonly string[] | undefined> => {
    const file = await stat(path).catch(fail(path))
    const now = `${file.ino}-${file.size}-${file.mtimeMs}`
    if (now === version) return undefined
    if (!file.isFile()) throw new AppError('source_invalid', `The listing ${path} is no file.`)
    if (file.size > LISTING_LIMITS.bytes) {
      throw new AppError('source_invalid',
        `The listing ${path} has ${file.size} bytes, and at most ${LISTING_LIMITS.bytes} are read.`)
    }
    const { paths } = parseListing(await readFile(path).catch(fail(path)))
    version = now
    return paths
  }
  return { source, what: path, restore: async () => await load(), load, close: async () => {} }
}

export interface UrlFeedOptions {
  readonly url: URL
  readonly source: string
  readonly get: GetListing
  /** Ends what `get` keeps open. */
  readonly close?: () => Promise<void>
  /** Where the last good listing is kept, so that a service that starts without its origin knows what it knew. */
  readonly copyPath: string
}

/** A listing at an address. An unchanged one is not sent again, also after a restart. */
export function createUrlFeed ({ url, source, get, close = async () => {}, copyPath }: UrlFeedOptions): Feed {
  const what = `${url.origin}${url.pathname}`
  let held: Omit<ListingCopy, 'paths'> | undefined
  return {
    source,
    what,
    async restore () {
      const copy = await readCopy(copyPath, what)
      held = copy
      return copy?.paths
    },
    async load (signal) {
      const headers = held?.lastModified === undefined ? {} : { 'if-modified-since': held.lastModified }
      const answer = await get({ url, maxBytes: LISTING_LIMITS.bytes, signal, headers, etag: held?.etag })
      if (answer.state === 'unchanged') return undefined
      if ('answer' in answer) {
        throw new AppError('source_failed', `The listing cannot be had: ${answer.answer}.`,
          answer.retryAfterMs === undefined ? {} : { retry_after_ms: answer.retryAfterMs })
      }
      if (!('bytes' in answer)) return undefined
      const { paths } = parseListing(answer.bytes)
      const validators = { etag: answer.etag, lastModified: answer.header('last-modified') }
      held = { what, ...validators }
      await writeCopy(copyPath, { what, paths, ...validators }).catch(() => {}) // known until the service stops
      return paths
    },
    close
  }
}

function fail (path: string): (error: unknown) => never {
  return error => {
    throw new AppError('source_failed',
      `The listing ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`)
  }
}
