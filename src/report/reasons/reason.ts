import type { Reason } from '../../core/fault.js'
import type { ReportSuggestion } from '../../wire/report.js'

/** What the engine says of a record, and what a search finds out beyond it. */
export type ReportReason = Reason | 'field_moved' | 'type_ruled_out' | 'type_in_module' | 'opcode_invalid' | 'bitfield_read_plainly'

/** Why a record has no value from this kernel, or has one that does not do what the program means. */
export interface Explanation {
  readonly reason: ReportReason
  /** Plain sentences in the words of the program's source. */
  readonly detail: string
  readonly suggestions: readonly ReportSuggestion[]
}

/** Which modules of the kernel have a type, by its name in C; those whose BTF was not asked with. */
export type ModulesWith = (type: string) => readonly string[]

/** `a`, `a and b`, `a, b and c`. */
export function listed (items: readonly string[], word = 'and'): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${word} ${items.at(-1) ?? ''}`
}
