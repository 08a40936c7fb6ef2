import { foldKeyOf, type OutcomeFailure } from '../report/outcome.js'
import { byAdvice, type ByAdvice } from '../report/shared-advice.js'
import type { ReportSuggestion } from '../wire/report.js'

/**
 * Failures of one line of the source that have one reason, since the compiler made several instructions of it: it is inlined, or a loop
 * is unrolled. Who mends the line mends all.
 */
export type Fold = readonly [OutcomeFailure, ...OutcomeFailure[]]

/** A fold with what is advised for it: undefined where that is nothing, or was told before. */
export interface AdvisedFold {
  readonly fold: Fold
  readonly advice: ReportSuggestion | undefined
}

/** Folds in the order of their first failures. Where no line is known, an instruction is all by which a place can be found: each stays. */
export function foldsOf (failures: readonly OutcomeFailure[]): Fold[] {
  const folds = new Map<unknown, [OutcomeFailure, ...OutcomeFailure[]]>()
  for (const failure of failures) {
    const key = foldKeyOf(failure)
    const known = folds.get(key)
    if (known === undefined) folds.set(key, [failure])
    else known.push(failure)
  }
  return [...folds.values()]
}

/** What people are told of failures. Advice stands with the first fold that has it, since a field is mostly read in several places. */
export function folded (failures: readonly OutcomeFailure[]): ByAdvice<Fold> & { readonly advised: readonly AdvisedFold[] } {
  const found = byAdvice(foldsOf(failures), ([failure]) => failure)
  const advice = adviceOnce(found.others.map(([failure]) => failure))
  return { ...found, advised: found.others.map((fold, i) => ({ fold, advice: advice[i] })) }
}

/** What is advised for each failure; undefined where that is nothing, or stands with one before it. */
export function adviceOnce (failures: readonly OutcomeFailure[]): ReadonlyArray<ReportSuggestion | undefined> {
  const told = new Set<string>()
  return failures.map(({ suggestions: [advice] }) =>
    advice !== undefined && told.size < told.add(advice.code === '' ? advice.text : advice.code).size ? advice : undefined)
}
