import type { TypeId } from '../../btf/btf.js'
import type { Target } from '../../core/candidates.js'
import type { Candidate } from '../../core/match-spec.js'
import type { BpfObject } from '../../core/object.js'
import type { RecordOutcome } from '../../core/outcome.js'
import type { Work } from '../../btf/work.js'
import type { BrokenField } from './broken-field.js'
import type { NewNames } from './names-in-use.js'
import type { Explanation, ModulesWith } from './reason.js'

/** What was found out of one field: its relocations, such as its offset and its size, are told alike. */
export interface FieldNotes {
  /** By type of the kernel, which mostly is one. */
  readonly breaks: FieldBreak[]
  /** What was told of it with suggestions. */
  readonly told: Explanation[]
}

export interface FieldBreak {
  readonly candidate: Candidate
  readonly broken: BrokenField
  /** What is said of it where the program could read something else. */
  advised: Explanation | undefined
  /** The same without a search for that. */
  plain: Explanation | undefined
}

/** What a search for a reason may look at. */
export interface ReasonContext {
  readonly object: BpfObject
  readonly target: Target
  readonly records: readonly RecordOutcome[]
  readonly modulesWith: ModulesWith
  readonly names: NewNames
  /** A map of the object that has the struct or union as key or value; undefined where none has. */
  readonly storedIn: (type: TypeId) => string | undefined
  /** What is known already of the field that is asked about. */
  readonly field: FieldNotes
  /** What was found out of types that the kernel does not have. */
  readonly missing: Map<string, Explanation>
  /** Whether to look for what the program could read instead. */
  readonly wantsAdvice: boolean
  /** Steps of one search, none of which the relocation needs. */
  readonly work: Work
}
