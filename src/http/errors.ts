import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { AppError, ERRORS, type ErrorCode } from '../errors.js'
import { PROBLEM_TYPE, type ProblemJson } from '../wire/problem.js'
import { closeAfterAnswer } from './linger.js'

/** Seconds after which to try again, where the error itself does not say (`retry_after` in its details). */
const RETRY_AFTER: Partial<Record<ErrorCode, number>> = { rate_limited: 1, overloaded: 1, draining: 5, storage_unreadable: 10 }

/** Fastify's and its plugins' own error codes. What is not here is judged by its status. */
const FRAMEWORK_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_VALIDATION: 'invalid_request',
  FST_ERR_BAD_URL: 'invalid_request',
  FST_ERR_MAX_PARAM_LENGTH: 'invalid_request',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request'
}

const CODE_BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  408: 'request_timeout',
  413: 'too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  431: 'headers_too_large'
}

/** Sentences for errors of the framework that callers meet; its own speak to the programmer. */
const DETAILS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'The Content-Type header names no media type that this address takes.',
  FST_ERR_MAX_PARAM_LENGTH: 'A part of the address is longer than 256 characters.',
  FST_ERR_BAD_URL: 'The address has a % that two hex digits do not follow, or bytes that are not UTF-8.'
}

/** All that a caller learns of a failure of ours. */
const INTERNAL_DETAIL = 'The service failed; its log has the cause under this request_id.'

/** Any error as one of ours. An error that nobody foresaw becomes `internal_error`, which tells nothing of itself. */
export function toAppError (error: unknown): AppError {
  if (error instanceof AppError) return error
  const { code, statusCode, message } = (error ?? {}) as Partial<FastifyError>
  const byStatus = isCallersFault(statusCode) ? CODE_BY_STATUS[statusCode] ?? 'invalid_request' : 'internal_error'
  const ours = FRAMEWORK_CODES[code ?? ''] ?? byStatus
  if (ours === 'internal_error') return new AppError(ours, INTERNAL_DETAIL, {}, { cause: error })
  return new AppError(ours, DETAILS[code ?? ''] ?? `The request cannot be read: ${message ?? 'no reason given'}.`, {}, { cause: error })
}

function isCallersFault (status: number | undefined): status is number { return status !== undefined && status >= 400 && status < 500 }

/** The body of an error's answer, RFC 9457. Members of the code's own never replace the standard ones. */
export function toProblem (error: AppError, requestId: string): ProblemJson & Record<string, unknown> {
  const { status, title } = ERRORS[error.code]
  const isInternal = error.code === 'internal_error'
  return {
    type: `urn:corelo:problem:${error.code}`,
    title,
    status,
    detail: isInternal ? INTERNAL_DETAIL : error.message,
    code: error.code,
    request_id: requestId,
    ...(isInternal ? {} : withoutReserved(error.details))
  }
}

/** The problem as JSON. A member that is bytes is JSON already: a list that a worker made, and that may be long. */
function problemBytes (problem: Record<string, unknown>): Buffer {
  const made = Object.entries(problem).filter((entry): entry is [string, Uint8Array] => entry[1] instanceof Uint8Array)
  if (made.length === 0) return Buffer.from(JSON.stringify(problem))
  const rest = JSON.stringify({ ...problem, ...Object.fromEntries(made.map(([name]) => [name, undefined])) })
  return Buffer.concat([
    Buffer.from(rest.slice(0, -1)),
    ...made.flatMap(([name, json]) => [Buffer.from(`,${JSON.stringify(name)}:`), json]),
    Buffer.from('}')
  ])
}

/** What the standard members have, and what goes into a header. */
const RESERVED = new Set(['type', 'title', 'status', 'detail', 'code', 'request_id', 'challenge'])

function withoutReserved (details: AppError['details']): AppError['details'] {
  for (const name in details) {
    if (RESERVED.has(name)) return Object.fromEntries(Object.entries(details).filter(([name]) => !RESERVED.has(name)))
  }
  return details
}

/** The one error handler. */
export function handleError (cause: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = toAppError(cause)
  if (error.code === 'internal_error') request.log.error({ request_id: request.id, err: error.cause ?? error }, 'request failed')
  request.problem = error.code
  reply.code(error.status)
  if (isUploading(request)) abandonUpload(request, reply)
  else reply.removeHeader('connection') // Fastify's, after a body that it did not like
  reply.headers({
    'content-type': PROBLEM_TYPE,
    'cache-control': 'no-store',
    'x-request-id': request.id,
    ...headersFor(error)
  })
  reply.send(problemBytes(toProblem(error, request.id)))
}

/** Headers that say in HTTP's own words what the problem says in ours. */
function headersFor (error: AppError): Record<string, string> {
  const { retry_after: retryAfter, allow, accepted, accepted_encodings: encodings, challenge } = error.details
  const seconds = typeof retryAfter === 'number' ? retryAfter : RETRY_AFTER[error.code]
  return {
    ...(seconds === undefined ? {} : { 'retry-after': String(Math.max(0, Math.ceil(seconds))) }),
    ...(error.code === 'unauthorized' ? { 'www-authenticate': 'Bearer realm="corelo", error="invalid_token"' } : {}),
    ...(typeof challenge === 'string' ? { 'www-authenticate': challenge } : {}),
    ...(Array.isArray(allow) ? { allow: allow.join(', ') } : {}),
    ...(Array.isArray(accepted) ? { accept: accepted.join(', ') } : {}),
    ...(Array.isArray(encodings) ? { 'accept-encoding': encodings.join(', ') } : {})
  }
}

function isUploading ({ raw: { complete, headers } }: FastifyRequest): boolean {
  return !complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
}

/** Reads no more of an upload that is refused. The connection ends with the answer, since the rest of the request is on it. */
function abandonUpload (request: FastifyRequest, reply: FastifyReply): void {
  request.raw.unpipe()
  request.raw.pause()
  reply.header('connection', 'close')
  closeAfterAnswer(request.raw.socket)
}

/** Answers to what is not HTTP, arrives too slowly or has headers without end. There is no request then, only a socket. */
export function handleClientError (error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  answerOnSocket(socket, fromClientError(error))
}

/** Answers where Node has no response to answer with, and ends the connection. */
export function answerOnSocket (socket: Socket, error: AppError): void {
  const requestId = randomUUID()
  const body = JSON.stringify(toProblem(error, requestId))
  const headers = { ...headersFor(error), 'content-length': Buffer.byteLength(body), 'x-request-id': requestId, connection: 'close' }
  socket.end([
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    `content-type: ${PROBLEM_TYPE}`,
    'cache-control: no-store',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '',
    body
  ].join('\r\n'), () => { socket.destroy() })
}

function fromClientError ({ code }: NodeJS.ErrnoException): AppError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AppError('request_timeout',
        'The request did not arrive completely in time; send it again over a faster or less busy connection.')
    case 'HPE_HEADER_OVERFLOW':
      return new AppError('headers_too_large', 'The request headers are larger than 16384 bytes.', { limit: 16_384 })
    default:
      return new AppError('invalid_request', 'What arrived is not an HTTP/1.1 request.')
  }
}
