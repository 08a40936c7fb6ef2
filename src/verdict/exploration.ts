import type { BpfObject } from '../core/object.js'
import type { ElfFunction } from '../elf/functions.js'
import type { Age } from './age.js'
import type { Functions } from './code.js'
import { entryState, mayHavePackets } from './entry.js'
import { explore } from './explore.js'
import type { OpenPoison } from './open.js'
import type { CallGraph } from './reach.js'
import { isLeft, note, STEPS_FURTHER, type Found, type Run, type Search, type Work } from './run.js'
import { PASSED_A_STEP } from './sweep.js'
import type { SymbolValues } from './symbols.js'

/** What the explorations of an object's programs have in common. */
export interface Shared {
  readonly object: BpfObject
  readonly functions: Functions
  readonly graph: CallGraph
  readonly open: OpenPoison
  readonly symbols: SymbolValues
  readonly age: Age
  readonly work: Work
  /** What the programs that were looked at get to, or may, of those that libbpf loads by itself. */
  readonly found: Found
}

/** Most programs end before it pays to look again at what is left to find. */
const LEAST_RENEWAL = 256

export function newRun ({ object, functions, open, symbols, age, work, found }: Shared, fn: ElfFunction): Run {
  let left = 0
  let foundLeft = 0
  let passed = 0
  for (const member of open.reachedFrom(fn)) {
    const code = functions.codeOf(member)
    const { poison } = open.sweepOf(code)
    left += poison.size
    for (const index of found.get(member) ?? []) if (poison.has(index)) foundLeft++
    passed += code.body.count
  }
  const search = (): Search => ({ left, isAhead: open.isAhead, before: left, steps: work.left })
  return {
    age,
    functions,
    symbols,
    littleEndian: object.elf.littleEndian,
    mayHavePackets: mayHavePackets(fn),
    choices: undefined,
    passesPoison: false,
    work,
    entered: new Set(),
    verified: new Map(),
    stopped: { atPoison: [], before: [] },
    pending: [],
    setAside: [],
    isThorough: false,
    fails: false,
    isInDoubtOfNumbers: false,
    further: STEPS_FURTHER,
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
    found,
    foundLeft,
    nextId: 1
  }
}

/**
 * Follows the program, its exception callback, and the functions that are verified by themselves, from where the run is. False where
 * the work ran out.
 *
 * @param closure all that libbpf loads with the program
 */
export function exploreProgram (run: Run, shared: Shared, closure: ReadonlySet<ElfFunction>, fn: ElfFunction): boolean {
  const { object, graph } = shared
  enter(run, object, fn, 'program')
  const callback = graph.exceptionCallback(fn)
  const follow = (): boolean => {
    if (!explore(run)) return false
    if (callback !== undefined) {
      enter(run, object, callback, 'callback')
      if (!explore(run)) return false
    }
    return exploreGlobals(run, object, closure, fn)
  }
  if (!follow()) return false
  if (run.setAside.length === 0 && !isLeft(run)) return true
  if (run.fails) {
    leaveInDoubt(run, shared, fn)
    return true
  }
  run.isThorough = true
  for (let state = run.setAside.pop(); state !== undefined; state = run.setAside.pop()) run.pending.push(state)
  return follow()
}

/** Of a program that fails for certain: what else it may get to is all that the passes over the functions got to. */
function leaveInDoubt (run: Run, { functions, open }: Shared, fn: ElfFunction): void {
  for (const member of open.reachedFrom(fn)) {
    for (const index of open.sweepOf(functions.codeOf(member)).poison) note(run, member, index, 'More ways lead there than are looked at.')
  }
}

function enter (run: Run, object: BpfObject, fn: ElfFunction, kind: 'program' | 'callback'): void {
  if (run.entered.has(kind)) return
  run.entered.add(kind)
  run.pending.push(entryState(object, run.functions.codeOf(fn), kind, null))
}

/** Global subprograms by themselves: all of the program's before Linux 6.8, from then on those that are called. */
function exploreGlobals (run: Run, object: BpfObject, closure: ReadonlySet<ElfFunction>, program: ElfFunction): boolean {
  const { called, verified } = run
  if (run.age.verifiesGlobals === 'no') return true
  const isLazy = run.age.verifiesGlobalsLazily
  if (isLazy !== 'yes') {
    for (const fn of closure) {
      if (!fn.isGlobal || fn === program) continue
      const code = run.functions.codeOf(fn)
      const isCertain = isLazy === 'no' && run.age.verifiesGlobals === 'yes'
      const doubt = isCertain ? null : `Whether the verifier of this kernel verifies ${fn.name} by itself is not known.`
      if (!called.has(code)) called.set(code, doubt)
      else if (doubt === null) called.set(code, null)
    }
  }
  for (let changed = true; changed;) {
    changed = false
    for (const [code, doubt] of [...called]) {
      const known = verified.get(code)
      if (known === null || (known !== undefined && doubt !== null)) continue
      verified.set(code, doubt)
      changed = true
      run.pending.push(entryState(object, code, 'global', doubt))
      if (!explore(run)) return false
    }
  }
  return true
}
