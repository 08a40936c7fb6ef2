import { E2BIG, EINVAL, ERANGE } from '../btf/resolve.js'
import { AppError } from '../errors.js'

export type ErrnoName = 'EINVAL' | 'E2BIG' | 'ERANGE'

/**
 * Why a record has no value, in one word for programs. The first group poisons (or answers 0), the second refuses the object,
 * as libbpf would refuse to load it; the third is refused by us where libbpf would crash, loop or read out of bounds.
 */
const REASON_LIST = [
  'type_missing', 'type_kind_differs', 'type_differs', 'field_missing', 'field_incompatible', 'index_out_of_bounds', 'enumerator_missing',
  'access_size_unsafe',
  'ambiguous', 'bitfield_too_wide', 'spec_too_long', 'size_unknown', 'value_mismatch', 'value_too_big', 'access_size_mismatch',
  'instruction_unsupported', 'access_malformed', 'kind_unknown', 'type_id_invalid', 'insn_unaligned', 'too_deep',
  'root_anonymous', 'no_signedness', 'type_cycle', 'bitfield_type_invalid', 'insn_truncated', 'elf_relocation', 'work_limit'
] as const

export type Reason = typeof REASON_LIST[number]

const REASONS: ReadonlySet<unknown> = new Set(REASON_LIST)

/** An error of one record: the whole object is refused, but the other records are still looked at. */
export function fault (errno: ErrnoName, reason: Reason, message: string): AppError {
  return new AppError('relocation_failed', message, { errno, reason })
}

/** The name of a negative errno that a walk over types returned. */
export function errnoName (errno: number): ErrnoName {
  switch (errno) {
    case E2BIG: return 'E2BIG'
    case ERANGE: return 'ERANGE'
    case EINVAL: return 'EINVAL'
    default: return 'EINVAL'
  }
}

/** The errno of a fault; EINVAL for errors of walks over types, which libbpf reports so. */
export function errnoOf (error: AppError): ErrnoName {
  const { errno } = error.details
  return errno === 'E2BIG' || errno === 'ERANGE' ? errno : 'EINVAL'
}

function isReason (value: unknown): value is Reason { return REASONS.has(value) }

export function reasonOf (error: AppError): Reason | undefined {
  const { reason } = error.details
  return isReason(reason) ? reason : undefined
}
