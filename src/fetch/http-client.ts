import { setTimeout as sleep } from 'node:timers/promises'
import type { Refusal } from './refusal.js'
import { createAgents } from './agents.js'
import { createAttempt, type Answered, type FetchRequest } from './attempt.js'
import { createBreakers } from './breakers.js'
import { FETCH_LIMITS, type FetchLimits } from './limits.js'
import type { ClientTls } from '../network/dispatcher.js'
import type { Network } from '../network/network.js'

export { BodyRefused } from './attempt.js'
export type { Answered, FetchRequest } from './attempt.js'

export interface HttpClientOptions {
  /** Addresses that the operator configured. Redirects may lead to these, or into the public Internet. */
  readonly origins: readonly URL[]
  readonly limits?: Partial<FetchLimits>
  /** What the client shows of itself to those origins, and whom it believes there. PEM. */
  readonly tls?: ClientTls
  /** Proxies, and authorities that are believed. Undefined: as Node by itself. */
  readonly network?: Network | undefined
}

/** GET with deadlines, limits, retries and a breaker. Never rejects: whatever an origin does is an answer. */
export interface HttpClient {
  get(request: FetchRequest): Promise<Answered | Refusal>
  /** Ends what is under way. */
  close(): Promise<void>
}

export function createHttpClient (options: HttpClientOptions): HttpClient {
  const limits = { ...FETCH_LIMITS, ...options.limits }
  const agents = createAgents(limits, options)
  const attempt = createAttempt({ limits, agents, origins: new Set(options.origins.map(url => url.origin)) })
  const breakers = createBreakers<Awaited<ReturnType<typeof attempt>>>(limits,
    ({ answer }) => answer.state === 'failed' || answer.state === 'timeout')

  /** Milliseconds to wait before a further try; undefined where the origin wants to be left alone for longer than we wait. */
  const pauseAfter = (answer: Refusal, tried: number): number | undefined => {
    if (answer.retryAfterMs !== undefined) return answer.retryAfterMs <= limits.retryMaxMs ? answer.retryAfterMs : undefined
    return Math.random() * Math.min(limits.retryMaxMs, limits.retryMinMs * 2 ** tried)
  }

  return {
    async get (given) {
      const request = { ...given, signal: AbortSignal.any([given.signal, AbortSignal.timeout(given.totalMs ?? limits.totalMs)]) }
      for (let tried = 1; ; tried++) {
        const run = await breakers.run(request.url.origin, () => attempt(request))
        if ('openForMs' in run) {
          return {
            state: 'failed',
            answer: `${request.url.origin} is left alone, because most of what it was asked lately failed`,
            retryAfterMs: run.openForMs
          }
        }
        const { answer, isTransient } = run.result
        if (!isTransient || answer.state === 'ok' || answer.state === 'unchanged') return answer
        const told = tried === 1 ? answer : { ...answer, answer: `${answer.answer}, ${tried} times` }
        const pause = tried < limits.tries ? pauseAfter(answer, tried) : undefined
        if (pause === undefined) return told
        try {
          await sleep(pause, undefined, { signal: request.signal })
        } catch {
          return told
        }
      }
    },
    close: () => agents.close()
  }
}
