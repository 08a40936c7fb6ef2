import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { AppError } from '../../errors.js'
import { answerOnSocket } from '../errors.js'

/**
 * What HTTP asks of every request, whatever its address (RFC 9110, RFC 9112). Node answers some of this by itself, without a body and
 * without `x-request-id`, and lets the rest pass.
 */
export const protocolPlugin = fp(async app => {
  app.addHook('onRequest', (request, _reply, done) => { done(faultOf(request.raw)) })
  // Node's own answers are 417, and the end of the connection.
  app.server.on('checkExpectation', (request, response) => { app.server.emit('request', request, response) })
  // Node's own answer is 100, before anybody has looked at the request.
  app.server.on('checkContinue', (request, response) => {
    continueWhenRead(request, response)
    app.server.emit('request', request, response)
  })
  app.server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    answerOnSocket(socket, new AppError('method_not_allowed', 'This is no proxy: it answers no CONNECT.', { allow: [] }))
  })
}, { name: 'corelo-protocol' })

function faultOf ({ httpVersion, headers, rawHeaders }: IncomingMessage): AppError | undefined {
  if (!hasHost(httpVersion, rawHeaders)) return invalid('host', 'A request of HTTP/1.1 has one Host header.')
  const { expect, 'transfer-encoding': transfer, 'content-encoding': encoding = 'identity' } = headers
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    return invalid('expect', 'The Expect header can ask for 100-continue only.')
  }
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') {
    return invalid('transfer-encoding', 'The Transfer-Encoding of a request can be chunked only.')
  }
  if (encoding.toLowerCase() !== 'identity') {
    return new AppError('unsupported_media_type', 'Send the body as it is, without Content-Encoding.', { accepted_encodings: ['identity'] })
  }
  return undefined
}

/**
 * Has a caller that waits for it told to send the body once somebody reads that: one that is refused for its headers is not sent at all
 * (RFC 9110 10.1.1). What Node drops after an answer is read as well, and nobody waits for it.
 */
function continueWhenRead (request: IncomingMessage, response: ServerResponse): void {
  request.once('resume', () => { if (!response.headersSent) response.writeContinue() })
}

/** Whether a request says once for which host it is. HTTP/1.0 need not say it. Names and values of headers come in turn. */
export function hasHost (httpVersion: string, rawHeaders: readonly string[]): boolean {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0')
}

function invalid (field: string, message: string): AppError { return new AppError('invalid_request', message, { field }) }
