import { wayFailure } from '../network/failure.js'
import { openFetch } from '../network/fetch.js'
import type { Network } from '../network/network.js'
import { parseRetryAfter } from '../retry-after.js'
import type { Warn, WebhookTimes } from '../settings/service-options.js'
import type { WatchEvent } from './events.js'
import type { Pending } from './pending.js'
import { readSecrets, signedHeaders } from './signature.js'

export interface WebhookOptions {
  readonly url: string
  readonly secretFile: string
  readonly times?: Partial<WebhookTimes>
  readonly network?: Network | undefined
  readonly pending: Pending
  readonly warn: Warn
}

/** Tells an address of events: each until it was taken, one at a time. Nothing that the address does ends anything else. */
export interface Webhook {
  /** Looks at what is pending. */
  wake(): void
  stats(): WebhookStats
  /** Ends what is under way. What was not taken stays pending. */
  close(): Promise<void>
}

export interface WebhookStats {
  /** Events that were taken, attempts that failed, and events that were given up. */
  readonly delivered: number
  readonly failed: number
  readonly dropped: number
}

/** In milliseconds. The first wait is up to `baseMs`, and each one after it up to three times the one before. */
const TIMES: WebhookTimes = { timeoutMs: 15_000, baseMs: 5_000, maxMs: 3_600_000, giveUpMs: 3 * 24 * 3_600_000 }
const GROWTH = 3
/** Events that wait. Beyond it the oldest are given up. */
const MOST_EVENTS = 10_000
/** However old an event is, so many attempts are made. */
const LEAST_TRIES = 5
/** Deliveries after which it is written down what is left, where some wait. A process that is killed before repeats them. */
const SAVED_TOGETHER = 32
/** The receiver does not want this event. */
const GONE = 410

export function createWebhook ({ url, secretFile, times, network = {}, pending: { events, save }, warn }: WebhookOptions): Webhook {
  const { timeoutMs, baseMs, maxMs, giveUpMs } = { ...TIMES, ...times }
  const { origin } = new URL(url) // its path may be the secret of who receives
  const closing = new AbortController()
  const fetching = openFetch(network)
  fetching.catch(() => {}) // each attempt tells
  /** Events that were refused for themselves: how often, and when they are tried again, in milliseconds since 1970. */
  const refused = new Map<string, { readonly count: number, readonly at: number }>()
  const counts = { delivered: 0, failed: 0, dropped: 0 }
  /** Failures of the address in a row, whatever it was sent, and until when it is left alone. */
  let streak = 0
  let pausedUntil = 0
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> | undefined

  const forget = (id: string): void => {
    events.delete(id)
    refused.delete(id)
  }
  const drop = (event: WatchEvent, reason: string): void => {
    counts.dropped++
    forget(event.id)
    warn('The webhook did not take an event, which is given up.', { webhook: origin, id: event.id, reason })
  }
  const waitAfter = (failures: number): number => Math.min(maxMs, baseMs * GROWTH ** Math.min(failures - 1, 30)) * (0.5 + Math.random() / 2)

  /** What came of an attempt: undefined where the event was taken. */
  const attempt = async ({ id, body }: WatchEvent): Promise<Failure | undefined> => {
    try {
      const headers = signedHeaders(id, Math.floor(Date.now() / 1000), body, await readSecrets(secretFile))
      const fetch = await fetching
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: Buffer.from(body),
        redirect: 'manual', // what is told is for the address that the operator named
        signal: AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)])
      })
      answer.body?.cancel().catch(() => {})
      return answer.ok ? undefined : failureOf(answer)
    } catch (error) {
      return { reason: reasonOf(error, timeoutMs), isOfEvent: false, isFinal: false, retryAfterMs: 0 }
    }
  }

  const noteFailure = (event: WatchEvent, { reason, isOfEvent, isFinal, retryAfterMs }: Failure): void => {
    counts.failed++
    const failures = isOfEvent ? (refused.get(event.id)?.count ?? 0) + 1 : ++streak
    const isOld = ({ at }: WatchEvent): boolean => failures >= LEAST_TRIES && Date.now() - Date.parse(at) >= giveUpMs
    if (isFinal || (isOfEvent && isOld(event))) return drop(event, reason)
    const wait = Math.max(retryAfterMs, waitAfter(failures))
    if (isOfEvent) {
      refused.set(event.id, { count: failures, at: Date.now() + wait })
    } else {
      pausedUntil = Date.now() + wait
      for (const old of [...events.values()].filter(isOld)) drop(old, reason)
    }
    warn('The webhook did not take an event; it is tried again.',
      { webhook: origin, id: event.id, reason, failures, again_in_s: Math.ceil(wait / 1000) })
  }

  const deliver = async (event: WatchEvent): Promise<void> => {
    const failure = await attempt(event)
    if (failure !== undefined) {
      if (!closing.signal.aborted) noteFailure(event, failure)
      return
    }
    counts.delivered++
    streak = 0
    forget(event.id)
    if (events.size === 0 || counts.delivered % SAVED_TOGETHER === 0) await save()
  }

  const wake = (): void => {
    clearTimeout(timer)
    if (sending !== undefined || closing.signal.aborted) return
    for (const event of events.values()) {
      if (events.size <= MOST_EVENTS) break
      drop(event, `more than ${MOST_EVENTS} events wait`)
    }
    const next = soonest(events.values(), id => refused.get(id)?.at ?? 0)
    if (next === undefined) return
    timer = setTimeout(() => {
      sending = deliver(next.event).finally(() => {
        sending = undefined
        wake()
      })
    }, Math.max(0, Math.max(next.at, pausedUntil) - Date.now())).unref()
  }

  return {
    wake,
    stats: () => counts,
    async close () {
      closing.abort()
      clearTimeout(timer)
      await sending
    }
  }
}

interface Failure {
  readonly reason: string
  /** What was sent was refused, and not because of the address itself: other events need not wait. */
  readonly isOfEvent: boolean
  /** No other attempt can change it. */
  readonly isFinal: boolean
  /** For how long the address wants to be left alone. */
  readonly retryAfterMs: number
}

/** Client errors that are not about what was sent. */
const NOT_OF_EVENT: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 421, 425, 426, 429])

function failureOf ({ status, headers }: Response): Failure {
  return {
    reason: `it answered with status ${status}${status >= 300 && status < 400 ? ', and redirects are not followed' : ''}`,
    isOfEvent: status >= 400 && status < 500 && !NOT_OF_EVENT.has(status),
    isFinal: status === GONE,
    retryAfterMs: parseRetryAfter(headers.get('retry-after') ?? undefined) ?? 0
  }
}

function soonest (
  events: Iterable<WatchEvent>,
  timeOf: (id: string) => number
): { readonly event: WatchEvent, readonly at: number } | undefined {
  let best: { readonly event: WatchEvent, readonly at: number } | undefined
  for (const event of events) {
    const at = timeOf(event.id)
    if (best === undefined || at < best.at) best = { event, at }
    if (at === 0) break
  }
  return best
}

function reasonOf (error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `it did not answer within ${timeoutMs} ms`
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return wayFailure(error) ?? (cause instanceof Error ? cause.message : String(cause))
}
