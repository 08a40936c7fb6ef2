import { alikePrograms, namesOfAlike } from '../report/alike-programs.js'
import type { OutcomeFailure } from '../report/outcome.js'
import { sharedSentence } from '../report/shared-advice.js'
import type { ReportSuggestion } from '../wire/report.js'
import { count, firstOf } from '../wire/words.js'
import { adviceOnce, folded, type Fold } from './folded.js'
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
export function failureSentence (fold: Fold): string {
  const [{ access, detail }] = fold
  return `${access}: ${(detail ?? 'there is no value for it').replace(/\.$/, '')} (${whereOf(fold)})`
}

/** The same without the reason, where that is told above. */
export function failurePlace (fold: Fold): string { return `${fold[0].access} (${whereOf(fold)})` }

/** Programs that are named. */
const PROGRAMS_NAMED = 5

/** `instruction 12 of handle_exec`, `4 instructions of handle_exec`, `6 instructions of handle_exec, handle_fork`. */
function whereOf (fold: Fold): string {
  const [{ instruction }] = fold
  const places = new Set(fold.map(failure => JSON.stringify([failure.program, failure.section, failure.instruction])))
  const names = fold.map(({ program, section }) => program === '' ? `section ${section}` : program)
  const programs = firstOf([...new Set(names)], PROGRAMS_NAMED)
  return places.size === 1 ? `instruction ${instruction} of ${programs}` : `${places.size} instructions of ${programs}`
}

/** All that is to be said of an outcome, a line each: each failure, and advice below the first that has it. */
export function explanationOf (outcome: CheckOutcome, objectName: string): string[] {
  const { failures } = outcome
  return explained(outcome, () => {
    const advice = adviceOnce(failures)
    return failures.flatMap((failure, i) => [`${lineOf(failure) ?? objectName}: ${failureSentence([failure])}`, ...adviceLines(advice[i])])
  })
}

/** The same with what is alike folded, for people to read: advice that several share comes first. */
export function foldedExplanationOf (outcome: CheckOutcome, objectName: string): string[] {
  const lineWith = (fold: Fold, text: string): string => `${lineOf(fold[0]) ?? objectName}: ${text}`
  return explained(outcome, () => {
    const { shared, advised } = folded(outcome.failures)
    return [
      ...shared.flatMap(({ advice, detail, items }) => [
        `${objectName}: ${sharedSentence({ advice, detail })}`,
        ...indented(advice.code),
        ...items.map((fold, i) => `  ${lineWith(fold, i === 0 && detail === undefined ? failureSentence(fold) : failurePlace(fold))}`)
      ]),
      ...advised.flatMap(({ fold, advice }) =>
        [lineWith(fold, failureSentence(fold)), ...adviceLines(advice)])
    ]
  })
}

/**
 * Of an outcome of which no place is listed: the programs that are told of, by their reasons. Where there is but one reason for one
 * program, that is the outcome's own.
 */
export function placelessLines ({ state, reason, programs }: CheckOutcome): string[] {
  const told = alikePrograms(programs.filter(({ verdict }) => verdict === state))
  return told.reduce((sum, { programs }) => sum + programs.length, 0) < 2
    ? [reason ?? MEANINGS[state]]
    : told.map(({ reason, programs }) => `${namesOfAlike(programs)}: ${reason}`)
}

function explained (outcome: CheckOutcome, lines: () => string[]): string[] {
  const { failures, failures_total: total } = outcome
  if (failures.length === 0) return placelessLines(outcome)
  const more = total - failures.length
  return more > 0 ? [...lines(), `and ${count(more, 'more place')}`] : lines()
}

function adviceLines (advice: ReportSuggestion | undefined): string[] {
  return advice === undefined ? [] : [`  ${advice.text}`, ...indented(advice.code)]
}

/** Some advice has no code. */
function indented (code: string): string[] {
  return code === '' ? [] : code.split('\n').map(line => line === '' ? '' : `    ${line}`)
}
