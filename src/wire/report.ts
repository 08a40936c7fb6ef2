/**
 * The report as it goes over the wire. The service writes it, clients read it, and the OpenAPI document describes it.
 */
export interface Report extends ReportMembers {
  readonly object: { readonly sha256: string, readonly bytes: number, readonly byte_order: 'little' | 'big' }
  readonly kernel: ReportKernel
  readonly result: { readonly sha256: string, readonly bytes: number, readonly changed_instructions: number }
  readonly engine: { readonly name: string, readonly version: string, readonly semantics: string }
}

export interface ReportKernel {
  /** Null where only content was named. */
  readonly reference: string | null
  readonly btf_sha256: string
  /** The kernel's GNU build id in hex; null where it is not known. */
  readonly build_id: string | null
  readonly source: string
  /** BTF of the modules that were consulted, in their order. Undefined: none. */
  readonly modules?: readonly string[]
}

/** What of the report follows from the object, the BTF and what was assumed. */
export interface ReportMembers {
  readonly verdict: Verdict
  /** What the verdict rests on that user space may change before it loads the object: `.rodata.enabled = 0`. */
  readonly assumes: readonly string[]
  /** Whether nothing in the object needs BTF in the running kernel once it is relocated. */
  readonly loads_without_kernel_btf: boolean
  readonly counts: ReportCounts
  readonly programs: readonly ReportProgram[]
  readonly relocations: readonly ReportRelocation[]
  readonly warnings: readonly ReportWarning[]
}

/**
 * Whether the kernel's verifier takes a program as far as relocation goes: `loads` when no poisoned instruction can be reached,
 * `fails` when one can, `unknown` when that cannot be told.
 */
export type Verdict = 'loads' | 'fails' | 'unknown'

/** How many records there are of each outcome, in a result. */
export interface Counts {
  readonly resolved: number
  readonly absent: number
  readonly poisoned: number
}

/** Of records, not of entries. `failed` is there where there are any: in a report for an object that is refused. */
export interface ReportCounts extends Counts {
  readonly failed?: number
}

export interface ReportProgram {
  readonly name: string
  readonly section: string
  readonly verdict: Verdict
  /** Why the verdict is what it is, where it is not `loads`. */
  readonly verdict_reason: string | null
  readonly assumes: readonly string[]
  /** Null, or why this program needs BTF in the running kernel whatever is relocated. */
  readonly needs_kernel_btf: string | null
  /** Number of relocations in it. */
  readonly relocations: number
}

export type RelocationStatus = 'resolved' | 'absent' | 'poisoned' | 'failed'

/** A u64 in JSON: a number where JavaScript holds it exactly, otherwise its decimal digits. */
export type JsonU64 = number | string

/** What became of the records that are equal but for their place. */
export interface ReportRelocation {
  readonly kind: string
  readonly type: string
  /** In C: `task_struct.state`. */
  readonly access: string
  /** As the record has it: `0:15`. */
  readonly access_spec: string
  readonly status: RelocationStatus
  readonly old: JsonU64
  readonly new: JsonU64 | null
  readonly reason: string | null
  readonly detail: string | null
  readonly suggestions: readonly ReportSuggestion[]
  /** In the order of the file; the first of them where there are many. */
  readonly places: readonly ReportPlace[]
  /** How many there are, listed or not. */
  readonly places_total: number
}

export interface ReportSuggestion {
  readonly text: string
  /** C, to be pasted into the program; empty where the advice is about how the program is compiled, and holds for all of it. */
  readonly code: string
}

export interface ReportPlace {
  /** Empty where the record is too broken to tell. */
  readonly program: string
  readonly section: string
  /** Index of the instruction slot within the program. */
  readonly instruction: number
  /** Whether a poisoned instruction can be reached; null where that is not known, or where nothing is poisoned. */
  readonly reachable: boolean | null
  /**
   * Whether a poisoned instruction is out of reach only because the verifier stops at one before it, so that it is reached once that is
   * mended; null where that is not known.
   */
  readonly behind_poison: boolean | null
  readonly source: ReportSource | null
}

export interface ReportSource {
  readonly file: string
  readonly line: number
  readonly text: string
}

export interface ReportWarning {
  readonly code: string
  readonly message: string
}
