import type { ElfFunction } from '../elf/functions.js'
import { BPF_INSN, readInsn, type Insn } from '../insn/insn.js'
import { BPF_LD_IMM64, BpfClass, BpfMode, classOf, isCall, isJumpClass, modeOf } from '../insn/opcodes.js'
import type { Age } from './age.js'
import { ALU, compute } from './arithmetic.js'
import { isConditional, isJump, isPoison, isReference, usesRegister, type Code, type Functions } from './code.js'
import { decide, JMP } from './compare.js'
import { lowHalf } from './extend.js'
import { targetOf } from './flow.js'
import { mayCallBack } from './helpers.js'
import { immediateOf, type Scalar } from './scalar.js'

/** What a pass over a function finds that follows nothing but constants in registers, and joins all ways that meet. */
export interface Sweep {
  /** Poisoned instructions that it gets to, by index. The verifier gets to none besides, whatever the function is called with. */
  readonly poison: ReadonlySet<number>
  /** Those of them before which no branch is open, so that the verifier must get there. */
  readonly certain: readonly number[]
  /** Functions that are called, or whose address is taken, where it gets to. */
  readonly callees: ReadonlySet<ElfFunction>
}

/**
 * What r0 to r9 hold: a number, or -1 where that is not known. Guards compare small numbers; others are left to those who explore
 * what remains.
 */
type Registers = number[]

const NOT_KNOWN = -1

/** Passes over a function with loops. Each forgets what the turns of a loop change, so that few are needed. */
const MAX_ROUNDS = 16
/** Instructions that are passed in the time that one takes to explore. */
export const PASSED_A_STEP = 16

/**
 * Passes over a function from its start to its end, and again where a loop changes what is known at its head. Most guards compare a
 * number that the relocation wrote and need no more. Undefined where the rounds or the work do not suffice.
 *
 * @param work steps that are left to the object: one for each result that is worked out, and one for many instructions passed
 * @param passesPoison whether it goes on behind poison, with a register of which nothing is known
 */
export function sweep (
  code: Code, functions: Functions, age: Age, work: { left: number }, passesPoison = false
): Sweep | undefined {
  const { body } = code
  const { bytes, view, littleEndian } = body.slots
  const poison = new Set<number>()
  const callees = new Set<ElfFunction>()
  /** What is known where jumps lead to, of all ways there together. */
  let arrivals: Array<Registers | undefined> = []
  const certain = new Set<number>()
  /** Whether only one way was found so far. */
  let isOnly = true
  let isSettled = false

  const arrive = (from: number, target: number, registers: Registers): void => {
    if (target < 0 || target >= body.count) return
    if (arrivals.length === 0) arrivals = new Array<undefined>(body.count).fill(undefined)
    const known = arrivals[target]
    if (known === undefined) arrivals[target] = registers.slice()
    const isNew = known === undefined || joinInto(known, registers)
    if (target > from) return
    isOnly = false
    if (isNew) isSettled = false
  }

  const refer = (index: number): void => {
    const callee = functions.callee(code, index)
    if (callee !== undefined) callees.add(callee)
  }

  for (let round = 0; round < MAX_ROUNDS && !isSettled; round++) {
    isSettled = true
    work.left -= Math.ceil(body.count / PASSED_A_STEP)
    if (work.left < 0) return undefined
    let registers: Registers | undefined = new Array<number>(10).fill(NOT_KNOWN)
    for (let i = 0; i < body.count; i++) {
      const arrived = arrivals[i]
      if (arrived !== undefined) {
        if (registers !== undefined) {
          joinInto(arrived, registers)
          isOnly = false
        }
        registers = arrived.slice()
      }
      if (registers === undefined) continue
      const at = i * BPF_INSN.SIZE
      const opcode = bytes[at] ?? 0
      if (classOf(opcode) === BpfClass.LDX) {
        const named = bytes[at + BPF_INSN.regs] ?? 0
        set(registers, littleEndian ? named & 0xf : named >> 4, NOT_KNOWN)
        continue
      }
      if (isPlainStore(opcode)) continue
      const insn = readInsn(view, at, littleEndian)
      if (opcode === BPF_LD_IMM64) {
        refer(i)
        set(registers, insn.dst, body.hasSymbol(i) ? NOT_KNOWN : wideNumber(insn, body.insnAt(i + 1)))
        i++
      } else if (!isJumpClass(opcode)) {
        follow(age, registers, insn, work)
      } else if (isConditional(insn)) {
        const taken = outcomeOf(age, registers, insn, work)
        if (taken === undefined) isOnly = false
        if (taken !== false) arrive(i, targetOf(insn, i), registers)
        if (taken === true) registers = undefined
      } else if (isJump(insn)) {
        arrive(i, targetOf(insn, i), registers)
        registers = undefined
      } else if (isPoison(insn)) {
        poison.add(i)
        if (isOnly) certain.add(i)
        if (!passesPoison) registers = undefined
        else forget(registers, body.originalAt(i))
      } else if (isCall(insn)) {
        if (isReference(insn)) refer(i)
        if (mayCallBack(insn)) isOnly = false
        registers.fill(NOT_KNOWN, 0, 6)
      } else {
        registers = undefined // the function's end
      }
    }
    isOnly = false
  }
  return isSettled ? { poison, certain: [...certain], callees } : undefined
}

const isPlainStore = (opcode: number): boolean =>
  classOf(opcode) === BpfClass.ST || (classOf(opcode) === BpfClass.STX && modeOf(opcode) !== BpfMode.ATOMIC)

/** Joins what is known on another way into it. Whether that changed it. */
function joinInto (known: Registers, other: Registers): boolean {
  let changed = false
  for (let r = 0; r < known.length; r++) {
    if (known[r] === NOT_KNOWN || known[r] === other[r]) continue
    known[r] = NOT_KNOWN
    changed = true
  }
  return changed
}

function set (registers: Registers, register: number, value: number): void {
  if (register < registers.length) registers[register] = value
}

/** Forgets what the instruction that was poisoned sets. */
function forget (registers: Registers, original: Insn): void {
  if (isCall(original)) registers.fill(NOT_KNOWN, 0, 6)
  else set(registers, original.dst, NOT_KNOWN)
}

/** What a register holds; r10, and what is not known, are negative. */
const held = (registers: Registers, register: number): number => registers[register] ?? NOT_KNOWN

/** The number that a 64-bit load puts into its register. */
function wideNumber ({ src, imm }: Insn, second: Insn | undefined): number {
  return src === 0 && second?.imm === 0 ? Math.max(imm, NOT_KNOWN) : NOT_KNOWN
}

function numberOf ({ bounds }: Scalar): number {
  return bounds.mask === 0n && bounds.bits <= MOST ? Number(bounds.bits) : NOT_KNOWN
}

/** The largest number that is the same in a register and in its lower half, signed or not. */
const MOST = 0x7fffffffn

/** Whether a verifier of that age decides a conditional jump, and how. */
function outcomeOf (age: Age, registers: Registers, insn: Insn, work: { left: number }): boolean | undefined {
  const operation = insn.code & 0xf0
  const left = held(registers, insn.dst)
  const right = usesRegister(insn) ? held(registers, insn.src) : insn.imm
  if (operation === JMP.JCOND || left === NOT_KNOWN || (usesRegister(insn) && right === NOT_KNOWN)) return undefined
  work.left--
  // Nearly all guards ask whether a number is zero; numbers are told apart here as `decide` tells constants apart.
  if (operation === JMP.JEQ || operation === JMP.JNE) {
    return age.sure.decidesBranches || left === right ? (left === right) === (operation === JMP.JEQ) : undefined
  }
  return decide(age.sure, operation, immediateOf(left), immediateOf(right), classOf(insn.code) === BpfClass.JMP)
}

/** What an instruction that goes on to the next leaves in the registers, if it is neither a load nor a plain store. */
function follow (age: Age, registers: Registers, insn: Insn, work: { left: number }): void {
  switch (classOf(insn.code)) {
    case BpfClass.LD: // a packet load by the old instructions: a call in disguise
      registers.fill(NOT_KNOWN, 0, 6)
      break
    case BpfClass.STX: // an atomic operation
      for (const register of [0, insn.src, insn.dst]) set(registers, register, NOT_KNOWN)
      break
    case BpfClass.ALU: case BpfClass.ALU64:
      set(registers, insn.dst, resultOf(age, registers, insn, work))
      break
    default:
  }
}

function resultOf (age: Age, registers: Registers, insn: Insn, work: { left: number }): number {
  const operation = insn.code & 0xf0
  const is64 = classOf(insn.code) === BpfClass.ALU64
  const right = usesRegister(insn) ? held(registers, insn.src) : insn.imm
  if (operation === ALU.MOV) {
    if (right < 0 || insn.off !== 0) return NOT_KNOWN
    return is64 || !usesRegister(insn) ? right : numberOf(lowHalf(age, immediateOf(right)))
  }
  const left = held(registers, insn.dst)
  if (left === NOT_KNOWN || (usesRegister(insn) && right === NOT_KNOWN)) return NOT_KNOWN
  if (operation === ALU.NEG || operation === ALU.END) return NOT_KNOWN
  work.left--
  return numberOf(compute(age, operation, immediateOf(left), immediateOf(right), is64))
}
