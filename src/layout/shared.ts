import type { Reason } from '../core/fault.js'
import type { RecordOutcome, Relocation } from '../core/outcome.js'

/** Reasons whose sentences have type ids in them. */
const NAMES_IDS: ReadonlySet<Reason> =
  new Set(['ambiguous', 'size_unknown', 'type_id_invalid', 'type_cycle', 'bitfield_type_invalid', 'work_limit'])

/**
 * Whether an outcome is that of every kernel with the same layout vector: patches, report and, for kernels whose verifiers judge alike,
 * the verdict. False where something in it follows from the BTF by other ways: a type id, in an instruction or in a sentence, or a
 * function or variable of the kernel. Each such kernel is relocated for by itself. So is one for which relocating threw an error.
 *
 * @param hasAsked whether the verdict asked for a function or variable of the kernel, of which layouts say nothing
 */
export function isOfLayout ({ records }: Relocation, hasAsked: boolean): boolean {
  return !hasAsked && !records.some(hasTypeId)
}

function hasTypeId ({ kind, reason, resolution }: RecordOutcome): boolean {
  if (reason !== null && NAMES_IDS.has(reason)) return true
  if (kind === 'target_type_id' && resolution?.matched !== undefined) return true
  // A type that an earlier relocation ruled out is told by its id.
  return resolution !== undefined && resolution.matched === undefined && resolution.pruned.length > 0
}
