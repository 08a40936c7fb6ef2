import type { BpfObject } from '../core/object.js'
import type { ElfFunction } from '../elf/functions.js'
import type { Age } from './age.js'
import { createAhead, type IsAhead } from './ahead.js'
import { once, withoutAliases, type Body, type Code, type Functions } from './code.js'
import type { CallGraph } from './reach.js'
import { sweep, type Sweep } from './sweep.js'
import type { SymbolValues } from './symbols.js'

/** Poison that a pass over the functions gets to, and so the verifier may: none besides is open. */
export interface OpenPoison {
  /** What the pass over a function found. */
  readonly sweepOf: (code: Code) => Sweep
  /** Functions that the verifier may get to from a program, with those that it verifies by themselves. */
  readonly reachedFrom: (program: ElfFunction) => ReadonlySet<ElfFunction>
  /** Whether an instruction leads to open poison. */
  readonly isAhead: IsAhead
  /** Whether it leads to some that is not settled. What is settled once has to stay so. */
  readonly isAheadBut: (isSettled: (fn: ElfFunction, index: number) => boolean) => IsAhead
}

/** @param symbols where poison behind other poison counts */
export function openPoison (
  object: BpfObject, functions: Functions, graph: CallGraph, age: Age, work: { left: number }, symbols?: SymbolValues
): OpenPoison {
  const swept = new Map<Body, Sweep>()
  const called = new Map<Body, ReadonlySet<ElfFunction>>()

  const sweepOf = (code: Code): Sweep => {
    let found = swept.get(code.body)
    if (found === undefined) {
      swept.set(code.body, found = sweep(code, functions, age, work, symbols) ?? everything(code, functions))
    }
    return found
  }
  /** Adds what is called from the functions and may lead to poison. */
  const withCallees = (fns: Iterable<ElfFunction>): ReadonlySet<ElfFunction> => {
    const found = new Set(fns)
    for (const fn of found) {
      work.left--
      for (const callee of sweepOf(functions.codeOf(fn)).callees) if (graph.hasPoison(callee)) found.add(callee)
    }
    return found
  }
  const calledFrom = (fn: ElfFunction): ReadonlySet<ElfFunction> => {
    const { body } = functions.codeOf(fn)
    let found = called.get(body)
    if (found === undefined) called.set(body, found = withCallees([fn]))
    return found
  }
  /** Functions whose address is taken, so that they may be called back. */
  const addressed = once(() => new Set(withoutAliases(object.elf.functions).flatMap(fn =>
    functions.references(fn).flatMap(reference => reference.isCall ? [] : [reference.fn]))))
  const isAheadBut = (isSettled: (fn: ElfFunction, index: number) => boolean): IsAhead => {
    const answers = new Map<ElfFunction, boolean>()
    /** Functions without open poison: what is settled stays so. */
    const closed = new Set<ElfFunction>()
    const isOpen = (fn: ElfFunction): boolean => {
      if (closed.has(fn)) return false
      for (const index of sweepOf(functions.codeOf(fn)).poison) if (!isSettled(fn, index)) return true
      closed.add(fn)
      return false
    }
    const hasWanted = (fn: ElfFunction): boolean => {
      let answer = answers.get(fn)
      if (answer === undefined) answers.set(fn, answer = graph.hasPoison(fn) && [...calledFrom(fn)].some(isOpen))
      return answer
    }
    return createAhead(functions, {
      isWanted: (code, index) => sweepOf(code).poison.has(index) && !isSettled(code.fn, index),
      hasWanted,
      isCalledBack: once(() => [...addressed()].some(hasWanted))
    })
  }

  const findReached = (program: ElfFunction): ReadonlySet<ElfFunction> => {
    const callback = graph.exceptionCallback(program)
    const others = callback === undefined ? [] : [callback]
    if (age.verifiesGlobals !== 'no' && age.verifiesGlobalsLazily !== 'yes') {
      for (const fn of graph.reachedFrom(program)) if (fn.isGlobal) others.push(fn)
    }
    const own = calledFrom(program)
    const further = others.filter(fn => !own.has(fn))
    return further.length === 0 ? own : withCallees([...own, ...further])
  }
  // What is asked of a program is asked at once; to keep it of all would take programs times functions.
  let last: { readonly program: ElfFunction, readonly reached: ReadonlySet<ElfFunction> } | undefined

  return {
    sweepOf,
    reachedFrom (program) {
      if (last?.program !== program) last = { program, reached: findReached(program) }
      return last.reached
    },
    isAhead: isAheadBut(() => false),
    isAheadBut
  }
}

/** What may be got to where nothing is known. */
function everything ({ fn }: Code, functions: Functions): Sweep {
  const references = functions.hasPoisonedSubprogram() ? functions.references(fn) : []
  return { poison: new Set(functions.poisonIn(fn)), certain: [], callees: new Set(references.map(reference => reference.fn)) }
}
