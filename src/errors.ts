/**
 * Every problem code a caller can meet, with its HTTP status and title. `docs/errors.md` lists the same codes (a test
 * compares the two). The codes are the contract's; the engine uses the few that speak about its input.
 */
export const ERRORS = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  unauthorized: { status: 401, title: 'Credentials are missing or not accepted' },
  forbidden: { status: 403, title: 'The credentials do not allow this' },
  not_found: { status: 404, title: 'There is nothing at this address' },
  kernel_unknown: { status: 404, title: 'No BTF can be had for this kernel' },
  object_unknown: { status: 404, title: 'The service does not hold this object' },
  btf_unknown: { status: 404, title: 'The service does not hold this BTF' },
  method_not_allowed: { status: 405, title: 'This address does not answer that method' },
  not_acceptable: { status: 406, title: 'None of the accepted media types can be produced' },
  request_timeout: { status: 408, title: 'The request did not arrive in time' },
  kernel_ambiguous: { status: 409, title: 'The name can mean different BTFs' },
  btf_conflict: { status: 409, title: 'The BTF is not the one that was meant' },
  too_large: { status: 413, title: 'The input is larger than the limit' },
  unsupported_media_type: { status: 415, title: 'The media type is not supported' },
  object_invalid: { status: 422, title: 'The eBPF object cannot be read' },
  btf_invalid: { status: 422, title: 'The BTF cannot be read' },
  relocation_failed: { status: 422, title: 'The object cannot be relocated for this kernel' },
  unresolved_reachable: { status: 422, title: 'A relocation that the program depends on has no value in this kernel' },
  rate_limited: { status: 429, title: 'Too many requests' },
  headers_too_large: { status: 431, title: 'The request headers are larger than the limit' },
  internal_error: { status: 500, title: 'The service failed' },
  source_failed: { status: 502, title: 'A BTF source failed' },
  source_invalid: { status: 502, title: 'A BTF source answered with something else than BTF' },
  storage_unreadable: { status: 503, title: 'Stored content cannot be read at the moment' },
  overloaded: { status: 503, title: 'The service is at its limit' },
  fetching: { status: 503, title: 'The kernel is being fetched' },
  draining: { status: 503, title: 'The service is stopping' },
  source_timeout: { status: 504, title: 'A BTF source did not answer in time' },
  deadline_exceeded: { status: 504, title: 'The request took longer than its deadline' }
} as const

export type ErrorCode = keyof typeof ERRORS

/** Facts that go with an error: where in the input, which limit, what was found. Plain data, so that they cross threads and HTTP. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/** An error as plain data: the form that crosses from a worker, where a native Error would lose its code. */
export interface ErrorJson {
  readonly code: ErrorCode
  readonly message: string
  readonly details: ErrorDetails
}

/**
 * The one error class of the project. `message` is one sentence with the numbers in it that tells the caller what is wrong
 * and, where that is not plain, what to do; `details` holds the same facts for programs.
 */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor (code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.details = details
  }

  get status (): number { return ERRORS[this.code].status }

  toJSON (): ErrorJson { return { code: this.code, message: this.message, details: this.details } }

  static fromJSON (json: ErrorJson): AppError { return new AppError(json.code, json.message, json.details) }
}

/** The same facts under another code, for a parser that is used on two kinds of input (local and target BTF). */
export function recode (error: AppError, code: ErrorCode, details: ErrorDetails = {}): AppError {
  return new AppError(code, error.message, { ...error.details, ...details }, { cause: error })
}

/**
 * Throws one error that names all, so that they can be mended in one go: itself where there is one, else a line for each below the
 * heading, with code and details of the first. Nothing where there are none.
 *
 * @param heading of how many
 */
export function throwAll (errors: readonly AppError[], heading: (count: number) => string): void {
  const [first] = errors
  if (first === undefined) return
  const lines = [...new Set(errors.map(({ message }) => message))] // the same may have been named twice
  throw lines.length === 1 ? first : new AppError(first.code, [heading(lines.length), ...lines].join('\n'), first.details, { cause: first })
}
