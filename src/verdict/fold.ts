import { BPF_INSN, readInsn, type Insn } from '../insn/insn.js'
import { BPF_X, BpfClass, classOf } from '../insn/opcodes.js'
import type { Age } from './age.js'
import { ALU, compute } from './arithmetic.js'
import { NOT_KNOWN, REGISTERS, type Registers } from './arrivals.js'
import { decide, JMP } from './compare.js'
import { lowHalf } from './extend.js'
import type { Slots } from './flow.js'
import { immediateOf, type Scalar } from './scalar.js'

/** What a pass over a function makes of numbers in registers. */
export interface Folding {
  readonly age: Age
  readonly work: { left: number }
  readonly slots: Slots
  readonly registers: Registers
}

export const insnOf = ({ view, littleEndian }: Slots, index: number): Insn => readInsn(view, index * BPF_INSN.SIZE, littleEndian)

export const immOf = ({ view, littleEndian }: Slots, index: number): number =>
  view.getInt32(index * BPF_INSN.SIZE + BPF_INSN.imm, littleEndian)

export const offOf = ({ view, littleEndian }: Slots, index: number): number =>
  view.getInt16(index * BPF_INSN.SIZE + BPF_INSN.off, littleEndian)

export function set (registers: Registers, register: number, value: number): void {
  if (register < REGISTERS) registers[register] = value
}

/** What a register holds; r10, and what is not known, are negative. */
export const held = (registers: Registers, register: number): number => registers[register] ?? NOT_KNOWN

/** The number that a 64-bit load puts into its register. */
export function wideNumber ({ src, imm }: Insn, second: Insn | undefined): number {
  return src === 0 && second?.imm === 0 ? Math.max(imm, NOT_KNOWN) : NOT_KNOWN
}

function numberOf ({ bounds }: Scalar): number {
  return bounds.mask === 0n && bounds.bits <= BigInt(MOST) ? Number(bounds.bits) : NOT_KNOWN
}

/** The largest number that is the same in a register and in its lower half, signed or not. */
export const MOST = 0x7fffffff

/** Whether a verifier of that age decides a conditional jump, and how. */
export function outcomeOf (folding: Folding, index: number, opcode: number, dst: number, src: number): boolean | undefined {
  const { age, registers, work, slots } = folding
  const operation = opcode & 0xf0
  const left = held(registers, dst)
  const usesSource = (opcode & BPF_X) !== 0
  if (operation === JMP.JCOND || left < 0 || (usesSource && held(registers, src) < 0)) return undefined
  const right = usesSource ? held(registers, src) : immOf(slots, index)
  work.left--
  // Nearly all guards ask whether a number is zero; numbers are told apart here as `decide` tells constants apart.
  if (operation === JMP.JEQ || operation === JMP.JNE) {
    return age.sure.decidesBranches || left === right ? (left === right) === (operation === JMP.JEQ) : undefined
  }
  return decide(age.sure, operation, immediateOf(left), immediateOf(right), classOf(opcode) === BpfClass.JMP)
}

/** What an operation leaves in its register. */
export function resultOf (folding: Folding, index: number, opcode: number, dst: number, src: number): number {
  const { age, registers, work, slots } = folding
  const operation = opcode & 0xf0
  const is64 = classOf(opcode) === BpfClass.ALU64
  const usesSource = (opcode & BPF_X) !== 0
  if (operation === ALU.MOV) {
    const moved = usesSource ? held(registers, src) : immOf(slots, index)
    if (offOf(slots, index) !== 0) return NOT_KNOWN
    if (moved < 0) return usesSource && is64 ? moved : NOT_KNOWN
    return is64 || !usesSource ? moved : numberOf(lowHalf(age, immediateOf(moved)))
  }
  const left = held(registers, dst)
  if (left < 0 || (usesSource && held(registers, src) < 0)) return NOT_KNOWN
  if (operation === ALU.NEG || operation === ALU.END) return NOT_KNOWN
  const right = usesSource ? held(registers, src) : immOf(slots, index)
  work.left--
  const folded = right < 0 || age.foldsXor !== 'yes' ? undefined : foldSmall(operation, left, right)
  if (folded !== undefined) return folded <= MOST ? folded : NOT_KNOWN
  return numberOf(compute(age, operation, immediateOf(left), immediateOf(right), is64))
}

/**
 * What an operation of 64 or 32 bits makes of numbers up to MOST, as verifiers fold constants: past MOST, some number that is larger.
 * Undefined where that takes more than it costs to work it out with numbers of any size.
 */
function foldSmall (operation: number, left: number, right: number): number | undefined {
  switch (operation) {
    case ALU.ADD: return left + right
    case ALU.SUB: return left >= right ? left - right : MOST + 1
    case ALU.OR: return left | right
    case ALU.AND: return left & right
    case ALU.XOR: return left ^ right
    case ALU.RSH: case ALU.ARSH: return right < 32 ? left >> right : undefined
    case ALU.LSH: return left === 0 && right < 32 ? 0 : undefined
    default: return undefined
  }
}
