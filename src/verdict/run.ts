import type { Age } from './age.js'
import type { IsAhead } from './ahead.js'
import type { Code, Functions } from './code.js'
import type { ElfFunction } from '../elf/functions.js'
import type { Choices } from './free.js'
import type { OpenPoison } from './open.js'
import { union } from './scalar.js'
import { copyState, ownStack, topFrame, type Context, type State } from './state.js'
import type { SymbolValues } from './symbols.js'
import { clobber } from './stack.js'
import { framePointerOf, type Value } from './value.js'

/** How the verifier gets to a poisoned instruction. */
export interface Reached {
  /** Null: it must get there. */
  readonly doubt: string | null
}

export const CERTAIN: Reached = { doubt: null }

/** Poison of subprograms that programs get to, or may: indices by function. */
export type Found = Map<ElfFunction, Set<number>>

/** Adds what one more program gets to, or may. To its own instructions no other program gets. */
export function addFound (found: Found, program: ElfFunction, reached: ReadonlyMap<ElfFunction, ReadonlyMap<number, Reached>>): void {
  for (const [fn, places] of reached) {
    if (fn === program) continue
    const known = found.get(fn)
    if (known === undefined) found.set(fn, new Set(places.keys()))
    else for (const index of places.keys()) known.add(index)
  }
}

export function isFound (found: Found, fn: ElfFunction, index: number): boolean { return found.get(fn)?.has(index) === true }

/** What is still to be found. */
export interface Search {
  /** Poisoned instructions. */
  left: number
  /** Whether an instruction leads to one of them, or to one that was found since this was worked out. */
  isAhead: IsAhead
  /** How many were left then. */
  before: number
  /** Steps that were left to the object then. */
  steps: number
}

/** Steps that are left to an object. */
export interface Work {
  left: number
  /** Those for states in doubt, before they wait until it is known whether their program fails for certain. */
  inDoubt: number
  /** Those of them for programs that fail for certain: there they only tell what else the program may get to. */
  inDoubtOfFailing: number
  /** Those to find more that programs get to that fail for certain. */
  further: number
  /** Those for executions: see execution.ts. */
  forExecutions: number
}

/** Where an exploration stopped, for one that goes on behind poison. */
export interface Stopped {
  /** States at poison. */
  readonly atPoison: State[]
  /** States that lead only to poison that was found already. */
  readonly before: State[]
}

/**
 * Steps in which a program that gets to poison for certain is not seen to get to any more, after which it is left. In the largest
 * programs that were met, most finds are some hundred steps apart.
 */
export const STEPS_FURTHER = 5_000

/** Whether a program fails for certain, and no steps are left to find more that it gets to. */
export function isLeft ({ fails, further, work }: Run): boolean { return fails && (further < 0 || work.further < 0) }

/** One program's exploration. */
export interface Run {
  readonly age: Age
  readonly functions: Functions
  readonly symbols: SymbolValues
  readonly littleEndian: boolean
  readonly mayHavePackets: boolean
  /** Where one execution is followed, with numbers that are chosen: see execution.ts. */
  readonly choices: Choices | undefined
  /** Whether the program is followed on behind poison, as if the kernel had a value there. */
  readonly passesPoison: boolean
  readonly work: Work
  /** The ways in from which it was begun, apart from global subprograms. */
  readonly entered: Set<'program' | 'callback'>
  /** Global subprograms that were begun, with the doubt of that. */
  readonly verified: Map<Code, string | null>
  /** Undefined where it is not kept. */
  stopped: Stopped | undefined
  /** States still to be followed; the last is next. */
  readonly pending: State[]
  /** States in doubt that wait until it is known whether the program fails for certain. */
  readonly setAside: State[]
  /** Whether all is followed that the object's steps suffice for. */
  isThorough: boolean
  /** Whether the program gets to poison for certain. */
  fails: boolean
  /** Whether a way was followed of which the verifier may decide by a number that it does not take. */
  isInDoubtOfNumbers: boolean
  /** Steps that are left to find the next that it gets to. */
  further: number
  /** Poisoned instructions that were reached, by function and index. */
  readonly reached: Map<ElfFunction, Map<number, Reached>>
  /** Assumptions that decided a branch beyond which is poison. */
  assumes: readonly string[]
  /** Assumptions on the way to poison that must be reached. */
  rests: readonly string[]
  /** Global subprograms that were called, with the doubt of the call. */
  readonly called: Map<Code, string | null>
  /** Callbacks that run at some other time: what was seen of each does not depend on what set it. */
  readonly asides: Map<Code, Context>
  /** Whether an instruction leads to poison that the verifier may get to. */
  readonly isPoisonAhead: IsAhead
  readonly isAheadBut: OpenPoison['isAheadBut']
  /** Steps after which it pays to work out anew what leads to the poison that is left. */
  readonly renewal: number
  /** For poison that is not shown yet to be reached for certain. */
  readonly certain: Search
  /** For poison that is not shown yet to be reached at all, which is all that a state in doubt can show. */
  readonly doubtful: Search
  /** What programs before this one get to, or may. That this one may, too, is asked only while it is not known to get to any. */
  readonly found: Found
  /** How much of that is asked for still. */
  foundLeft: number
  nextId: number
}

export function newId (run: Run): number { return run.nextId++ }

export function operand (state: State, register: number): Value | undefined {
  return register === 10 ? framePointerOf(state.frames.length - 1) : topFrame(state).registers[register]
}

/** Notes that the verifier gets to poison, and with which certainty. */
export function note (run: Run, fn: ElfFunction, index: number, doubt: string | null): void {
  let places = run.reached.get(fn)
  if (places === undefined) run.reached.set(fn, places = new Map())
  const known = places.get(index)
  if (known !== undefined && (known.doubt === null || doubt !== null)) return
  places.set(index, { doubt })
  if (known === undefined) {
    run.doubtful.left -= run.foundLeft + (isFound(run.found, fn, index) ? 0 : 1)
    run.foundLeft = 0
  }
  if (doubt !== null) return
  run.certain.left--
  run.fails = true
  run.further = STEPS_FURTHER
}

/** Notes that the verifier gets to the poison that a state is at, and what was assumed on the way. */
export function reach (run: Run, state: State): void {
  note(run, topFrame(state).code.fn, state.pc, state.doubt)
  if (state.doubt === null) run.rests = union(run.rests, state.rests)
  else run.assumes = union(run.assumes, state.rests)
}

/** States that are kept for those who go on behind poison, who do not take many steps. */
const MAX_STOPPED = 500

/** Keeps a state that was followed as far as poison. */
export function keepStopped (run: Run, state: State): void { keep(run, state, true) }

/** Keeps a state that is not followed because what it leads to was found. */
export function keepBefore (run: Run, state: State): void { keep(run, state, false) }

function keep (run: Run, state: State, isAtPoison: boolean): void {
  const { stopped } = run
  if (stopped === undefined) return
  if (stopped.atPoison.length + stopped.before.length >= MAX_STOPPED) run.stopped = undefined
  else (isAtPoison ? stopped.atPoison : stopped.before).push(state)
}

/** Lets go of where the exploration stopped, and with it of all states that were seen. */
export function forgetStopped (run: Run): void {
  run.stopped = undefined
  run.pending.length = 0
  run.setAside.length = 0
  run.asides.clear()
}

/** Follows another way from the same state. */
export function fork (run: Run, state: State, pc: number, doubt: string | null): State {
  const other = copyState(state)
  other.pc = pc
  if (doubt !== null) other.doubt ??= doubt
  run.pending.push(other)
  return other
}

/** What a branch decided by assumed values is worth noting for: poison on the way that is not taken. */
export function restOn (run: Run, state: State, from: readonly string[], untaken: number): void {
  if (from.length === 0) return
  state.rests = union(state.rests, from)
  const isAhead = run.isPoisonAhead(topFrame(state).code, untaken) ||
    state.frames.some((frame, depth) => {
      const callee = state.frames[depth + 1]
      return callee !== undefined && run.isPoisonAhead(frame.code, callee.returnTo)
    })
  if (isAhead) run.assumes = union(run.assumes, from)
}

/** Forgets what a store to an unknown place may have changed. */
export function clobberAll (state: State): void {
  for (const frame of state.frames) clobber(ownStack(frame), undefined, undefined)
}
