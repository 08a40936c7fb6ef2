import type { BpfObject } from '../core/object.js'
import type { Relocation } from '../core/outcome.js'
import type { JudgeOptions } from '../verdict/index.js'
import { judgeRelocation } from './judged.js'
import { buildReport, type RelocationReport, type ReportOptions } from './report.js'

export { buildReport, type BuiltReport, type RelocationReport, type ReportOptions } from './report.js'
export { buildOutcome, type Outcome, type OutcomeFailure } from './outcome.js'
export { judgeRelocation, kernelSymbols, noteAsked } from './judged.js'

/**
 * Puts a relocation's outcome into the words of the program's source, and says of each program whether it loads. Pure; costs
 * about as much as the relocation. At most 16 MiB of JSON: what does not fit is left out, and counted in a warning.
 */
export function describeRelocation (
  object: BpfObject,
  relocation: Relocation,
  options: JudgeOptions & ReportOptions = {}
): RelocationReport {
  return buildReport(object, relocation, judgeRelocation(object, relocation, options), options).report
}
