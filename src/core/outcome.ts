import type { ElfFunction } from '../elf/functions.js'
import type { CoreReloKindName } from './kinds.js'
import type { ErrnoName, Reason } from './fault.js'
import type { Target } from './candidates.js'
import type { Patches } from './patches.js'
import type { Resolution } from './resolution.js'

/**
 * What became of a record:
 * - `resolved`: a value from the kernel was written.
 * - `absent`: an existence-like relocation answered 0. No error.
 * - `poisoned`: no value exists; the instruction is libbpf's invalid call now.
 * - `failed`: libbpf would refuse the object for it.
 */
export type RecordStatus = 'resolved' | 'absent' | 'poisoned' | 'failed'

/** One CO-RE record and its result. */
export interface RecordOutcome {
  /** ELF section. */
  readonly section: string
  /** Name of the function that holds the instruction; empty where the record is too broken to tell. */
  readonly program: string
  readonly fn: ElfFunction | undefined
  /** Index of the instruction slot within its function. */
  readonly instruction: number
  /** Bytes from the start of the section. */
  readonly insnOff: number
  readonly kind: CoreReloKindName
  /** Of the root type, in the object's own BTF. */
  readonly typeId: number
  /** As written: `0:2:1`. */
  readonly accessSpec: string
  readonly status: RecordStatus
  /** What the compiler wrote, as u64; 0 where the object's own side has no value. */
  readonly oldValue: bigint
  /** What the kernel says, as u64; null where there is no value. */
  readonly newValue: bigint | null
  /** The class of libbpf's error, where the record is one. */
  readonly errno: ErrnoName | null
  /** Why the record fails. Null for one that does not; why a field is not there is what `explainOutcome` finds out. */
  readonly reason: Reason | null
  /** The same as a sentence. */
  readonly detail: string | null
  /** What the access means here and in the kernel. Undefined where the record does not fit the object's own types. */
  readonly resolution: Resolution | undefined
}

export interface Warning {
  readonly code: 'local_type_ids' | 'target_type_ids' | 'nothing_to_relocate' | 'already_relocated' | 'records_outside_functions' |
    'function_undefined'
  readonly message: string
}

export interface OutcomeCounts {
  readonly resolved: number
  readonly absent: number
  readonly poisoned: number
  readonly failed: number
}

/** The result of relocating one object for one kernel. */
export interface Relocation {
  /** False when a record failed: libbpf would refuse the object. */
  readonly ok: boolean
  /** What to change in the object, the length of its CO-RE part included, which becomes 0. Undefined when not ok. */
  readonly patches: Patches | undefined
  /** In the order of the file. Records that no function covers, which linkers leave behind, are not among them. */
  readonly records: readonly RecordOutcome[]
  readonly counts: OutcomeCounts
  /** Instructions whose bytes differ from the input's. */
  readonly changedInstructions: number
  readonly warnings: readonly Warning[]
  /** The kernel that the object was relocated for. */
  readonly target: Target
}
