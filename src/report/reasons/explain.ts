import { AppError } from '../../errors.js'
import { describeAccess } from '../../core/describe.js'
import { isEnumvalKind, isFieldKind } from '../../core/kinds.js'
import type { RecordOutcome } from '../../core/outcome.js'
import type { Candidate } from '../../core/match-spec.js'
import type { Resolution } from '../../core/resolution.js'
import type { Spec } from '../../core/spec.js'
import type { ReportSuggestion } from '../../wire/report.js'
import { explainAmbiguous } from './ambiguous.js'
import type { ReasonContext } from './context.js'
import { explainEnumerator } from './enumerators.js'
import { breakOf } from './broken-field.js'
import { explainField, sizesOf } from './fields.js'
import { brokenAccess } from './malformed.js'
import { explainMismatch } from './mismatch.js'
import type { Remark } from './remarks.js'
import type { Explanation } from './reason.js'
import { isOfRegisters } from './registers.js'
import { readAtAnySize } from './snippets.js'
import { explainDifferentType, explainMissingType, explainRuledOut } from './types.js'

/**
 * Why a record has no value from this kernel: what the engine says of it, and what a search finds out beyond that. Undefined
 * for a record that has one. Never fails: where the search runs out of steps, or meets types that cannot be walked, it says so.
 */
export function explainRecord (record: RecordOutcome, remark: Remark | undefined, context: ReasonContext): Explanation | undefined {
  const { reason, detail, resolution, status } = record
  const plain = reason === null ? undefined : { reason, detail: detail ?? '', suggestions: [] }
  if (status === 'resolved') {
    return remark === undefined || resolution === undefined
      ? undefined
      : { ...remark, suggestions: atAnySize(resolution.local, context) }
  }
  try {
    if (plain !== undefined) return explainError(record, context) ?? plain
    return resolution === undefined ? undefined : explainAbsence(record, resolution, context)
  } catch (error) {
    if (!(error instanceof AppError) || (error.code !== 'relocation_failed' && error.code !== 'btf_invalid')) throw error
    return plain ?? {
      reason: 'work_limit',
      detail: `This kernel has no ${resolution === undefined ? record.accessSpec : describeAccess(resolution.local)}. ` +
        'Why was not found out, because its types nest or repeat beyond what compilers make.',
      suggestions: []
    }
  }
}

function atAnySize (local: Spec, context: ReasonContext): ReportSuggestion[] {
  const suggestion = readAtAnySize(local, context)
  return suggestion === undefined ? [] : [suggestion]
}

/** What libbpf ends with, told better where more is known. */
function explainError (record: RecordOutcome, context: ReasonContext): Explanation | undefined {
  const { reason, resolution } = record
  switch (reason) {
    case 'ambiguous': return resolution === undefined ? undefined : explainAmbiguous(resolution, context)
    case 'value_mismatch': return resolution === undefined ? undefined : explainMismatch(record, resolution, context)
    case 'access_malformed': {
      const broken = brokenAccess(context.object.btf, record, context.work)
      return broken === undefined ? undefined : { reason, detail: broken.detail, suggestions: [] }
    }
    case 'bitfield_too_wide':
      return resolution === undefined
        ? undefined
        : { reason, detail: `${describeAccess(resolution.local)} cannot be read in this kernel. ${record.detail ?? ''}`, suggestions: [] }
    default: return undefined
  }
}

function explainAbsence (record: RecordOutcome, resolution: Resolution, context: ReasonContext): Explanation | undefined {
  const { local, matched, candidates } = resolution
  if (matched !== undefined) {
    if (record.status !== 'poisoned') return undefined
    return {
      reason: 'access_size_unsafe',
      detail: `${sizesOf(local, matched)}; only pointers and unsigned integers can be read at another size.`,
      suggestions: atAnySize(local, context)
    }
  }
  const ruledOut = explainRuledOut(resolution, context)
  if (ruledOut !== undefined) return ruledOut
  const [candidate] = candidates
  if (candidate === undefined) return explainMissingTypeOnce(record, local, context)
  if (isEnumvalKind(local.kind)) return explainEnumerator(local, candidate, context)
  return isFieldKind(local.kind) ? explainFieldOnce(local, candidate, context) : explainDifferentType(local, candidate, context)
}

/** Accesses to one type that the kernel does not have have one reason, apart from code that is about a register. */
function explainMissingTypeOnce ({ section }: RecordOutcome, local: Spec, context: ReasonContext): Explanation {
  const key = `${local.rootId} ${isFieldKind(local.kind)} ${context.wantsAdvice} ${section}`
  const known = context.missing.get(key)
  if (known !== undefined) return known
  const made = explainMissingType(local, section, context)
  if (!isOfRegisters(local)) context.missing.set(key, made)
  return made
}

/** Relocations of one field, such as its offset and its size, have one reason, and what to write is the same code. */
function explainFieldOnce (local: Spec, candidate: Candidate, context: ReasonContext): Explanation {
  const { field: { breaks }, wantsAdvice, work } = context
  let known = breaks.find(({ candidate: { id, btf } }) => id === candidate.id && btf === candidate.btf)
  if (known === undefined) {
    known = { candidate, broken: breakOf(local, candidate, work), advised: undefined, plain: undefined }
    breaks.push(known)
  }
  const told = wantsAdvice ? 'advised' : 'plain'
  return known[told] ?? (known[told] = explainField(local, candidate, known.broken, context))
}
