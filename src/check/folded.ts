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
  const told = new Set<string>()
  const advised = found.others.map(fold => {
    const advice = adviceOf(fold)
    const isNew = advice !== undefined && told.size < told.add(advice.code || advice.text).size
    return { fold, advice: isNew ? advice : undefined }
  })
  return { ...found, advised }
}

function adviceOf ([{ suggestions: [advice] }]: Fold): ReportSuggestion | undefined { return advice }
