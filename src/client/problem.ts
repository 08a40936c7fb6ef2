import { AppError, ERRORS, type ErrorCode } from '../errors.js'
import { parseRetryAfter } from '../retry-after.js'
import { PROBLEM_TYPE, type ProblemJson } from '../wire/problem.js'

/**
 * What kind of failure an error of the client is, in `details.kind`: the service said no (`problem`), it could not be talked to
 * (`transport`), or what it sent is not what the contract says (`answer`).
 */
export type FailureKind = 'problem' | 'transport' | 'answer'

/** Problems that another try may not meet. What is wrong with the request stays wrong. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'rate_limited', 'storage_unreadable', 'overloaded', 'draining', 'deadline_exceeded', 'request_timeout',
  'source_failed', 'source_timeout', 'source_invalid', 'internal_error'
])

/** Members of a problem document that are told elsewhere. */
const STANDARD_MEMBERS = new Set(['type', 'title', 'status', 'detail', 'code', 'instance', 'kind', 'retry_after'])

/** What an answer that is an error says of itself. */
export interface FailedAnswer {
  readonly server: string
  readonly status: number
  readonly contentType: string
  readonly retryAfter: string | null
  readonly body: Uint8Array
}

/** The answer as an error: its code, its sentence, and the code's own members as details. */
export function toError (answer: FailedAnswer): AppError {
  const { server, status } = answer
  const waitMs = parseRetryAfter(answer.retryAfter ?? undefined)
  const common = { server, status, ...(waitMs === undefined ? {} : { retry_after: waitMs / 1000 }) }
  const problem = parseProblem(answer)
  if (problem !== undefined) {
    const members = Object.fromEntries(Object.entries(problem.members).filter(([name]) => !STANDARD_MEMBERS.has(name)))
    return new AppError(problem.code, problem.detail, { ...members, ...common, kind: 'problem' satisfies FailureKind })
  }
  const code = codeOfStatus(status)
  const why = isProblemWithoutBody(answer)
    ? `: ${ERRORS[code].title}.`
    : ' and no problem document, as a proxy in front of the service may; check the address.'
  return new AppError(code, `${server} answered with status ${status}${why}`, { ...common, kind: 'problem' satisfies FailureKind })
}

export function transportError (code: 'source_failed' | 'source_timeout', server: string, message: string, cause: unknown): AppError {
  return new AppError(code, message, { server, kind: 'transport' satisfies FailureKind }, { cause })
}

/** The service answered with something that the contract does not allow. */
export function answerError (server: string, message: string): AppError {
  return new AppError('source_invalid', message, { server, kind: 'answer' satisfies FailureKind })
}

export function kindOf (error: AppError): FailureKind | undefined {
  const { kind } = error.details
  return kind === 'problem' || kind === 'transport' || kind === 'answer' ? kind : undefined
}

/** Whether the same request may succeed later without anybody doing anything. */
export function isPassing (error: AppError): boolean {
  return kindOf(error) === 'transport' || (kindOf(error) === 'problem' && PASSING.has(error.code))
}

/** Milliseconds that the service asked to wait; undefined where it did not say. */
export function retryAfterOf (error: AppError): number | undefined {
  const { retry_after: seconds } = error.details
  return typeof seconds === 'number' ? seconds * 1000 : undefined
}

/** The service's own answer to HEAD: of a problem document, it has the headers. */
function isProblemWithoutBody ({ contentType, body }: FailedAnswer): boolean {
  return contentType.startsWith(PROBLEM_TYPE) && body.length === 0
}

interface Problem extends Pick<ProblemJson, 'code' | 'detail'> { readonly members: Readonly<Record<string, unknown>> }

function parseProblem ({ contentType, body }: FailedAnswer): Problem | undefined {
  if (!contentType.startsWith(PROBLEM_TYPE)) return undefined
  try {
    const members: unknown = JSON.parse(Buffer.from(body).toString())
    if (typeof members !== 'object' || members === null || !('code' in members) || !('detail' in members)) return undefined
    const { code, detail } = members
    return isErrorCode(code) && typeof detail === 'string' ? { code, detail, members: { ...members } } : undefined
  } catch {
    return undefined
  }
}

function isErrorCode (code: unknown): code is ErrorCode { return typeof code === 'string' && Object.hasOwn(ERRORS, code) }

function codeOfStatus (status: number): ErrorCode {
  switch (status) {
    case 401: return 'unauthorized'
    case 403: return 'forbidden'
    case 404: return 'not_found'
    case 413: return 'too_large'
    case 429: return 'rate_limited'
    case 502: return 'source_failed'
    case 503: return 'overloaded'
    case 504: return 'source_timeout'
    default: return status >= 500 ? 'internal_error' : 'source_invalid'
  }
}
