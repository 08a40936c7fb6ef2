import type { ByteOrder } from '../bytes/byte-order.js'

/** A u64 in JSON: a number where JavaScript holds it exactly, otherwise its decimal digits. */
export type JsonU64 = number | string

/** The part of the report that follows from the object and the BTF alone; the service adds hashes, the kernel and the engine. */
export interface RelocationReport {
  readonly byte_order: ByteOrder
  readonly changed_instructions: number
  readonly verdict: ReportVerdict
  readonly counts: { readonly resolved: number, readonly absent: number, readonly poisoned: number, readonly failed: number }
  readonly programs: readonly ReportProgram[]
  readonly relocations: readonly ReportRelocation[]
  readonly warnings: ReadonlyArray<{ readonly code: string, readonly message: string }>
}

export type ReportVerdict = 'loads' | 'fails' | 'unknown'

export interface ReportProgram {
  readonly name: string
  readonly section: string
  readonly verdict: ReportVerdict
  /** Why the verdict is what it is, where it is not `loads`. */
  readonly verdict_reason: string | null
  /** Null, or why this program needs BTF in the running kernel whatever is relocated. */
  readonly needs_kernel_btf: string | null
  /** Number of relocations in it. */
  readonly relocations: number
}

export interface ReportRelocation {
  readonly program: string
  readonly section: string
  /** Index of the instruction slot within the program. */
  readonly instruction: number
  readonly kind: string
  readonly type: string
  readonly access: string
  readonly access_spec: string
  readonly source: { readonly file: string, readonly line: number, readonly text: string } | null
  readonly status: 'resolved' | 'absent' | 'poisoned' | 'failed'
  /** Whether a poisoned instruction can be reached; null where that is not known, or where nothing is poisoned. */
  readonly reachable: boolean | null
  readonly old: JsonU64
  readonly new: JsonU64 | null
  readonly reason: string | null
  readonly detail: string | null
  readonly suggestions: readonly string[]
}
