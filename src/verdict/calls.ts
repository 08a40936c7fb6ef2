import type { Insn } from '../insn/insn.js'
import { STB_WEAK } from '../elf/constants.js'
import { isPoison, PSEUDO, type Code } from './code.js'
import { chooseRegister } from './free.js'
import { BPF_LOOP, CALLBACKS, FILLED, MAP_LOOKUP, OF_MAP, resultOf, SIZES, TAIL_CALL, WITHOUT_ARGUMENTS } from './helpers.js'
import type { MapShape } from './maps.js'
import { passPoison } from './pass-poison.js'
import { clobberAll, fork, keepStopped, newId, operand, reach, type Run } from './run.js'
import { isChosen, isConstant, isZero, UNKNOWN, VAGUE } from './scalar.js'
import { clobber, fill, keyAt, newStack } from './stack.js'
import { copyFrame, newContext, newSeen, ownStack, topFrame, widen, type Context, type Frame, type State } from './state.js'
import { MAP, NOT_NULL, pointerOf, pointerWithId, UNCLEAR, type Value } from './value.js'

/** Frames of a call chain that the verifier allows. */
const MAX_FRAMES = 8

/** Numbers of iterations from which on a callback is certainly verified for more than this analysis tells apart. */
const MANY = 64n

/** Follows a call. False where the state ends. */
export function call (run: Run, state: State, insn: Insn): boolean {
  if (isPoison(insn)) {
    reach(run, state)
    if (run.passesPoison) passPoison(state)
    else keepStopped(run, state)
    return run.passesPoison
  }
  const { code } = topFrame(state)
  if (insn.src === PSEUDO.CALL || insn.src === PSEUDO.KFUNC_CALL) {
    const symbol = code.body.symbolAt(state.pc)
    if (symbol?.sectionIndex === 0 || insn.src === PSEUDO.KFUNC_CALL) {
      return callKernelFunction(run, state, symbol?.name ?? '', symbol?.binding === STB_WEAK)
    }
    const callee = run.functions.callee(code, state.pc)
    return callee !== undefined && callSubprogram(run, state, run.functions.codeOf(callee))
  }
  return callHelper(run, state, insn.imm)
}

const PASSED = { map: MAP, number: UNKNOWN, pointer: NOT_NULL, unclear: UNCLEAR } as const

function callHelper (run: Run, state: State, helper: number): boolean {
  const callback = CALLBACKS.get(helper)
  const fn = callback === undefined ? undefined : operand(state, callback.fn)
  if (callback !== undefined) {
    if (fn?.kind !== 'function') {
      clobberAll(state)
      state.doubt ??= `Which function the call at instruction ${state.pc} of ${topFrame(state).code.fn.name} calls back is not known.`
    } else {
      if (run.choices !== undefined) for (let r = 1; r <= 5; r++) chooseRegister(run.choices, state, r)
      const passed = callback.passes.map((what): Value | undefined => {
        if (typeof what === 'number') return operand(state, what)
        return PASSED[what]
      })
      return enterCallback(run, state, fn.code, passed, callback.isAsync, helper === BPF_LOOP ? operand(state, 1) : undefined)
    }
  }
  if (helper === TAIL_CALL && state.frames.length > 1 && run.age.returnsFromTailCalls !== 'no') {
    // What is called returns to where this function's caller goes on, with a result that can be anything.
    const doubt = run.age.returnsFromTailCalls === 'yes'
      ? null
      : 'Whether the verifier of this kernel follows a tail call back is not known.'
    const returned = fork(run, state, state.pc, doubt)
    topFrame(returned).registers[0] = UNKNOWN
    leave(run, returned)
  }
  // Verifiers look at the key before they forget it.
  const result = helper === MAP_LOOKUP ? element(run, state) : resultOfHelper(run, helper)
  if (!WITHOUT_ARGUMENTS.has(helper)) forgetMemory(run, state, helper)
  finishCall(state, result)
  state.pc++
  return true
}

function resultOfHelper (run: Run, helper: number): Value {
  switch (resultOf(helper)) {
    case 'number': return UNKNOWN
    case 'processor': return run.age.boundsProcessors === 'no' ? UNKNOWN : VAGUE
    case 'ranged': return VAGUE
    case 'maybe-null': return pointerOf('maybe', true, false, newId(run))
    case 'maybe-null-deep': return pointerOf('maybe', true, true, newId(run))
    case 'pointer': return NOT_NULL
    case 'pointer-deep': return pointerWithId(UNCLEAR, newId(run))
    case 'unclear': return pointerWithId(UNCLEAR, newId(run))
  }
}

/**
 * What a lookup in a map finds. Of an array, newer verifiers know that it is there where the key is a constant below the array's length.
 * That is 1 or more, and a loader may set it: only of the key 0 it is known here.
 */
function element (run: Run, state: State): Value {
  const map = mapAt(state, 1)
  const { knowsElements } = run.age
  if (knowsElements === 'no' || map?.knowsElements === 'never') {
    return pointerOf('maybe', map?.holdsMaps === true, false, newId(run), map?.inner)
  }
  const key = map?.knowsElements === 'by key' ? keyOf(state, map) : undefined
  if (key === 'zero' && knowsElements === 'yes') return NOT_NULL
  // Of an execution, what verifiers do not know may be a number here.
  return pointerOf(key === 'unknown' && run.choices === undefined ? 'maybe' : 'likely', false, false, newId(run))
}

function keyOf (state: State, { keySize }: MapShape): ReturnType<typeof keyAt> {
  const pointer = operand(state, 2)
  if (pointer?.kind !== 'stack' || pointer.offset === undefined || keySize === undefined) return undefined
  const frame = state.frames[pointer.frame]
  return frame === undefined ? undefined : keyAt(frame.stack, pointer.offset, keySize)
}

/** The map that a register points to; undefined where it is not known. */
function mapAt (state: State, register: number): MapShape | undefined {
  const pointer = operand(state, register)
  return pointer?.kind === 'pointer' ? pointer.map : undefined
}

/** The registers after a call: the result, and five that may not be read. */
function finishCall (state: State, result: Value): void {
  const { registers } = topFrame(state)
  registers[0] = result
  for (let r = 1; r <= 5; r++) registers[r] = undefined
}

/**
 * What may be written through the arguments of a call, or what verifiers forget as if it were.
 *
 * @param helper undefined: another function is called
 */
function forgetMemory (run: Run, state: State, helper?: number): void {
  const sizes = helper === undefined ? undefined : SIZES.get(helper)
  const filled = helper === undefined ? undefined : FILLED.get(helper)
  const ofMap = helper === undefined ? undefined : OF_MAP.get(helper)
  const map = ofMap === undefined ? undefined : mapAt(state, 1)
  for (let r = 1; r <= 5; r++) {
    const argument = operand(state, r)
    if (argument?.kind !== 'stack') continue
    const frame = state.frames[argument.frame]
    const sizeRegister = sizes?.get(r)
    const size = sizeRegister === undefined ? undefined : operand(state, sizeRegister)
    const bytes = size?.kind === 'scalar' && size.bounds.umax <= 512n ? Number(size.bounds.umax) : undefined
    if (frame === undefined) continue
    const part = ofMap?.get(r)
    if (part !== undefined) {
      clobber(ownStack(frame), argument.offset, map?.[part])
      continue
    }
    const isFilled = r === filled && bytes !== undefined && size?.kind === 'scalar' && size.exact && isConstant(size) && !isChosen(size)
    // What is beside it in a slot, verifiers forget or not.
    if (isFilled && run.choices !== undefined) clobber(ownStack(frame), argument.offset, bytes)
    if (isFilled && argument.offset !== undefined) fill(run.age, ownStack(frame), argument.offset, bytes)
    else clobber(ownStack(frame), argument.offset, bytes)
  }
}

/** Kernel functions that end a loop's turn: there the verifier forgets what changed since the turn before. */
const ITERATES = /^bpf_iter_.*_next$/

function callKernelFunction (run: Run, state: State, name: string, isWeak: boolean): boolean {
  const isMissing = run.symbols.hasFunction(name) === false
  if (isMissing && !isWeak) return false // libbpf refuses the object
  if (isMissing) {
    // The verifier passes over the call, leaves registers and stack as they are, and refuses the program when it is through.
    topFrame(state).registers[0] ??= UNCLEAR
    state.pc++
    return true
  }
  for (let r = 1; r <= 5; r++) {
    const argument = operand(state, r)
    if (argument?.kind === 'function') enterAside(run, state, argument.code)
  }
  if (ITERATES.test(name)) forgetTurn(state)
  forgetMemory(run, state)
  finishCall(state, ITERATES.test(name) ? pointerOf('maybe', true, true, newId(run)) : pointerWithId(UNCLEAR, newId(run)))
  state.pc++
  return name !== 'bpf_throw'
}

/** Forgets the numbers that differ from the last visit, at an instruction where the verifier does so. */
export function forgetTurn (state: State): void {
  const { context } = topFrame(state)
  const seen = context.seen.get(~state.pc) ?? newSeen()
  context.seen.set(~state.pc, seen)
  if (seen.last !== undefined) widen(state, seen.last.frames, state.frames.length)
  seen.last = { ...state, frames: state.frames.map(copyFrame) }
}

function callSubprogram (run: Run, state: State, callee: Code): boolean {
  const isSeparate = callee.fn.isGlobal && run.age.verifiesGlobals !== 'no'
  if (isSeparate) {
    const known = run.called.get(callee)
    if (known !== null) run.called.set(callee, known === undefined || state.doubt === null ? state.doubt : known)
    if (run.age.verifiesGlobals === 'maybe') {
      state.doubt ??= `Whether the verifier of this kernel verifies ${callee.fn.name} by itself is not known.`
      enter(fork(run, state, state.pc, null), callee, topFrame(state).registers.slice(0, 6), undefined)
    }
    forgetMemory(run, state)
    finishCall(state, UNKNOWN)
    state.pc++
    return true
  }
  return enter(state, callee, topFrame(state).registers.slice(0, 6), undefined)
}

/** Pushes a frame. False where the chain is longer than the verifier allows. */
function enter (state: State, callee: Code, passed: ReadonlyArray<Value | undefined>, callback: Frame['callback']): boolean {
  if (state.frames.length >= MAX_FRAMES) return false
  const caller = topFrame(state)
  const frame: Frame = {
    context: contextOf(caller.context, callee, state.pc),
    code: callee,
    registers: new Array<undefined>(10).fill(undefined),
    stack: newStack(),
    isStackShared: false,
    returnTo: state.pc + 1,
    callback
  }
  for (let r = 1; r <= 5; r++) {
    frame.registers[r] = passed[r]
    caller.registers[r] = undefined
  }
  caller.registers[0] = undefined
  state.frames.push(frame)
  state.pc = 0
  return true
}

function contextOf (parent: Context, callee: Code, at: number): Context {
  const key = `${at} ${callee.fn.start}`
  let context = parent.callees.get(key)
  if (context === undefined) {
    context = newContext(callee, parent)
    parent.callees.set(key, context)
  }
  return context
}

/**
 * A helper that calls back. Newer verifiers follow any number of turns, none included; older ones followed one.
 *
 * @param turns how many at most, where the helper is told
 */
function enterCallback (
  run: Run, state: State, callee: Code, passed: ReadonlyArray<Value | undefined>, isAsync: boolean, turns: Value | undefined
): boolean {
  if (isAsync) {
    enterAside(run, state, callee, passed)
    finishCall(state, UNKNOWN)
    state.pc++
    return true
  }
  const { repeatsCallbacks: repeats, countsCallbacks: counts } = run.age
  const isNone = turns?.kind === 'scalar' && isZero(turns)
  if (repeats !== 'no') {
    const doubt = repeats === 'yes' ? null : 'Whether the verifier of this kernel skips a callback is not known.'
    const skipped = fork(run, state, state.pc + 1, doubt)
    finishCall(skipped, UNKNOWN)
    if (isNone && counts === 'yes') return false
    const mayBeNone = isNone ? counts === 'maybe' : counts !== 'no' && turns?.kind === 'scalar' && !turns.exact && turns.bounds.umin === 0n
    if (mayBeNone) {
      state.doubt ??= 'Whether the verifier of this kernel follows a callback that is called no time is not known.'
    }
  }
  const isMany = counts === 'no' || turns === undefined || (turns.kind === 'scalar' && turns.exact && turns.bounds.umax >= MANY)
  const limit = !isMany && counts === 'yes' && turns.kind === 'scalar' && turns.exact ? Number(turns.bounds.umax) : undefined
  const registers = [undefined, ...passed]
  const isCertain = repeats === 'yes' && (isMany || limit !== undefined)
  return enter(state, callee, registers, { before: state.frames.map(copyFrame), arguments: registers, isCertain, turn: 1, limit })
}

/** A callback that runs at some other time: verified by itself, with arguments of its own, and once where it sets itself again. */
function enterAside (run: Run, state: State, callee: Code, passed: ReadonlyArray<Value | undefined> = [UNCLEAR, UNCLEAR, UNCLEAR]): void {
  let context = run.asides.get(callee)
  if (context === undefined) run.asides.set(callee, context = newContext(callee, undefined))
  const registers = new Array<undefined>(10).fill(undefined)
  const frame: Frame = { context, code: callee, registers, stack: newStack(), isStackShared: false, returnTo: 0, callback: undefined }
  passed.forEach((value, i) => { frame.registers[i + 1] = value?.kind === 'stack' ? UNCLEAR : value })
  run.pending.push({ frames: [frame], pc: 0, doubt: state.doubt, compared: false, rests: state.rests })
}

/** Returns from a frame. False at the end of the program. */
export function leave (run: Run, state: State): boolean {
  const frame = state.frames.pop()
  const caller = state.frames[state.frames.length - 1]
  if (frame === undefined || caller === undefined) return false
  const { callback } = frame
  if (callback === undefined) {
    caller.registers[0] = frame.registers[0]
    state.pc = frame.returnTo
    return true
  }
  if (run.age.repeatsCallbacks !== 'no') {
    const doubt = callback.isCertain ? null : 'How often the verifier of this kernel follows a callback is not known.'
    const again = fork(run, state, frame.returnTo - 1, doubt)
    widen(again, callback.before, again.frames.length)
    if (callback.limit === undefined) enter(again, frame.code, callback.arguments, { ...callback, before: again.frames.map(copyFrame) })
    else if (callback.turn < callback.limit) {
      const before = again.frames.map(copyFrame)
      enter(again, frame.code, callback.arguments, { ...callback, before, turn: callback.turn + 1 })
    } else {
      // The verifier forgets at the end of the last turn, too.
      finishCall(again, UNKNOWN)
      again.pc = frame.returnTo
    }
  }
  finishCall(state, UNKNOWN)
  state.pc = frame.returnTo
  return true
}
