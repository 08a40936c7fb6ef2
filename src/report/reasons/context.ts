import type { TypeId } from '../../btf/btf.js'
import type { Target } from '../../core/candidates.js'
import type { BpfObject } from '../../core/object.js'
import type { RecordOutcome } from '../../core/outcome.js'
import type { Work } from '../../btf/work.js'
import type { BrokenField } from './broken-field.js'
import type { NewNames } from './names-in-use.js'
import type { Explanation, ModulesWith } from './reason.js'

/** What a search for a reason may look at. */
export interface ReasonContext {
  readonly object: BpfObject
  readonly target: Target
  readonly records: readonly RecordOutcome[]
  readonly modulesWith: ModulesWith
  readonly names: NewNames
  /** A map of the object that has the struct or union as key or value; undefined where none has. */
  readonly storedIn: (type: TypeId) => string | undefined
  /** Where accesses break off, of those that were looked at already. */
  readonly broken: Map<string, BrokenField>
  /** What was found out of fields already. */
  readonly fields: Map<string, Explanation>
  /** What was found out of types that the kernel does not have. */
  readonly missing: Map<string, Explanation>
  /** Whether to look for what the program could read instead. */
  readonly wantsAdvice: boolean
  /** Steps of one search, none of which the relocation needs. */
  readonly work: Work
}
