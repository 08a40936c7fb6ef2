import type { OutcomeFailure } from '../report/outcome.js'
import type { ReportSuggestion } from '../wire/report.js'
import { count } from '../wire/words.js'
import type { CheckOutcome, CheckState } from './wire.js'

/** What a state means, for people. */
export const MEANINGS: Readonly<Record<CheckState, string>> = {
  loads: 'loads',
  fails: 'fails: a program can reach an instruction for which the kernel has no value',
  unknown: 'unknown: it cannot be decided whether such an instruction is reached',
  unresolvable: 'unresolvable: libbpf refuses the object for this kernel',
  unknown_kernel: 'unknown kernel: no BTF of it can be had',
  not_fetched: 'not fetched: a source offers the kernel',
  error: 'error: it could not be checked'
}

/** `exec.bpf.c:41`, or undefined where no line is known. */
export function lineOf ({ source }: OutcomeFailure): string | undefined {
  return source === null ? undefined : `${source.file.replace(/^\.\//, '')}:${source.line}`
}

/** `task_struct.state: struct task_struct has no member state in this kernel (instruction 12 of handle_exec)` */
export function failureSentence ({ access, detail, instruction, program, section }: OutcomeFailure): string {
  const reason = (detail ?? 'there is no value for it').replace(/\.$/, '')
  return `${access}: ${reason} (instruction ${instruction} of ${program === '' ? `section ${section}` : program})`
}

/** All that is to be said of an outcome, a line each, suggestions below the first failure that has them. */
export function explanationOf (outcome: CheckOutcome, objectName: string): string[] {
  const { state, reason, failures, failures_total: total } = outcome
  if (failures.length === 0) return [reason ?? MEANINGS[state]]
  const advice = adviceOf(failures)
  const lines = failures.flatMap((failure, i) => {
    const suggestion = advice[i]
    const head = `${lineOf(failure) ?? objectName}: ${failureSentence(failure)}`
    return suggestion === undefined ? [head] : [head, `  ${suggestion.text}`, ...indented(suggestion.code)]
  })
  const more = total - failures.length
  return more > 0 ? [...lines, `and ${count(more, 'more place')}`] : lines
}

/** Some advice has no code. */
function indented (code: string): string[] {
  return code === '' ? [] : code.split('\n').map(line => line === '' ? '' : `    ${line}`)
}

/** What each failure is to be told. The same advice once: a field is mostly read in several places. */
export function adviceOf (failures: readonly OutcomeFailure[]): Array<ReportSuggestion | undefined> {
  const told = new Set<string>()
  return failures.map(({ suggestions: [suggestion] }) => {
    if (suggestion === undefined) return undefined
    const what = suggestion.code === '' ? suggestion.text : suggestion.code
    return told.size < told.add(what).size ? suggestion : undefined
  })
}
