import type { Insn } from '../insn/insn.js'
import { BpfClass, classOf } from '../insn/opcodes.js'
import type { Age } from './age.js'
import { usesRegister } from './code.js'
import { decide, exchanged, isPlain, JMP, limitOf, narrow, narrowBoth, opposite } from './compare.js'
import { targetOf } from './flow.js'
import { fork, operand, restOn, type Run } from './run.js'
import { constant, isConstant, sameBounds, scalar, union, type Bounds, type Scalar } from './scalar.js'
import { mapValues, topFrame, type State } from './state.js'
import { isNullConstant, type Value } from './value.js'

/** Whether a branch is decided as said, whatever the verifier's age within what is known of it. */
interface Decision {
  readonly taken: boolean
  /** `no`: this verifier follows both ways; `maybe`: it may. */
  readonly ability: Age[keyof Age]
}

/** Follows a conditional jump: one way where the verifier decides it, otherwise both. */
export function branch (run: Run, state: State, insn: Insn): void {
  const operation = insn.code & 0xf0
  const next = state.pc + 1
  const target = targetOf(insn, state.pc)
  if (operation === JMP.JCOND) {
    fork(run, state, target, null)
    state.pc = next
    return
  }
  const is64 = classOf(insn.code) === BpfClass.JMP
  const left = operand(state, insn.dst)
  const right = usesRegister(insn) ? operand(state, insn.src) : constant(BigInt(insn.imm))
  const rightRegister = usesRegister(insn) ? insn.src : undefined
  if (left?.kind === 'scalar' && right?.kind === 'scalar') {
    compareNumbers(run, state, { operation, is64, left, right, leftRegister: insn.dst, rightRegister, next, target })
    return
  }
  comparePointers(run, state, { operation, is64, left, right, leftRegister: insn.dst, rightRegister, next, target })
}

interface Comparison<Side> {
  readonly operation: number
  readonly is64: boolean
  readonly left: Side
  readonly right: Side
  readonly leftRegister: number
  /** Undefined where the right side is the immediate. */
  readonly rightRegister: number | undefined
  readonly next: number
  readonly target: number
}

function compareNumbers (run: Run, state: State, comparison: Comparison<Scalar>): void {
  const { operation, is64, left, right, next, target } = comparison
  const taken = decide(operation, left, right, is64)
  if (taken === undefined) {
    const isOpen = left.exact && right.exact && (left.id === 0 || left.id !== right.id)
    const doubt = isOpen ? null : `Whether the verifier decides ${placeOf(state)} is not known.`
    const other = fork(run, state, target, doubt)
    if (doubt !== null) state.doubt ??= doubt
    learn(run, other, comparison, true)
    learn(run, state, comparison, false)
    state.pc = next
    return
  }
  const { ability } = decisionOf(run.age, comparison, taken)
  if (ability === 'yes') {
    restOn(run, state, union(left.from, right.from), taken ? next : target)
    state.pc = taken ? target : next
    return
  }
  const doubt = ability === 'no' && left.exact && right.exact ? null : `Whether the verifier of this kernel decides ${placeOf(state)} is not known.`
  fork(run, state, taken ? next : target, doubt)
  state.pc = taken ? target : next
}

function placeOf (state: State): string { return `the branch at instruction ${state.pc} of ${topFrame(state).code.fn.name}` }

/** Which verifiers decide the comparison as it comes out. */
function decisionOf (age: Age, { operation, is64, left, right }: Comparison<Scalar>, taken: boolean): Decision {
  if (operation === JMP.JSET) return { taken, ability: isPlain(left, right, is64) ? age.decidesBitTests : atMost(age.comparesRanges) }
  if (isPlain(left, right, is64) || ((left.isOne || isConstant(left)) && (right.isOne || isConstant(right)))) {
    const always = isConstant(left) && isConstant(right) && ((operation === JMP.JEQ && taken) || (operation === JMP.JNE && !taken))
    return { taken, ability: always ? 'yes' : age.decidesBranches }
  }
  // Bits that differ decide from Linux 6.19 on, where ranges do not.
  const isByBits = (operation === JMP.JEQ || operation === JMP.JNE) && overlap(left, right, is64)
  return { taken, ability: isByBits ? 'maybe' : atMost(age.comparesRanges) }
}

function overlap (left: Scalar, right: Scalar, is64: boolean): boolean {
  return is64
    ? left.umin <= right.umax && right.umin <= left.umax && left.smin <= right.smax && right.smin <= left.smax
    : left.umin32 <= right.umax32 && right.umin32 <= left.umax32 && left.smin32 <= right.smax32 && right.smin32 <= left.smax32
}

/** Older verifiers know some ranges, too, so that none can be said not to decide. */
function atMost (ability: Age[keyof Age]): Age[keyof Age] { return ability === 'yes' ? 'yes' : 'maybe' }

/** Narrows the side that is compared with a known number, and all copies of it. */
function learn (run: Run, state: State, comparison: Comparison<Scalar>, taken: boolean): void {
  const { operation, is64, left, right, leftRegister, rightRegister } = comparison
  const holds = taken ? operation : opposite(operation)
  const edges = run.age.comparesRanges === 'yes'
  const rightLimit = limitOf(right, is64)
  const leftLimit = limitOf(left, is64)
  if (rightLimit !== undefined) replace(run, state, leftRegister, left, narrow(holds, left, rightLimit, is64, edges))
  else if (leftLimit !== undefined && rightRegister !== undefined && Math.abs(holds) !== JMP.JSET) replace(run, state, rightRegister, right, narrow(exchanged(holds), right, leftLimit, is64, edges))
  else if (rightRegister !== undefined) learnBoth(run, state, comparison, holds)
}

/** Two numbers of which neither is known narrow each other in newer verifiers. */
function learnBoth (run: Run, state: State, { is64, left, right, leftRegister, rightRegister }: Comparison<Scalar>, holds: number): void {
  if (Math.abs(holds) === JMP.JSET || rightRegister === undefined || (left.id !== 0 && left.id === right.id) || run.age.comparesRanges !== 'yes') {
    blur(state, leftRegister, left)
    if (rightRegister !== undefined) blur(state, rightRegister, right)
    return
  }
  const both = narrowBoth(holds, left, right, is64)
  replace(run, state, leftRegister, left, both === undefined ? undefined : withBounds(left, both[0]))
  replace(run, state, rightRegister, right, both === undefined ? undefined : withBounds(right, both[1]))
}

function withBounds (value: Scalar, bounds: Bounds): Scalar {
  if (sameBounds(value, bounds)) return value
  return bounds.mask === 0n ? constant(bounds.bits, value.from) : scalar(bounds, value)
}

/** Puts what is known now into the register and all its copies. What was computed from the number is narrowed by some verifiers. */
function replace (run: Run, state: State, register: number, before: Scalar, after: Scalar | undefined): void {
  if (after === before) return
  const value: Scalar = after ?? inexact(before)
  const { id, related } = before
  topFrame(state).registers[register] = value
  if (id === 0 && related === 0) return
  mapValues(state, other => {
    if (other.kind !== 'scalar' || other === value) return other
    if (id !== 0 && other.id === id) return copyOf(run.age, other, value)
    const isRelated = (id !== 0 && other.related === id) || (related !== 0 && (other.id === related || other.related === related))
    return isRelated ? inexact(other) : other
  })
}

function copyOf (age: Age, copy: Scalar, value: Scalar): Scalar {
  if (age.linksCopies === 'yes') return value
  return age.linksCopies === 'no' ? copy : inexact(copy)
}

/** Notes that some verifiers know more of the number than is followed here. */
function blur (state: State, register: number, value: Scalar): void {
  if (isConstant(value)) return
  topFrame(state).registers[register] = inexact(value)
  const { id, related } = value
  if (id === 0 && related === 0) return
  const isLinked = (other: Scalar): boolean => (id !== 0 && (other.id === id || other.related === id)) || (related !== 0 && (other.id === related || other.related === related))
  mapValues(state, other => other.kind === 'scalar' && isLinked(other) ? inexact(other) : other)
}

function inexact (value: Scalar): Scalar {
  return value.exact ? scalar(value, { exact: false, id: value.id, related: value.related, from: value.from }) : value
}

/** A comparison with a pointer: with null it says what the pointer is; with another it says what this does not follow. */
function comparePointers (run: Run, state: State, comparison: Comparison<Value | undefined>): void {
  const { operation, is64, left, right, next, target } = comparison
  const isEquality = operation === JMP.JEQ || operation === JMP.JNE
  const pointer = left !== undefined && left.kind !== 'scalar' ? left : right
  const isLeft = pointer === left
  const other = isLeft ? right : left
  const register = isLeft ? comparison.leftRegister : comparison.rightRegister
  const nullWay = operation === JMP.JEQ ? target : next
  const otherWay = operation === JMP.JEQ ? next : target
  if (isEquality && is64 && pointer !== undefined && other !== undefined && isNullConstant(other)) {
    const knows = nullness(run.age, pointer)
    if (knows !== 'never') {
      const isNull = fork(run, state, nullWay, knows === 'maybe' ? null : `Whether the verifier takes the pointer for null in ${placeOf(state)} is not known.`)
      settleNull(isNull, register, pointer, true)
    }
    settleNull(state, register, pointer, false)
    state.pc = otherWay
    return
  }
  const isNumber = other?.kind === 'scalar' && pointer?.kind === 'pointer'
  const doubt = isNumber || !state.compared ? null : `Whether the verifier decides ${placeOf(state)}, which compares pointers, is not known.`
  if (doubt !== null) state.doubt ??= doubt
  if (!isNumber) state.compared = true
  fork(run, state, target, null)
  state.pc = next
}

function nullness (age: Age, pointer: Value): 'maybe' | 'never' | 'unclear' {
  if (pointer.kind === 'data' || (pointer.kind === 'pointer' && pointer.null === 'no')) return age.decidesPointers === 'yes' ? 'never' : age.decidesPointers === 'no' ? 'maybe' : 'unclear'
  return pointer.kind === 'pointer' && pointer.null === 'maybe' ? 'maybe' : 'unclear'
}

function settleNull (state: State, register: number | undefined, pointer: Value, isNull: boolean): void {
  if (pointer.kind !== 'pointer' || pointer.null === 'no') return
  const known: Value = isNull ? constant(0n) : pointer.null === 'maybe' || pointer.null === 'likely' ? { kind: 'pointer', null: 'no', deep: pointer.deep, id: 0 } : pointer
  if (register !== undefined && register !== 10) topFrame(state).registers[register] = known
  if (pointer.id !== 0) mapValues(state, other => other.kind === 'pointer' && other.id === pointer.id ? known : other)
}
