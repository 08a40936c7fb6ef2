import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { SummaryCounter } from '../../check/summary.js'
import type { ErrorCode } from '../../errors.js'
import type { RelocateAnswer } from '../../relocation/types.js'
import type { Identity } from '../access/identity.js'

/** Status of a request whose caller went away before the answer: nginx's number for it. */
const CALLER_GONE = 499

interface RequestEnd {
  readonly status: number
  /** Whether all of the answer was handed to the network. */
  readonly isAnswered: boolean
  /** Milliseconds since the request began. */
  readonly ms: number
}

/** What is known of a request at its end. */
export interface RequestFacts {
  readonly id: string
  readonly method: string
  /** The pattern of its route. Undefined where there is none. */
  readonly route: string | undefined
  readonly isOperational: boolean
  /** Who asked. Null where everybody may, or nobody has said. */
  readonly identity: Identity | null
  /** The code of the problem that was answered. */
  readonly problem: ErrorCode | null
  /** The relocation that was answered. */
  readonly answer: RelocateAnswer | null
  /** Knows the sum of the check that was answered. */
  readonly check: SummaryCounter | null
}

/** Is told of a request once it is over. */
export type EndOfRequest = (facts: RequestFacts, end: RequestEnd) => void

/** Who is told of every request, once when it begins and once when it is over. */
export interface RequestObserver {
  readonly onBegin: () => void
  readonly onEnd: readonly EndOfRequest[]
}

/**
 * Tells of a request's begin now, and of its end, once, however it ends: Fastify's own hooks miss a caller that leaves after its
 * upload. One listener for all who want to know.
 */
export function observe (
  response: ServerResponse,
  { onBegin, onEnd }: RequestObserver,
  factsOf: () => RequestFacts,
  elapsedMs: () => number
): void {
  onBegin()
  response.on('close', () => {
    const isAnswered = response.writableFinished
    const end: RequestEnd = { status: isAnswered ? response.statusCode : CALLER_GONE, isAnswered, ms: elapsedMs() }
    const facts = factsOf()
    for (const tell of onEnd) tell(facts, end)
  })
}

export const requestEndPlugin = fp<{ observer: RequestObserver }>(async (app, { observer }) => {
  app.addHook('onRequest', (request, reply, done) => {
    observe(reply.raw, observer, () => factsOf(request), () => reply.elapsedTime)
    done()
  })
}, { name: 'corelo-request-end' })

function factsOf ({ id, method, routeOptions: { url: route, config }, identity, problem, answer, check }: FastifyRequest): RequestFacts {
  return { id, method, route, isOperational: config.operational === true, identity, problem, answer, check }
}
