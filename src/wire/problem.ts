import type { ErrorCode } from '../errors.js'

export const PROBLEM_TYPE = 'application/problem+json'

/** An error as RFC 9457 has it. Codes have members of their own besides these. */
export interface ProblemJson {
  /** `urn:corelo:problem:` and the code. */
  readonly type: string
  readonly title: string
  readonly status: number
  /** One sentence that tells what to do. */
  readonly detail: string
  readonly code: ErrorCode
  readonly request_id: string
}
