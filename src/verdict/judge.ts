import { isAutoloaded, type BpfObject } from '../core/object.js'
import type { Relocation } from '../core/outcome.js'
import type { ElfFunction } from '../elf/functions.js'
import { BPF_INSN } from '../insn/insn.js'
import { ageOf } from './age.js'
import { behindPoison, type StoppedProgram } from './behind.js'
import { once, poisonOf, readFunctions } from './code.js'
import { findExecution } from './execution.js'
import { exploreProgram, newRun, type Shared } from './exploration.js'
import { functionFinder } from './find-function.js'
import type { JudgeOptions, Judgement, ProgramVerdict, Verdict } from './judgement.js'
import { createNextPoison } from './next-poison.js'
import { openPoison } from './open.js'
import { callGraph } from './reach.js'
import { addFound, CERTAIN, forgetStopped, note, type Reached, type Work } from './run.js'
import { union } from './scalar.js'
import { symbolValues } from './symbols.js'

/**
 * Instructions interpreted before the rest of an object's programs are unknown: what a request may cost decides. A step takes about a
 * microsecond, and several where little was interpreted before. The largest object that was met, Tracee's with 35,000 relocations,
 * takes a sixth on kernels that it supports, and up to a third on others.
 */
const STEPS = 400_000
/**
 * Steps for what is in doubt, for the whole object: then it waits until it is known whether the program fails for certain, and is left
 * where it does. All smaller objects that were met take some hundred.
 */
const STEPS_IN_DOUBT = 10_000
/**
 * Steps for what else programs get to that fail for certain, for the whole object: for ways in doubt, and for all. What is left then may
 * be reached. Where no subprogram is poisoned, nothing was out of reach there, in all objects that were met, that passes over the
 * functions had not told; these follow no calls.
 */
const OF_FAILING = { inDoubtOfFailing: 300, further: 3_000 }
const OF_FAILING_WITH_CALLS = { inDoubtOfFailing: STEPS_IN_DOUBT, further: STEPS }
/** Steps for executions of programs that are in doubt otherwise, for the whole object. */
const STEPS_FOR_EXECUTIONS = 30_000
/** Explorations of so many steps, for the whole object, are kept for those who go on behind poison. What is kept has some kB a step. */
const KEPT_STEPS = 20_000
/** Longer explorations are not kept: to go on behind poison may not take as many. */
const KEPT_STEPS_EACH = 3_000

/**
 * Says of each program whether the kernel's verifier gets to an instruction that the relocation poisoned. Pure, and bounded by
 * `steps`; never throws for what is in the object.
 */
export function judge (object: BpfObject, relocation: Relocation, options: JudgeOptions = {}): Judgement {
  if (relocation.patches === undefined) return refused(object, relocation)
  if (relocation.counts.poisoned === 0 && poisonOf(object).length === 0) return allLoad(object)
  const functions = readFunctions(object, relocation.patches)
  const { inDoubtOfFailing, further } = functions.hasPoisonedSubprogram() ? OF_FAILING_WITH_CALLS : OF_FAILING
  const work: Work = {
    left: options.steps ?? STEPS,
    inDoubt: STEPS_IN_DOUBT,
    inDoubtOfFailing,
    further,
    forExecutions: STEPS_FOR_EXECUTIONS
  }
  const graph = callGraph(object, functions)
  const age = ageOf(options.kernelRelease)
  const open = openPoison(object, functions, graph, age, work)
  const shared: Shared = { object, functions, graph, open, symbols: symbolValues(object, options), age, work, found: new Map() }

  let kept = 0
  const programs = graph.programs.map(fn => {
    const before = work.left
    const result = judgeProgram(shared, fn)
    if (isAutoloaded(fn)) addFound(shared.found, fn, result.reached)
    const steps = before - work.left
    if (result.stopped === undefined || steps === 0) return { fn, result }
    if (steps > KEPT_STEPS_EACH || kept + steps > KEPT_STEPS) forgetStopped(result.stopped.run())
    else kept += steps
    return { fn, result }
  })
  const loaded = programs.filter(({ fn }) => isAutoloaded(fn))
  const results = new Map(programs.map(({ fn, result }) => [fn, result]))
  const { isReachable, isBehindPoison } = reachability(shared, programs.map(({ result }) => result))
  return {
    verdict: worst(loaded.map(({ result }) => result.verdict)),
    assumes: loaded.reduce<readonly string[]>((all, { result }) => union(all, result.assumes), []),
    isOfRelease: true,
    programs: object.elf.functions.map(fn =>
      toVerdict(fn, results.get(fn) ?? subprogramResult(fn, loaded.map(({ result }) => result), shared))),
    isReachable,
    isBehindPoison
  }
}

function allLoad (object: BpfObject): Judgement {
  return {
    verdict: 'loads',
    assumes: [],
    isOfRelease: false,
    programs: object.elf.functions.map(fn => toVerdict(fn, { verdict: 'loads', reason: null, assumes: [] })),
    isReachable: () => null,
    isBehindPoison: () => false
  }
}

interface Result {
  readonly verdict: Verdict
  readonly reason: string | null
  readonly assumes: readonly string[]
  /** What the verifier gets to, or may get to. */
  readonly reached: ReadonlyMap<ElfFunction, ReadonlyMap<number, Reached>>
  /** False where the work ran out. */
  readonly isComplete: boolean
  /** The program, and all functions that libbpf loads with it; none where none of them is poisoned. */
  readonly functions: ReadonlySet<ElfFunction>
  /** Where the verifier gets to poison, or may: how far it was followed. */
  readonly stopped: StoppedProgram | undefined
}

/** Nothing is asked of functions without poison, so that none is listed. */
const WITHOUT_POISON: Result = {
  verdict: 'loads', reason: null, assumes: [], reached: new Map(), isComplete: true, functions: new Set(), stopped: undefined
}

function judgeProgram (shared: Shared, fn: ElfFunction): Result {
  const { object, functions, graph, open, symbols } = shared
  if (!graph.hasPoison(fn)) return WITHOUT_POISON
  symbols.notKnown.clear()
  const closure = graph.reachedFrom(fn)
  const count = openIn(shared, fn)
  const { certain: found } = open.sweepOf(functions.codeOf(fn))
  if (found.length === count) return settledResult(shared, fn, closure, found)
  const run = newRun(shared, fn)
  for (const index of found) note(run, fn, index, null)
  const isComplete = run.certain.left === 0 || exploreProgram(run, shared, closure, fn)
  const stopped = run.reached.size === 0 ? undefined : { fn, functions: closure, run: () => run, isComplete }

  if (isComplete && run.reached.size > 0 && !run.fails && run.isInDoubtOfNumbers) findExecution(shared, run, closure, fn)
  const [certain, doubtful] = firstPlaces(run.reached)
  const result = (verdict: Verdict, reason: string | null, assumes: readonly string[]): Result =>
    ({ verdict, reason, assumes, reached: run.reached, isComplete, functions: closure, stopped })
  if (certain !== undefined) {
    return result('fails', certainText(object, certain.fn, certain.index), run.rests)
  }
  if (!isComplete) return result('unknown', 'The program has more paths than are looked at.', run.assumes)
  if (doubtful === undefined) return result('loads', null, run.assumes)
  const { index, fn: where, doubt } = doubtful
  return result('unknown', doubtfulText(object, where, index, doubt) + whatWouldTell(symbols.notKnown), run.assumes)
}

/** How much poison the passes over the functions got to. */
function openIn ({ open, functions }: Shared, fn: ElfFunction): number {
  let count = 0
  for (const member of open.reachedFrom(fn)) count += open.sweepOf(functions.codeOf(member)).poison.size
  return count
}

/** Of a program in which passes over the functions found for certain all that they got to, which mostly is none: nothing is explored. */
function settledResult (shared: Shared, fn: ElfFunction, functions: ReadonlySet<ElfFunction>, certain: readonly number[]): Result {
  const [first] = certain
  if (first === undefined) {
    const { verdict, reason, assumes, reached, isComplete, stopped } = WITHOUT_POISON // one by one, so that all have one hidden class
    return { verdict, reason, assumes, reached, isComplete, functions, stopped }
  }
  return {
    verdict: 'fails',
    reason: certainText(shared.object, fn, first),
    assumes: [],
    reached: new Map([[fn, new Map(certain.map(index => [index, CERTAIN]))]]),
    isComplete: true,
    functions,
    stopped: { fn, functions, run: once(() => newRun(shared, fn)), isComplete: true }
  }
}

/** Values that are not known, by which more may be decided. */
function whatWouldTell (notKnown: ReadonlySet<string>): string {
  const [first] = notKnown
  if (first === undefined) return ''
  const isVersion = notKnown.has('LINUX_KERNEL_VERSION')
  return ` The program reads ${[...notKnown].slice(0, NAMES_SHOWN).join(', ')}, of which the value is not known: more is decided where ` +
    (isVersion ? "the kernel's release is named, or a value is assumed." : 'a value is assumed.')
}

/** Names that a reason has. */
const NAMES_SHOWN = 5

function certainText (object: BpfObject, fn: ElfFunction, index: number): string {
  return `The verifier gets to instruction ${index} of ${fn.name}, which ${poisonText(object, fn, index)}.`
}

function doubtfulText (object: BpfObject, fn: ElfFunction, index: number, doubt: string | null): string {
  return `Instruction ${index} of ${fn.name} ${poisonText(object, fn, index)}. ${doubt ?? ''}`
}

/** A program may have poison of its own, which no relocation tells of: it marks code that must never be reached. */
function poisonText (object: BpfObject, { section, start }: ElfFunction, index: number): string {
  const isOwn = poisonOf(object).includes(section.offset + start + BPF_INSN.SIZE * index)
  return isOwn ? 'calls 0xbad2310 in the object itself' : 'is poisoned'
}

interface Place extends Reached {
  readonly fn: ElfFunction
  readonly index: number
}

/** The first place that must be reached, and the first of all. */
function firstPlaces (reached: ReadonlyMap<ElfFunction, ReadonlyMap<number, Reached>>): [Place | undefined, Place | undefined] {
  let first: Place | undefined
  for (const [fn, places] of reached) {
    for (const [index, { doubt }] of places) {
      const place = { fn, index, doubt }
      if (doubt === null) return [place, first ?? place]
      first ??= place
    }
  }
  return [undefined, first]
}

function worst (verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('fails')) return 'fails'
  return verdicts.includes('unknown') ? 'unknown' : 'loads'
}

function toVerdict (fn: ElfFunction, { verdict, reason, assumes }: Pick<Result, 'verdict' | 'reason' | 'assumes'>): ProgramVerdict {
  return { fn, name: fn.name, section: fn.section.name, verdict, reason, assumes }
}

/** A subprogram fails where a program that calls it gets to poison in it. */
function subprogramResult (
  fn: ElfFunction, results: readonly Result[], { object, functions: { hasPoison } }: Shared
): Pick<Result, 'verdict' | 'reason' | 'assumes'> {
  const callers = hasPoison(fn) ? results.filter(({ functions }) => functions.has(fn)) : []
  const found = callers.flatMap(({ reached, assumes }) =>
    [...reached.get(fn) ?? []].map(([index, { doubt }]) => ({ index, doubt, assumes })))
  const certain = found.find(({ doubt }) => doubt === null)
  if (certain !== undefined) {
    return { verdict: 'fails', reason: certainText(object, fn, certain.index), assumes: certain.assumes }
  }
  const assumes = callers.reduce<readonly string[]>((all, caller) => union(all, caller.assumes), [])
  const doubtful = found[0]
  if (doubtful !== undefined) {
    return { verdict: 'unknown', reason: doubtfulText(object, fn, doubtful.index, doubtful.doubt), assumes }
  }
  return callers.every(({ isComplete }) => isComplete)
    ? { verdict: 'loads', reason: null, assumes }
    : { verdict: 'unknown', reason: 'A program that calls it has more paths than are looked at.', assumes }
}

function reachability (shared: Shared, results: readonly Result[]): Pick<Judgement, 'isReachable' | 'isBehindPoison'> {
  const { object: { elf }, functions: { hasPoison, codeOf } } = shared
  const functionAt = functionFinder(elf.functions)
  const ownersOf = once(() => ownersIn(results))
  /** The programs that the function is loaded with. */
  const owners = (fn: ElfFunction): readonly Result[] => ownersOf().get(fn) ?? []
  const isReached = (fn: ElfFunction, index: number): boolean | null => {
    let isOpen = false
    for (const { reached, isComplete } of owners(fn)) {
      const answer = reached.get(fn)?.get(index)
      if (answer?.doubt === null) return true
      isOpen ||= answer !== undefined || !isComplete
    }
    return isOpen ? null : false
  }
  const isReachable: Judgement['isReachable'] = (section, insnOff) => {
    const fn = functionAt(section, insnOff)
    return fn === undefined || !hasPoison(fn) ? null : isReached(fn, indexIn(fn, insnOff))
  }
  const nextPoison = createNextPoison()
  const nextOf = new Map<ElfFunction, ReadonlySet<number>>()
  /** Whether poison that is reached for certain leads there in any case: then nothing need be explored. */
  const isNext = (fn: ElfFunction, index: number): boolean => {
    let next = nextOf.get(fn)
    if (next === undefined) nextOf.set(fn, next = nextPoison(codeOf(fn).body, certainIn(fn, owners(fn))))
    return next.has(index)
  }
  const isOutOfReach = (fn: ElfFunction, index: number): boolean =>
    isReachable(fn.section.name, fn.start + index * BPF_INSN.SIZE) === false && !isNext(fn, index)
  const isReachedBehind = behindPoison(shared, results.flatMap(({ stopped }) => stopped ?? []), isOutOfReach)
  return {
    isReachable,
    isBehindPoison (section, insnOff) {
      const fn = functionAt(section, insnOff)
      if (fn === undefined || !hasPoison(fn)) return false
      const index = indexIn(fn, insnOff)
      if (isReached(fn, index) !== false) return false
      return isNext(fn, index) || isReachedBehind(owners(fn).flatMap(({ stopped }) => stopped ?? []), fn, index)
    }
  }
}

/** Poison of a function that its programs get to for certain. */
function certainIn (fn: ElfFunction, owners: readonly Result[]): ReadonlySet<number> {
  const found = new Set<number>()
  for (const { reached } of owners) {
    for (const [index, { doubt }] of reached.get(fn) ?? []) if (doubt === null) found.add(index)
  }
  return found
}

function ownersIn (results: readonly Result[]): ReadonlyMap<ElfFunction, readonly Result[]> {
  const owners = new Map<ElfFunction, Result[]>()
  for (const result of results) {
    for (const fn of result.functions) {
      const known = owners.get(fn)
      if (known === undefined) owners.set(fn, [result])
      else known.push(result)
    }
  }
  return owners
}

const indexIn = ({ start }: ElfFunction, insnOff: number): number => (insnOff - start) / BPF_INSN.SIZE

/** libbpf refuses the whole object before a verifier sees it. */
function refused (object: BpfObject, { records }: Relocation): Judgement {
  const record = records.find(({ status }) => status === 'failed')
  const reason = `libbpf refuses the object: ${record?.detail ?? 'a relocation fails.'}`
  const programs = object.elf.functions.map(fn => toVerdict(fn, { verdict: 'fails', reason, assumes: [] }))
  return { verdict: 'fails', assumes: [], isOfRelease: false, programs, isReachable: () => null, isBehindPoison: () => false }
}
