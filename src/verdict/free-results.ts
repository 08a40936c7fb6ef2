import type { Insn } from '../insn/insn.js'
import { BpfClass, classOf } from '../insn/opcodes.js'
import type { Age } from './age.js'
import { ALU } from './arithmetic.js'
import { usesRegister } from './code.js'
import { chooseRegister, freeNumber, freeRange, FROM_CHOICE, type Choices, type Range } from './free.js'
import { operand } from './run.js'
import { constant, immediateOf, inexact, isConstant, ofSize, union, type Scalar } from './scalar.js'
import { topFrame, type State } from './state.js'
import { U32, U64, unsigned } from './tnum.js'
import { asScalar, idOf, type Value } from './value.js'

/**
 * What an operation of an execution leaves in its register, where that is a free number, or one that no verifier works out. False where
 * it is for others to work out: then its operands are constants, chosen where they were free.
 */
export function computeFree (choices: Choices, state: State, insn: Insn): boolean {
  const is64 = classOf(insn.code) === BpfClass.ALU64
  const operation = insn.code & 0xf0
  if (operation === ALU.MOV) return usesRegister(insn) && !(is64 && insn.off === 0) && moveFree(choices, state, insn)
  if (topFrame(state).registers[insn.dst]?.kind !== 'scalar' || rightOf(state, insn)?.kind !== 'scalar') return false
  const isOfOne = hasRight(operation) && usesRegister(insn) && insn.src === insn.dst
  if (hasRight(operation) && usesRegister(insn) && !isOfOne) chooseRegister(choices, state, insn.src)
  const right = asScalar(rightOf(state, insn))
  if (!isOfOne && keepFree(state, insn, right, is64)) return true
  chooseRegister(choices, state, insn.dst, result => toReach(operation, result, right.bounds.umin))
  if (isForgotten(choices.age, operation)) {
    topFrame(state).registers[insn.dst] = ofSize(is64 ? 8 : 4, { from: FROM_CHOICE })
    return true
  }
  return divide(state, insn, operation, is64)
}

const hasRight = (operation: number): boolean => operation !== ALU.NEG && operation !== ALU.END

/** The second operand. */
function rightOf (state: State, insn: Insn): Value | undefined {
  return hasRight(insn.code & 0xf0) && usesRegister(insn) ? operand(state, insn.src) : immediateOf(insn.imm)
}

/** Leaves a free number in the register where all results are a range. */
function keepFree (state: State, insn: Insn, right: Scalar, is64: boolean): boolean {
  const operation = insn.code & 0xf0
  const { registers } = topFrame(state)
  const left = asScalar(registers[insn.dst])
  const range = freeRange(left)
  if (range === undefined || !hasRight(operation) || !isConstant(right) || !isAlone(state, insn.dst, left)) return false
  const result = rangeAfter(operation, is64 ? range : halfOf(range), right.bounds.bits, is64)
  if (result === undefined) return false
  registers[insn.dst] = freeNumber(result, { id: 0, from: union(left.from, right.from) })
  return true
}

/** Whether verifiers take the result for any number, whatever the operands are. */
function isForgotten (age: Age, operation: number): boolean {
  switch (operation) {
    case ALU.DIV: case ALU.MOD: return age.foldsDivision === 'no'
    case ALU.XOR: return age.foldsXor === 'no'
    case ALU.NEG: return age.foldsNegation === 'no'
    case ALU.END: return age.foldsByteSwap === 'no'
    default: return false
  }
}

/** A result that is not known is not free either. */
export function forgetFree (state: State, insn: Insn): void {
  if ((insn.code & 0xf0) === ALU.MOV) return
  const { registers } = topFrame(state)
  const value = registers[insn.dst]
  if (value?.kind === 'scalar' && !isConstant(value)) registers[insn.dst] = inexact(value)
}

/** A copy of a part of a register. */
function moveFree (choices: Choices, state: State, insn: Insn): boolean {
  const { registers } = topFrame(state)
  const value = registers[insn.src]
  const range = value?.kind === 'scalar' ? freeRange(value) : undefined
  if (value?.kind !== 'scalar' || range === undefined) return false
  if (insn.off === 0 && isAlone(state, insn.dst, value)) {
    registers[insn.dst] = freeNumber(halfOf(range), { id: 0, from: value.from })
    return true
  }
  chooseRegister(choices, state, insn.src)
  return false
}

/** Whether nothing that is read after this instruction has a free number, apart from the register that is written. */
function isAlone (state: State, written: number, value: Scalar): boolean {
  const { code, registers } = topFrame(state)
  const live = code.body.live()[state.pc + 1] ?? 0
  for (let r = 0; r < 10; r++) {
    const other = registers[r]
    if (r === written || (live >> r & 1) === 0 || other === undefined) continue
    if (other === value || (value.id !== 0 && idOf(other) === value.id)) return false
  }
  if (value.id === 0) return true
  const depth = state.frames.length - 1
  return state.frames.every((frame, i) =>
    (i === depth || !frame.registers.some(other => other !== undefined && idOf(other) === value.id)) &&
    !frame.stack.some(slot => slot?.value !== undefined && idOf(slot.value) === value.id))
}

const isMask = (bits: bigint): boolean => (bits & bits + 1n) === 0n

/** What the lower halves of the numbers of a range are: all of them, or at least some. */
function halfOf ({ low, high }: Range): Range {
  if (high - low >= U32) return { low: 0n, high: U32 }
  return (low >> 32n) === (high >> 32n) ? { low: low & U32, high: high & U32 } : { low: low & U32, high: U32 }
}

/** All results of an operation, where they are a range. @param right as u64 */
function rangeAfter (operation: number, { low, high }: Range, right: bigint, is64: boolean): Range | undefined {
  const top = is64 ? U64 : U32
  const by = right & top
  switch (operation) {
    case ALU.AND:
      if (!isMask(by)) return undefined
      if (high - low >= by) return { low: 0n, high: by }
      return (low & ~by) === (high & ~by) ? { low: low & by, high: high & by } : undefined
    case ALU.RSH: return by < (is64 ? 64n : 32n) ? { low: low >> by, high: high >> by } : undefined
    case ALU.ADD: return moved(low + by, high + by, top)
    case ALU.SUB: return moved(low - by + top + 1n, high - by + top + 1n, top)
    default: return undefined
  }
}

/** A range that may have moved around the end once. */
function moved (low: bigint, high: bigint, top: bigint): Range | undefined {
  if (high - low === top) return { low: 0n, high: top }
  return (low > top) === (high > top) ? { low: low & top, high: high & top } : undefined
}

/** What the left side may have been for a result. It need not be right: what is chosen is worked out again. */
function toReach (operation: number, result: bigint, right: bigint): bigint {
  switch (operation) {
    case ALU.ADD: return result - right
    case ALU.SUB: return result + right
    case ALU.XOR: return result ^ right
    case ALU.NEG: return -result
    case ALU.RSH: case ALU.ARSH: return right < 64n ? result << right : result
    case ALU.LSH: return right < 64n ? result >> right : result
    case ALU.MUL: return right === 0n ? result : result / right
    case ALU.DIV: return result * right
    default: return result
  }
}

/** Divisions of numbers without a sign: verifiers do not work them out, which does not matter to what happens. */
function divide (state: State, insn: Insn, operation: number, is64: boolean): boolean {
  if ((operation !== ALU.DIV && operation !== ALU.MOD) || insn.off !== 0) return false
  const left = topFrame(state).registers[insn.dst]
  const right = rightOf(state, insn)
  if (left?.kind !== 'scalar' || right?.kind !== 'scalar' || !isConstant(left) || !isConstant(right)) return false
  const top = is64 ? U64 : U32
  const [a, b] = [left.bounds.bits & top, right.bounds.bits & top]
  const result = operation === ALU.DIV ? b === 0n ? 0n : a / b : b === 0n ? a : a % b
  topFrame(state).registers[insn.dst] = constant(unsigned(result), union(left.from, right.from))
  return true
}
