import type { AppError, ErrorCode } from '../errors.js'

/** What the command's exit code says. Scripts rely on it; README lists the same four. */
export const ExitCode = {
  OK: 0,
  /** The object does not do for that kernel. */
  FINDING: 1,
  /** Wrong arguments or settings. */
  USAGE: 2,
  /** No answer either way: the kernel is unknown, a file cannot be read or is not what it should be. */
  CANNOT_TELL: 3
} as const

export type ExitCode = typeof ExitCode[keyof typeof ExitCode]

const FINDINGS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['relocation_failed', 'unresolved_reachable'])

export function exitCodeOf (error: AppError): ExitCode {
  if (FINDINGS.has(error.code)) return ExitCode.FINDING
  return error.code === 'invalid_request' ? ExitCode.USAGE : ExitCode.CANNOT_TELL
}
