import { isAutoloaded, type BpfObject } from '../core/object.js'
import type { Relocation } from '../core/outcome.js'
import type { ElfFunction } from '../elf/functions.js'
import { BPF_INSN } from '../insn/insn.js'
import { ageOf, type Age } from './age.js'
import { once, poisonOf, readFunctions, withoutAliases, type Code, type Functions } from './code.js'
import { explore } from './explore.js'
import type { JudgeOptions, Judgement, ProgramVerdict, Verdict } from './judgement.js'
import { openPoison, type OpenPoison } from './open.js'
import { functionsBehindPoison } from './pass-poison.js'
import { callGraph, type CallGraph } from './reach.js'
import { entryState } from './entry.js'
import { note, type Reached, type Run, type Search } from './run.js'
import { union } from './scalar.js'
import { PASSED_A_STEP } from './sweep.js'
import { symbolValues, type SymbolValues } from './symbols.js'

/**
 * Instructions interpreted before the rest of an object's programs are unknown: what a request may cost decides. A step takes about a
 * microsecond, and several where little was interpreted before. The largest object that was met, Tracee's with 35,000 relocations,
 * takes a sixth on kernels that it supports, and up to four fifths on others.
 */
const STEPS = 400_000
/** Of those, what the question what lies behind poison may take: a third of what the report takes of real objects that fail. */
const STEPS_BEHIND = 3_000

/**
 * Says of each program whether the kernel's verifier gets to an instruction that the relocation poisoned. Pure, and bounded by
 * `steps`; never throws for what is in the object.
 */
export function judge (object: BpfObject, relocation: Relocation, options: JudgeOptions = {}): Judgement {
  if (relocation.patches === undefined) return refused(object, relocation)
  if (relocation.counts.poisoned === 0 && poisonOf(object).length === 0) return allLoad(object)
  const work = { left: options.steps ?? STEPS }
  const functions = readFunctions(object, relocation.patches)
  const graph = callGraph(object, functions)
  const age = ageOf(options.kernelRelease)
  const open = openPoison(object, functions, graph, age, work)
  const shared: Shared = { object, functions, graph, open, symbols: symbolValues(object, options), age, work, passesPoison: false }

  const programs = graph.programs.map(fn => ({ fn, result: judgeProgram(shared, fn) }))
  const loaded = programs.filter(({ fn }) => isAutoloaded(fn))
  const results = new Map(programs.map(({ fn, result }) => [fn, result]))
  const isReachable = reachability(object, functions, programs.map(({ result }) => result))
  return {
    verdict: worst(loaded.map(({ result }) => result.verdict)),
    assumes: loaded.reduce<readonly string[]>((all, { result }) => union(all, result.assumes), []),
    isOfRelease: true,
    programs: object.elf.functions.map(fn =>
      toVerdict(fn, results.get(fn) ?? subprogramResult(fn, loaded.map(({ result }) => result), shared))),
    isReachable,
    isBehindPoison: behindPoison(isReachable, programs.filter(({ result }) => result.reached.size > 0), () => behind(shared))
  }
}

/** The same for the question what lies behind poison. */
function behind ({ object, functions, graph, symbols, age, work }: Shared): Shared {
  const steps = { left: Math.min(work.left, STEPS_BEHIND) }
  const further = functionsBehindPoison(functions)
  const open = openPoison(object, further, graph, age, steps, true)
  return { object, functions: further, graph, open, symbols, age, work: steps, passesPoison: true }
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

interface Shared {
  readonly object: BpfObject
  readonly functions: Functions
  readonly graph: CallGraph
  readonly open: OpenPoison
  readonly symbols: SymbolValues
  readonly age: Age
  readonly work: { left: number }
  readonly passesPoison: boolean
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
}

/** Nothing is asked of functions without poison, so that none is listed. */
const WITHOUT_POISON: Result = {
  verdict: 'loads', reason: null, assumes: [], reached: new Map(), isComplete: true, functions: new Set()
}

/** @param known what was reached already, and is not asked for */
function judgeProgram (shared: Shared, fn: ElfFunction, known: Result['reached'] = new Map()): Result {
  const { object, functions, graph, open, symbols } = shared
  if (!graph.hasPoison(fn)) return WITHOUT_POISON
  symbols.notKnown.clear()
  const closure = graph.reachedFrom(fn)
  const code = functions.codeOf(fn)
  const run = newRun(shared, fn)
  for (const [other, places] of known) {
    for (const index of places.keys()) if (open.sweepOf(functions.codeOf(other)).poison.has(index)) note(run, other, index, null)
  }
  for (const index of open.sweepOf(code).certain) note(run, fn, index, null)
  // What leads only to what is known is not worth a step.
  if (known.size > 0) for (const search of [run.certain, run.doubtful]) search.steps = Infinity
  const isComplete = run.certain.left === 0 || exploreProgram(run, object, graph, closure, fn)

  const [certain, doubtful] = firstPlaces(run.reached)
  const result = (verdict: Verdict, reason: string | null, assumes: readonly string[]): Result =>
    ({ verdict, reason, assumes, reached: run.reached, isComplete, functions: closure })
  if (certain !== undefined) {
    return result('fails', certainText(object, certain.fn, certain.index), run.rests)
  }
  if (!isComplete) return result('unknown', 'The program has more paths than are looked at.', run.assumes)
  if (doubtful === undefined) return result('loads', null, run.assumes)
  const { index, fn: where, doubt } = doubtful
  return result('unknown', doubtfulText(object, where, index, doubt) + whatWouldTell(symbols.notKnown), run.assumes)
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

/** Most programs end before it pays to look again at what is left to find. */
const LEAST_RENEWAL = 256

function newRun ({ object, functions, open, symbols, age, work, passesPoison }: Shared, fn: ElfFunction): Run {
  let left = 0
  let passed = 0
  for (const member of open.reachedFrom(fn)) {
    const code = functions.codeOf(member)
    left += open.sweepOf(code).poison.size
    passed += code.body.count
  }
  const search = (): Search => ({ left, isAhead: open.isAhead, before: left, steps: work.left })
  return {
    age,
    functions,
    symbols,
    littleEndian: object.elf.littleEndian,
    passesPoison,
    work,
    pending: [],
    reached: new Map(),
    assumes: [],
    rests: [],
    called: new Map(),
    asides: new Map(),
    isPoisonAhead: open.isAhead,
    isAheadBut: open.isAheadBut,
    renewal: Math.max(LEAST_RENEWAL, Math.ceil(passed / PASSED_A_STEP)),
    certain: search(),
    doubtful: search(),
    nextId: 1
  }
}

/** The program, its exception callback, and the functions that are verified by themselves. False where the work ran out. */
function exploreProgram (run: Run, object: BpfObject, graph: CallGraph, closure: ReadonlySet<ElfFunction>, fn: ElfFunction): boolean {
  run.pending.push(entryState(object, run.functions.codeOf(fn), 'program', null))
  if (!explore(run)) return false
  const callback = graph.exceptionCallback(fn)
  if (callback !== undefined) {
    run.pending.push(entryState(object, run.functions.codeOf(callback), 'callback', null))
    if (!explore(run)) return false
  }
  return exploreGlobals(run, object, closure, fn)
}

/** Global subprograms by themselves: all of the program's before Linux 6.8, from then on those that are called. */
function exploreGlobals (run: Run, object: BpfObject, closure: ReadonlySet<ElfFunction>, program: ElfFunction): boolean {
  if (run.age.verifiesGlobals === 'no') return true
  const done = new Map<Code, string | null>()
  const isLazy = run.age.verifiesGlobalsLazily
  if (isLazy !== 'yes') {
    for (const fn of closure) {
      if (!fn.isGlobal || fn === program) continue
      const code = run.functions.codeOf(fn)
      const isCertain = isLazy === 'no' && run.age.verifiesGlobals === 'yes'
      const doubt = isCertain ? null : `Whether the verifier of this kernel verifies ${fn.name} by itself is not known.`
      if (!run.called.has(code)) run.called.set(code, doubt)
      else if (doubt === null) run.called.set(code, null)
    }
  }
  for (let changed = true; changed;) {
    changed = false
    for (const [code, doubt] of [...run.called]) {
      const known = done.get(code)
      if (known === null || (known !== undefined && doubt !== null)) continue
      done.set(code, doubt)
      changed = true
      run.pending.push(entryState(object, code, 'global', doubt))
      if (!explore(run)) return false
    }
  }
  return true
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

function reachability (object: BpfObject, { hasPoison }: Functions, results: readonly Result[]): Judgement['isReachable'] {
  const bySection = new Map<string, ElfFunction[]>()
  for (const fn of withoutAliases(object.elf.functions)) addTo(bySection, fn.section.name, fn)
  const ownersOf = new Map<ElfFunction, Result[]>()
  for (const result of results) {
    for (const fn of result.functions) addTo(ownersOf, fn, result)
  }
  return (section, insnOff) => {
    const fn = bySection.get(section)?.find(({ start, size }) => insnOff >= start && insnOff < start + size)
    if (fn === undefined || !hasPoison(fn)) return null
    const index = (insnOff - fn.start) / BPF_INSN.SIZE
    const owners = ownersOf.get(fn) ?? []
    const answers = owners.map(({ reached }) => reached.get(fn)?.get(index))
    if (answers.some(answer => answer?.doubt === null)) return true
    return answers.some(answer => answer !== undefined) || !owners.every(({ isComplete }) => isComplete) ? null : false
  }
}

/**
 * Looks when it is first asked, since most reports have nothing to ask.
 *
 * @param stopped programs in which the verifier gets to poison, or may
 */
function behindPoison (
  isReachable: Judgement['isReachable'], stopped: ReadonlyArray<{ readonly fn: ElfFunction, readonly result: Result }>, share: () => Shared
): Judgement['isBehindPoison'] {
  const isReachableBehind = once(() => {
    const shared = share()
    return reachability(shared.object, shared.functions, stopped.map(({ fn, result }) => judgeProgram(shared, fn, result.reached)))
  })
  return (section, insnOff) => stopped.length > 0 && isReachable(section, insnOff) === false && isReachableBehind()(section, insnOff)
}

function addTo<K, V> (lists: Map<K, V[]>, key: K, value: V): void {
  const known = lists.get(key)
  if (known === undefined) lists.set(key, [value])
  else known.push(value)
}

/** libbpf refuses the whole object before a verifier sees it. */
function refused (object: BpfObject, { records }: Relocation): Judgement {
  const record = records.find(({ status }) => status === 'failed')
  const reason = `libbpf refuses the object: ${record?.detail ?? 'a relocation fails.'}`
  const programs = object.elf.functions.map(fn => toVerdict(fn, { verdict: 'fails', reason, assumes: [] }))
  return { verdict: 'fails', assumes: [], isOfRelease: false, programs, isReachable: () => null, isBehindPoison: () => false }
}
