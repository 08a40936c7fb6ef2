import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Service } from '../service/types.js'
import { allows, type Authenticator, type Identity } from './access/identity.js'
import type { CallerCounts } from './caller-counts.js'
import type { HeldAddresses } from './held-addresses.js'
import type { Lifecycle } from './lifecycle.js'
import { callerOf, tokenOf } from './plugins/access.js'
import { observe, type RequestObserver } from './plugins/request-end.js'
import { headersOfEvery, requestIdOf } from './plugins/request-id.js'
import { hasHost } from './plugins/protocol.js'
import type { Pressure } from './plugins/under-pressure.js'
import { chooseRepresentation, needsReport, readyAnswer } from './relocate-answer.js'

export interface FastPathOptions {
  readonly service: Pick<Service, 'findHeld'>
  readonly addresses: HeldAddresses
  readonly authenticator: Authenticator | undefined
  /** Undefined where no number of requests is too many. */
  readonly counts: CallerCounts | undefined
  readonly lifecycle: Lifecycle
  readonly pressure: Pressure
  readonly observer: RequestObserver
}

/** Answers a request, or leaves it as it is and says false. */
export type FastPath = (request: IncomingMessage, response: ServerResponse) => boolean

/**
 * The short way to results that are held: GET and HEAD of addresses that Fastify's way has read before, without its router,
 * validation and hooks, which cost more than such an answer. It refuses nothing and makes nothing: what is not plainly to be answered
 * with a held result goes Fastify's way, as if it had not been here.
 */
export function createFastPath (options: FastPathOptions): FastPath {
  const { service, addresses, authenticator, counts, lifecycle, pressure, observer } = options

  const answer = (request: IncomingMessage, response: ServerResponse, began: number): boolean => {
    const { method = '', url = '', headers } = request
    if (lifecycle.state !== 'ready' || pressure.isTooHigh() || (method !== 'GET' && method !== 'HEAD')) return false
    const address = addresses.find(url)
    if (address === undefined || !isPlain(headers) || !hasHost(request.httpVersion, request.rawHeaders)) return false
    const representation = chooseRepresentation(headers.accept)
    if (needsReport(representation)) return false
    let identity: Identity | null = null
    if (authenticator !== undefined) {
      identity = authenticator.identifyAtOnce(tokenOf(headers.authorization)) ?? null
      if (identity === null || !allows(identity, address.access)) return false
    }
    const caller = counts === undefined ? '' : callerOf({ identity, ip: request.socket.remoteAddress ?? '' })
    if (counts?.isSpent(caller) === true) return false
    const held = service.findHeld(address.question)
    if (held === undefined) return false
    const id = requestIdOf(request)
    const { status, headers: ready, body } = readyAnswer(held, representation, address.cacheControl, method, headers['if-none-match'])
    const whole = ready.slice()
    whole.push(...headersOfEvery(id))
    response.writeHead(status, whole)
    counts?.count(caller)
    const facts = { id, method, route: address.route, isOperational: false, identity, problem: null, answer: held, check: null }
    observe(response, observer, () => facts, () => performance.now() - began)
    response.end(body)
    return true
  }

  return (request, response) => {
    const began = performance.now()
    try {
      return answer(request, response, began)
    } catch {
      return response.headersSent // an error before that is one that Fastify's way meets too, and answers
    }
  }
}

/** Whether a request has no body and asks for nothing that is seldom asked for. */
function isPlain (headers: IncomingHttpHeaders): boolean {
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined && headers.expect === undefined &&
    headers.range === undefined && headers.upgrade === undefined
}
