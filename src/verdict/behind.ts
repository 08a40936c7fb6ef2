import type { ElfFunction } from '../elf/functions.js'
import type { IsAhead } from './ahead.js'
import { once, type Functions } from './code.js'
import { exploreProgram, newRun, type Shared } from './exploration.js'
import { openPoison } from './open.js'
import { passPoison } from './pass-poison.js'
import { addFound, CERTAIN, isFound, note, type Reached, type Run, type Search } from './run.js'
import { topFrame } from './state.js'

/** Steps for one object: a third of what the report takes of real objects that fail. */
const STEPS = 3_000

/** A program in which the verifier gets to poison, or may, and how far it was explored. */
export interface StoppedProgram {
  readonly fn: ElfFunction
  /** The program, and all functions that libbpf loads with it. */
  readonly functions: ReadonlySet<ElfFunction>
  readonly run: () => Run
  readonly isComplete: boolean
}

/**
 * Whether a program gets to a poisoned instruction once the kernel has a value for the poison before it. Null where that is not
 * known.
 */
export type IsReachedBehind = (programs: readonly StoppedProgram[], fn: ElfFunction, index: number) => boolean | null

interface Answers {
  readonly reached: ReadonlyMap<ElfFunction, ReadonlyMap<number, Reached>>
  readonly isComplete: boolean
}

/**
 * Looks at the programs when it is first asked, since most reports have nothing to ask: at each from where its exploration stopped at
 * poison.
 *
 * @param stopped all of the object
 * @param isOutOfReach of poison: whether no program gets there, so that it is worth asking about
 */
export function behindPoison (
  shared: Shared, stopped: readonly StoppedProgram[], isOutOfReach: (fn: ElfFunction, index: number) => boolean
): IsReachedBehind {
  const answers = once(() => exploreAll(shared, stopped, isOutOfReach))
  return (programs, fn, index) => {
    let isOpen = false
    for (const program of programs) {
      const { reached, isComplete } = answers().get(program) ?? NOTHING_ASKED
      const found = reached.get(fn)?.get(index)
      if (found?.doubt === null) return true
      isOpen ||= found !== undefined || !isComplete
    }
    return isOpen ? null : false
  }
}

const NOTHING_ASKED: Answers = { reached: new Map(), isComplete: true }
/** Of a program for which no steps are left. */
const LEFT_OUT: Answers = { reached: new Map(), isComplete: false }

/** The poison that is asked for. */
interface Asked {
  readonly isWanted: (fn: ElfFunction, index: number) => boolean
  /** Whether an instruction leads to it. */
  readonly isAhead: IsAhead
}

function exploreAll (
  shared: Shared, stopped: readonly StoppedProgram[], isOutOfReach: (fn: ElfFunction, index: number) => boolean
): ReadonlyMap<StoppedProgram, Answers> {
  const { object, functions, graph, symbols, age } = shared
  const work = { left: Math.min(shared.work.left, STEPS), inDoubt: 1, inDoubtOfFailing: 1, further: 0, forExecutions: 0 }
  const further: Shared = { ...shared, open: openPoison(object, functions, graph, age, work, symbols), work, found: new Map() }
  /** What is asked for still: what one program gets to for certain need not be looked for in another. */
  const wanted = new Map<ElfFunction, Set<number>>()
  const wantedIn = (fn: ElfFunction): Set<number> => {
    let found = wanted.get(fn)
    if (found === undefined) wanted.set(fn, found = new Set(functions.poisonIn(fn).filter(index => isOutOfReach(fn, index))))
    return found
  }
  const isWanted = (fn: ElfFunction, index: number): boolean => wantedIn(fn).has(index)
  /** The same for one program after the other, until one gets to something for certain. */
  let wantedNow: Asked | undefined
  const askNow = (): Asked => ({ isWanted, isAhead: further.open.isAheadBut((fn, index) => !isWanted(fn, index)) })
  const answers = new Map<StoppedProgram, Answers>()
  const asksOf = ({ functions }: StoppedProgram): boolean => [...functions].some(fn => wantedIn(fn).size > 0)
  const asking = stopped.filter(asksOf)
  for (const program of functions.hasPoisonedSubprogram() ? nearestFirst(asking, functions, wantedNow = askNow()) : asking) {
    if (!asksOf(program)) continue
    if (work.left <= 0) {
      answers.set(program, LEFT_OUT)
      continue
    }
    wantedNow ??= askNow()
    const found = exploreBehind(further, program, wantedNow)
    answers.set(program, found)
    addFound(further.found, program.fn, found.reached)
    for (const [fn, places] of found.reached) {
      for (const [index, { doubt }] of places) if (doubt === null && wantedIn(fn).delete(index)) wantedNow = undefined
    }
  }
  return answers
}

/** Programs from which less leads to what is asked for come first: what one gets to of a shared subprogram, others need not look for. */
function nearestFirst (programs: readonly StoppedProgram[], functions: Functions, { isAhead }: Asked): readonly StoppedProgram[] {
  if (programs.length < 2) return programs
  const distanceOf = ({ fn, run }: StoppedProgram): number => {
    const states = run().stopped?.atPoison ?? []
    const distances = states.map(state => isAhead.distance(topFrame(state).code, state.pc)).filter(distance => distance > 0)
    return distances.length > 0 ? Math.min(...distances) : isAhead.distance(functions.codeOf(fn), 0)
  }
  return programs.map(program => ({ program, distance: distanceOf(program) }))
    .sort((a, b) => a.distance - b.distance)
    .map(({ program }) => program)
}

function exploreBehind (shared: Shared, program: StoppedProgram, asked: Asked): Answers {
  const settled = settledAnswers(shared, program.fn, asked)
  if (settled !== undefined) return settled
  const run = furtherRun(shared, program, asked)
  for (const index of shared.open.sweepOf(shared.functions.codeOf(program.fn)).certain) note(run, program.fn, index, null)
  const isComplete = run.certain.left === 0 || (program.isComplete && exploreProgram(run, shared, program.functions, program.fn))
  return { reached: run.reached, isComplete }
}

/** What passes over the functions tell, where they get to nothing that is asked for, or get there for certain. */
function settledAnswers ({ open, functions }: Shared, fn: ElfFunction, { isWanted }: Asked): Answers | undefined {
  const { certain } = open.sweepOf(functions.codeOf(fn))
  for (const member of open.reachedFrom(fn)) {
    for (const index of open.sweepOf(functions.codeOf(member)).poison) {
      if (isWanted(member, index) && (member !== fn || !certain.includes(index))) return undefined
    }
  }
  return { reached: new Map([[fn, new Map(certain.map(index => [index, CERTAIN]))]]), isComplete: true }
}

/** Goes on where the program's own exploration stopped; from its start where that is not kept. */
function furtherRun (shared: Shared, { fn, run }: StoppedProgram, { isWanted, isAhead }: Asked): Run {
  const before = run()
  const { functions, open, work, found } = shared
  const reached = new Map<ElfFunction, Map<number, Reached>>()
  let wanted = 0
  /** What other programs may get to says no more where this one may, too. */
  let wantedInDoubt = 0
  for (const member of open.reachedFrom(fn)) {
    for (const index of open.sweepOf(functions.codeOf(member)).poison) {
      if (!isWanted(member, index)) settle(reached, member, index)
      else {
        wanted++
        if (!isFound(found, member, index)) wantedInDoubt++
      }
    }
  }
  const begun = before.stopped === undefined ? newRun(shared, fn) : before
  // Names the members one by one, in the order of newRun, so that all runs have one hidden class.
  const { age, symbols, littleEndian, mayHavePackets, entered, verified, assumes, rests, called, asides, renewal, nextId } = begun
  const search = (left: number): Search => ({ left, isAhead, before: left, steps: work.left })
  return {
    age,
    functions,
    symbols,
    littleEndian,
    mayHavePackets,
    choices: undefined,
    passesPoison: true,
    work,
    entered,
    verified,
    stopped: undefined,
    pending: before.stopped === undefined ? [] : pendingOf(before, before.stopped),
    setAside: [],
    isThorough: true,
    fails: false,
    isInDoubtOfNumbers: false,
    further: 0,
    reached,
    assumes,
    rests,
    called,
    asides,
    isPoisonAhead: isAhead,
    isAheadBut: open.isAheadBut,
    renewal,
    certain: search(wanted),
    doubtful: search(wantedInDoubt),
    found,
    foundLeft: 0,
    nextId
  }
}

function pendingOf ({ pending, setAside }: Run, { atPoison, before }: NonNullable<Run['stopped']>): Run['pending'] {
  for (const state of atPoison) passPoison(state)
  return [...setAside, ...pending, ...before, ...atPoison]
}

/** What is not asked for counts as found. */
function settle (reached: Map<ElfFunction, Map<number, Reached>>, fn: ElfFunction, index: number): void {
  let places = reached.get(fn)
  if (places === undefined) reached.set(fn, places = new Map())
  places.set(index, CERTAIN)
}
