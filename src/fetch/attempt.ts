import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Refusal } from './refusal.js'
import { AddressRefused, type Agents } from './agents.js'
import { BodyCutOff, BodyStalled, BodyTooLarge, discard, readBody, watchBody, type BodyLimits } from './body.js'
import type { FetchLimits } from './limits.js'
import { wayFailure } from '../network/failure.js'
import { isPublicAddress } from './public-address.js'
import { parseRetryAfter } from '../retry-after.js'
import { shownUrl } from './shown-url.js'

export interface FetchRequest {
  /** Its user and password, where it has them, are sent to its own origin only, and never shown. */
  readonly url: URL
  readonly maxBytes: number
  readonly signal: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
  /** What is held: `unchanged` is answered where the origin still has the same. */
  readonly etag?: string | undefined
  /** Milliseconds for all tries and redirects together, where it may take longer than other requests to that origin. */
  readonly totalMs?: number
  /**
   * Takes the body as it comes, once for each try, where it is too large to be held. It is not read faster than it is taken.
   * The answer has no bytes then, and what this throws as a BodyRefused is the answer.
   */
  readonly receive?: (pieces: AsyncIterable<Uint8Array>) => Promise<void>
}

/** Thrown by a receiver of a body that is not what was wanted. */
export class BodyRefused extends Error {
  override readonly name = 'BodyRefused'
  readonly refusal: Refusal

  constructor (refusal: Refusal) {
    super(refusal.answer)
    this.refusal = refusal
  }
}

export type Answered =
  | {
    readonly state: 'ok'
    readonly bytes: Uint8Array
    readonly url: string
    readonly etag: string | undefined
    readonly header: (name: string) => string | undefined
  }
  | { readonly state: 'unchanged' }

export interface AttemptOptions {
  readonly limits: FetchLimits
  readonly agents: Agents
  /** Origins that the operator configured. */
  readonly origins: ReadonlySet<string>
}

/** An answer, and whether asking again may give another one. */
export interface Attempted {
  readonly answer: Answered | Refusal
  readonly isTransient: boolean
}

/** One GET, with the redirects that it takes. */
export function createAttempt ({ limits, agents, origins }: AttemptOptions): (request: FetchRequest) => Promise<Attempted> {
  const isAllowed = (from: URL, to: URL): string | undefined => {
    if (origins.has(to.origin)) return undefined
    const literal = to.hostname.replace(/^\[|\]$/g, '')
    if (to.protocol !== 'https:' && (to.protocol !== 'http:' || from.protocol === 'https:')) {
      return `to ${to.protocol}, which is not followed`
    }
    if (isIP(literal) !== 0 && !isPublicAddress(literal)) return `to ${literal}, which is not a public address`
    return undefined
  }

  const send = async (request: FetchRequest, url: URL): Promise<Dispatcher.ResponseData> => {
    const isConfigured = origins.has(url.origin)
    if (!isConfigured) await agents.check(url)
    return await (isConfigured ? agents.configured : agents.elsewhere).request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'GET',
      signal: request.signal,
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'corelo',
        ...request.headers,
        ...(request.etag === undefined ? {} : { 'if-none-match': request.etag }),
        ...(url.origin === request.url.origin && request.url.username !== '' ? { authorization: basic(request.url) } : {})
      }
    })
  }

  const follow = async (request: FetchRequest): Promise<Attempted> => {
    let url = request.url
    const seen = new Set([url.href])
    for (;;) {
      const response = await send(request, url)
      const location = REDIRECTS.has(response.statusCode) ? single(response.headers, 'location') : undefined
      if (location === undefined || !URL.canParse(location, url.href)) return await judge(request, url, response, limits)
      await response.body.dump()
      const next = new URL(location, url)
      const refused = isAllowed(url, next)
      if (refused !== undefined) return final('failed', `${shownUrl(url)} redirects ${refused}`)
      if (seen.has(next.href)) return final('failed', `${shownUrl(request.url)} redirects in a circle`)
      if (seen.size > limits.redirects) return final('failed', `${shownUrl(request.url)} redirects more than ${limits.redirects} times`)
      seen.add(next.href)
      url = next
    }
  }

  return async request => {
    try {
      return await follow(request)
    } catch (error) {
      return explain(error, shownUrl(request.url), limits)
    }
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** What an answer that is no redirect means. */
async function judge (
  request: FetchRequest,
  url: URL,
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
  limits: FetchLimits
): Promise<Attempted> {
  const where = shownUrl(url)
  if (status === 200) {
    const coding = single(headers, 'content-encoding')
    if (coding !== undefined && coding !== 'identity') {
      discard(body)
      return final('malformed', `${where} answered in the coding ${coding}, which was not asked for`)
    }
    const length = Number(single(headers, 'content-length') ?? NaN)
    const bounds = {
      maxBytes: request.maxBytes,
      announced: Number.isNaN(length) ? undefined : length,
      stallMs: limits.stallMs,
      stallBytes: limits.stallBytes
    }
    const bytes = request.receive === undefined ? await readBody(body, bounds) : await receive(request.receive, body, bounds)
    return {
      answer: { state: 'ok', bytes, url: where, etag: single(headers, 'etag'), header: name => single(headers, name) },
      isTransient: false
    }
  }
  await body.dump()
  const retryAfterMs = parseRetryAfter(single(headers, 'retry-after'))
  const later = retryAfterMs === undefined ? {} : { retryAfterMs }
  if (status === 304 && (request.etag !== undefined || request.headers?.['if-modified-since'] !== undefined)) {
    return { answer: { state: 'unchanged' }, isTransient: false }
  }
  const answer = `${where} answered ${status}`
  if (status === 404 || status === 410) return { answer: { state: 'absent', answer, ...later }, isTransient: false }
  if (status === 401 || status === 403) return final('denied', answer)
  // Who is told to come later, and not when, does not come back at once.
  if (status === 429) return { answer: { state: 'busy', answer, ...later }, isTransient: retryAfterMs !== undefined }
  if (status === 408 || status >= 500) return { answer: { state: 'failed', answer, ...later }, isTransient: true }
  return final('failed', answer)
}

async function receive (take: NonNullable<FetchRequest['receive']>, body: Readable, bounds: BodyLimits): Promise<Uint8Array> {
  try {
    await take(watchBody(body, bounds))
  } finally {
    discard(body)
  }
  return new Uint8Array(0)
}

/** What an error on the way means. Time-outs have taken their time already, and are not tried again. */
function explain (error: unknown, where: string, limits: FetchLimits): Attempted {
  if (error instanceof BodyRefused) return { answer: error.refusal, isTransient: false }
  if (error instanceof BodyTooLarge) return final('malformed', `${where} is larger than is taken (${error.message})`)
  if (error instanceof BodyStalled) return final('timeout', `${where} came too slowly (${error.message})`)
  if (error instanceof AddressRefused) return final('failed', `${where} redirects to where it must not: ${error.message}`)
  const way = wayFailure(error)
  if (way !== undefined) return { answer: { state: 'failed', answer: `${where} was not reached: ${way}` }, isTransient: false }
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const name = error instanceof Error ? error.name : ''
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return final('timeout', `${where} could not be reached within ${limits.connectMs} ms`)
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return final('timeout', `${where} did not answer within ${limits.headersMs} ms`)
  if (code === 'UND_ERR_BODY_TIMEOUT') return final('timeout', `${where} stopped sending for ${limits.stallMs} ms`)
  if (name === 'AbortError' || name === 'TimeoutError') return final('timeout', `${where} was not answered in time`)
  const what = error instanceof BodyCutOff ? `was cut off (${error.message})` : `failed (${code === '' ? String(error) : code})`
  return { answer: { state: 'failed', answer: `${where} ${what}` }, isTransient: true }
}

function final (state: Refusal['state'], answer: string): Attempted { return { answer: { state, answer }, isTransient: false } }

function single (headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

function basic (url: URL): string {
  return `Basic ${Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64')}`
}
