import type { BpfObject } from '../core/object.js'
import type { Relocation } from '../core/outcome.js'
import type { Judgement } from '../verdict/index.js'
import { holders, programsOf } from './programs.js'
import { buildReport } from './report.js'
import type { ReportProgram, ReportRelocation, ReportSource, ReportSuggestion, Verdict } from '../wire/report.js'

/** What becomes of an object on one kernel, without the values that were written. */
export interface Outcome {
  /** The verdict; `unresolvable` where libbpf refuses the object for this kernel. */
  readonly state: 'loads' | 'fails' | 'unknown' | 'unresolvable'
  /** A sentence; null where the object loads. */
  readonly reason: string | null
  readonly programs: readonly ReportProgram[]
  /** The places that keep a program from loading, or may: the first of them. */
  readonly failures: readonly OutcomeFailure[]
  /** How many there are, listed or not. */
  readonly failures_total: number
}

/** One place of the program for which the kernel has no value. */
export interface OutcomeFailure {
  readonly program: string
  readonly section: string
  /** Index of the instruction slot within the program. */
  readonly instruction: number
  /** Null where it is not known, or where the object is refused whether it is reached or not. */
  readonly reachable: boolean | null
  readonly source: ReportSource | null
  readonly kind: string
  readonly type: string
  readonly access: string
  readonly reason: string | null
  readonly detail: string | null
  readonly suggestions: readonly ReportSuggestion[]
}

/** Failures that are listed. Who mends the first of them asks again. */
const MAX_FAILURES = 100
/** Programs that are listed: more than any known object has. */
const MAX_PROGRAMS = 1000

/** Bytes of JSON that the report behind an outcome may have. */
const MAX_BYTES = 1024 * 1024

/** Puts a relocation's outcome into the words of the program's source. Pure; where the object loads it costs next to nothing. */
export function buildOutcome (object: BpfObject, relocation: Relocation, judgement: Judgement): Outcome {
  if (relocation.patches !== undefined && judgement.verdict === 'loads') {
    return { state: 'loads', reason: null, programs: listPrograms(object, relocation, judgement), failures: [], failures_total: 0 }
  }
  // Only what is reached is listed, so that nothing need be found out of what is not.
  const reached = { ...judgement, isBehindPoison: () => null }
  const { report, failure } = buildReport(object, relocation, reached, { maxBytes: MAX_BYTES, isOfLayout: true })
  const failing = report.relocations.flatMap(entry => failuresOf(entry))
  const programs = report.programs.slice(0, MAX_PROGRAMS)
  return {
    state: relocation.patches === undefined ? 'unresolvable' : judgement.verdict,
    reason: judgement.verdict === 'unknown' && relocation.patches !== undefined
      ? reasonOf(programs, 'unknown')
      : failure?.first ?? reasonOf(programs, 'fails'),
    programs,
    failures: firstOfLines(failing),
    failures_total: Math.max(failing.length, failure?.records ?? 0)
  }
}

/** What is said of the first program with a verdict: a program may fail although every relocation has a value. */
function reasonOf (programs: readonly ReportProgram[], wanted: Verdict): string | null {
  return programs.find(({ verdict }) => verdict === wanted)?.verdict_reason ?? null
}

function listPrograms (object: BpfObject, { records }: Relocation, judgement: Judgement): ReportProgram[] {
  const programs: ReportProgram[] = []
  for (const program of programsOf(object, records, judgement, holders(object))) {
    if (programs.length === MAX_PROGRAMS) break
    programs.push(program)
  }
  return programs
}

/**
 * What tells the failures of one line of the source with one reason: who mends the line mends all. Where no line is known, an instruction
 * is all by which a place can be found: each is itself.
 */
export function foldKeyOf (failure: OutcomeFailure): unknown {
  const { source, access, reason, detail } = failure
  return source === null ? failure : JSON.stringify([source.file, source.line, access, reason, detail])
}

/** Failures that are listed, in their order: where there are too many, the first of each line before others of it. */
function firstOfLines (failures: readonly OutcomeFailure[]): readonly OutcomeFailure[] {
  if (failures.length <= MAX_FAILURES) return failures
  const lines = new Set<unknown>()
  const firsts: number[] = []
  const others: number[] = []
  failures.forEach((failure, i) => (lines.size < lines.add(foldKeyOf(failure)).size ? firsts : others).push(i))
  const listed = new Set([...firsts, ...others].slice(0, MAX_FAILURES))
  return failures.filter((_, i) => listed.has(i))
}

function failuresOf ({ status, places, kind, type, access, reason, detail, suggestions }: ReportRelocation): OutcomeFailure[] {
  if (status !== 'failed' && status !== 'poisoned') return []
  return places.filter(({ reachable }) => status === 'failed' || reachable !== false)
    .map(({ behind_poison: _, ...place }) => ({ ...place, kind, type, access, reason, detail, suggestions }))
}
