import type { Insn } from '../insn/insn.js'
import { BpfClass, classOf } from '../insn/opcodes.js'
import type { Age } from './age.js'
import { forgetTurn } from './calls.js'
import { chooseWay } from './choose-way.js'
import { usesRegister } from './code.js'
import { decide, JMP, learn, opposite, type Comparison } from './compare.js'
import { targetOf } from './flow.js'
import { fork, operand, restOn, type Run } from './run.js'
import { constant, immediateOf, inexact, scalar, union, type Scalar } from './scalar.js'
import { mapValues, topFrame, type State } from './state.js'
import { isNullConstant, pointerOf, type Value } from './value.js'

/** Follows a conditional jump: one way where the verifier decides it, otherwise both. */
export function branch (run: Run, state: State, insn: Insn): void {
  const operation = insn.code & 0xf0
  const next = state.pc + 1
  const target = targetOf(insn, state.pc)
  if (operation === JMP.JCOND) {
    // The verifier forgets what the turns change where the loop goes on, not where it ends.
    fork(run, state, target, null)
    forgetTurn(state)
    state.pc = next
    return
  }
  const is64 = classOf(insn.code) === BpfClass.JMP
  const left = operand(state, insn.dst)
  const right = usesRegister(insn) ? operand(state, insn.src) : immediateOf(insn.imm)
  const rightRegister = usesRegister(insn) ? insn.src : undefined
  const leftRegister = insn.dst
  if (left?.kind === 'scalar' && right?.kind === 'scalar') {
    compareNumbers(run, state, { operation, is64, left, right, leftRegister, rightRegister, next, target })
  } else {
    comparePointers(run, state, { operation, is64, left, right, leftRegister, rightRegister, next, target })
  }
}

function compareNumbers (run: Run, state: State, comparison: Comparison<Scalar>): void {
  if (run.choices !== undefined) {
    chooseWay(run, run.choices, state, comparison)
    return
  }
  const { operation, is64, left, right, next, target } = comparison
  const { sure, perhaps } = run.age
  const taken = decide(sure, operation, left, right, is64)
  if (taken !== undefined) {
    restOn(run, state, union(left.from, right.from), taken ? next : target)
    state.pc = taken ? target : next
    return
  }
  const mayDecide = sure !== perhaps && decide(perhaps, operation, left, right, is64) !== undefined
  const isOpen = left.exact && right.exact && !mayDecide && (!perhaps.comparesRanges || left.id === 0 || left.id !== right.id)
  if (!isOpen) {
    if (state.doubt === null) run.isInDoubtOfNumbers = true
    state.doubt ??= `Whether the verifier decides the branch at instruction ${state.pc} of ${topFrame(state).code.fn.name} is not known.`
  }
  const other = fork(run, state, target, null)
  narrowSides(run, other, comparison, true)
  narrowSides(run, state, comparison, false)
  state.pc = next
}

/** Puts what a comparison says of both sides into their registers, and into all copies of them. */
function narrowSides (
  run: Run,
  state: State,
  { operation, is64, left, right, leftRegister, rightRegister }: Comparison<Scalar>,
  taken: boolean
): void {
  if (leftRegister === rightRegister || (left.id !== 0 && left.id === right.id)) {
    if (run.age.perhaps.comparesRanges) replace(run, state, leftRegister, left, inexact(left))
    return
  }
  const [newLeft, newRight] = learn(run.age, taken ? operation : opposite(operation), left, right, is64)
  if (rightRegister !== undefined) replace(run, state, rightRegister, right, newRight)
  replace(run, state, leftRegister, left, newLeft)
}

/** Newer verifiers narrow six copies at once, of which some may be in registers that are not read any more. */
const SURE_COPIES = 3

/** Puts what is known now into the register and all its copies. What was computed from the number is narrowed by some verifiers. */
function replace (run: Run, state: State, register: number, before: Scalar, value: Scalar): void {
  if (value === before) return
  const { id, related } = before
  topFrame(state).registers[register] = value
  if (id === 0 && related === 0) return
  let copies = 0
  mapValues(state, other => {
    if (other.kind !== 'scalar' || other === value) return other
    if (id !== 0 && other.id === id) {
      return ++copies > SURE_COPIES && run.age.linksSums !== 'no'
        ? scalar(other.bounds, { ...other, id: 0, exact: false })
        : copyOf(run.age, other, value)
    }
    const isRelated = (id !== 0 && other.related === id) || (related !== 0 && (other.id === related || other.related === related))
    return isRelated ? inexact(other) : other
  })
}

function copyOf (age: Age, copy: Scalar, value: Scalar): Scalar {
  if (age.linksCopies === 'yes') return value
  return age.linksCopies === 'no' ? copy : inexact(copy)
}

/** A comparison with a pointer: with null it says what that is; with another, how much of a packet is there, which is not followed. */
function comparePointers (run: Run, state: State, comparison: Comparison<Value | undefined>): void {
  const { operation, is64, left, right, next, target } = comparison
  const isEquality = operation === JMP.JEQ || operation === JMP.JNE
  const pointer = left !== undefined && left.kind !== 'scalar' ? left : right
  const isLeft = pointer === left
  const other = isLeft ? right : left
  const register = isLeft ? comparison.leftRegister : comparison.rightRegister
  const nullWay = operation === JMP.JEQ ? target : next
  const otherWay = operation === JMP.JEQ ? next : target
  const place = (): string => `the branch at instruction ${state.pc} of ${topFrame(state).code.fn.name}`
  if (isEquality && is64 && pointer !== undefined && other !== undefined && isNullConstant(other)) {
    const knows = nullness(run.age, pointer)
    if (knows !== 'never') {
      const doubt = knows === 'maybe' ? null : `Whether the verifier takes the pointer for null in ${place()} is not known.`
      const isNull = fork(run, state, nullWay, doubt)
      settleNull(isNull, register, pointer, true)
    }
    settleNull(state, register, pointer, false)
    state.pc = otherWay
    return
  }
  const isNumber = other?.kind === 'scalar' && pointer?.kind === 'pointer'
  const doubt = isNumber || !state.compared ? null : `Whether the verifier decides ${place()}, which compares pointers, is not known.`
  if (doubt !== null) state.doubt ??= doubt
  if (!isNumber && run.mayHavePackets) state.compared = true
  fork(run, state, target, null)
  state.pc = next
}

function nullness (age: Age, pointer: Value): 'maybe' | 'never' | 'unclear' {
  if (pointer.kind === 'data' || (pointer.kind === 'pointer' && pointer.null === 'no')) {
    const ability = pointer.kind === 'pointer' && pointer.isOfMemory ? age.decidesMaps : age.decidesPointers
    return ability === 'yes' ? 'never' : ability === 'no' ? 'maybe' : 'unclear'
  }
  // No verifier takes it as known that the stack is somewhere.
  if (pointer.kind === 'stack') return 'maybe'
  return pointer.kind === 'pointer' && pointer.null === 'maybe' ? 'maybe' : 'unclear'
}

function settleNull (state: State, register: number | undefined, pointer: Value, isNull: boolean): void {
  if (pointer.kind !== 'pointer' || pointer.null === 'no') return
  const { isOfMemory, deep, map } = pointer
  const mayBeNull = pointer.null === 'maybe' || pointer.null === 'likely'
  const known: Value = isNull ? constant(0n) : mayBeNull ? pointerOf('no', isOfMemory, deep, 0, map) : pointer
  if (register !== undefined && register !== 10) topFrame(state).registers[register] = known
  if (pointer.id !== 0) mapValues(state, other => other.kind === 'pointer' && other.id === pointer.id ? known : other)
}
