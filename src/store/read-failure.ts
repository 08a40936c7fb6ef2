import { AppError } from '../errors.js'
import { errorCode } from './error-code.js'

/** What reading content came to, where it is not there whole: not there at all, not what its hash says, or there and not to be read now. */
export type Unread =
  | { readonly state: 'absent' }
  | { readonly state: 'damaged' }
  | { readonly state: 'unreadable', /** EACCES, EIO, ESTALE, EMFILE. */ readonly code: string }

/** Errors that say that nothing is there. All others say that something may be, and that this disk or process cannot tell. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR'])

export function isAbsence (error: unknown): boolean { return ABSENT.has(errorCode(error) ?? '') }

/** The error of a read that failed: absent, or unreadable. */
export function toUnread (error: unknown): Exclude<Unread, { readonly state: 'damaged' }> {
  return isAbsence(error) ? { state: 'absent' } : { state: 'unreadable', code: errorCode(error) ?? 'EIO' }
}

/** Seconds after which to ask again for what could not be read. */
const RETRY_AFTER_S = 10

/** What could not be read is not unknown: it is kept, and asked for again later. `what` begins the sentence. */
export function storageUnreadable (what: string, code: string, facts: Readonly<Record<string, unknown>> = {}): AppError {
  return new AppError('storage_unreadable',
    `${what} cannot be read at the moment (${code}); nothing was removed. Try again later.`,
    { ...facts, error: code, retry_after: RETRY_AFTER_S })
}
