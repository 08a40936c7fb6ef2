import type { ReportProgram, Verdict } from '../wire/report.js'
import { firstOf } from '../wire/words.js'

/** Programs with one verdict for one reason: poison of a subprogram is reached by each program that calls it. */
export interface AlikePrograms<Program> {
  readonly verdict: Verdict
  /** A sentence. */
  readonly reason: string
  readonly programs: readonly [Program, ...Program[]]
}

/** In the order of the first program of each; without those of which no reason is told. */
export function alikePrograms<Program extends Pick<ReportProgram, 'verdict' | 'verdict_reason'>> (
  programs: readonly Program[]
): Array<AlikePrograms<Program>> {
  const alike = new Map<string, AlikePrograms<Program> & { readonly programs: [Program, ...Program[]] }>()
  for (const program of programs) {
    const { verdict, verdict_reason: reason } = program
    if (reason === null) continue
    const known = alike.get(`${verdict} ${reason}`)
    if (known === undefined) alike.set(`${verdict} ${reason}`, { verdict, reason, programs: [program] })
    else known.programs.push(program)
  }
  return [...alike.values()]
}

/** Programs that a line names. */
const NAMED = 3

/** `handle_exec`, `21 programs: a, b, c and 18 more`. */
export function namesOfAlike (programs: ReadonlyArray<Pick<ReportProgram, 'name'>>): string {
  const names = firstOf(programs.map(({ name }) => name), NAMED)
  return programs.length === 1 ? names : `${programs.length} programs: ${names}`
}
