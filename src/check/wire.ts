import type { OutcomeFailure } from '../report/outcome.js'
import type { ReportProgram, ReportWarning } from '../wire/report.js'

/** What a row says of its object on its kernel. Only `loads` passes. */
export const STATES = ['loads', 'fails', 'unknown', 'unresolvable', 'unknown_kernel', 'not_fetched', 'error'] as const
export type CheckState = typeof STATES[number]

/** What a row says besides whom it is about. Rows with equal outcomes are one group, whichever version their kernels have. */
export interface CheckOutcome {
  readonly state: CheckState
  /** Why it is no `loads`, in a sentence. */
  readonly reason: string | null
  readonly programs: readonly ReportProgram[]
  /** The first of the places that keep a program from loading, or may. */
  readonly failures: readonly OutcomeFailure[]
  readonly failures_total: number
}

/** How a row stands to an earlier answer: the same state, another one, or it was not there. */
export const COMPARISONS = ['same', 'changed', 'new'] as const
export type Comparison = typeof COMPARISONS[number]

/** One object on one kernel, as it goes over the wire. */
export interface CheckRow extends CheckOutcome {
  /** `sha256:…` */
  readonly object: string
  /** Of the file that was sent; else the hash. */
  readonly object_name: string
  /** Its reference; a pattern that nothing matches stands for itself. */
  readonly kernel: string
  /** Where an earlier answer was given. */
  readonly baseline?: Comparison
}

/** Kernels on which an object has one outcome. */
export interface CheckGroup extends Omit<CheckRow, 'kernel'> {
  readonly kernels: readonly string[]
}

/** An object that passes because there is nothing to relocate in it, and why there is not. */
export interface CheckWarning extends ReportWarning {
  /** `sha256:…` */
  readonly object: string
  readonly object_name: string
}

/** `passes`: each row loads, or is as it was. `fails`: one fails. `undecided`: none fails, and of one it cannot be told. */
export type CheckVerdict = 'passes' | 'fails' | 'undecided'

export type StateCounts = Readonly<Record<CheckState, number>>

export interface CheckSummary {
  readonly verdict: CheckVerdict
  readonly objects: ReadonlyArray<{ readonly sha256: string, readonly name: string }>
  readonly kernels: number
  readonly rows: number
  readonly states: StateCounts
  /** Different outcomes, as groups tell them apart. Those of each object are counted for themselves. */
  readonly outcomes: number
  /** Of rows against an earlier answer; null where none was given. */
  readonly baseline: Readonly<Record<Comparison, number>> | null
  readonly engine: { readonly name: string, readonly version: string, readonly semantics: string }
  /** Milliseconds. */
  readonly ms: number
}
