import type { ElfFunction } from '../elf/functions.js'
import { BPF_INSN, readInsn, type Insn } from '../insn/insn.js'
import { BPF_LD_IMM64, BpfClass, BpfMode, classOf, isCall, isJumpClass, modeOf } from '../insn/opcodes.js'
import type { Age } from './age.js'
import { ALU, compute } from './arithmetic.js'
import { createArrivals, noneKnown, NOT_KNOWN, REGISTERS, type Arrivals, type Registers } from './arrivals.js'
import { isConditional, isJump, isPoison, isReference, usesRegister, type Code, type Functions } from './code.js'
import { decide, JMP } from './compare.js'
import { lowHalf } from './extend.js'
import { targetOf, type Slots } from './flow.js'
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

/** Passes over a function with loops. Each forgets what the turns of a loop change, so that few are needed. */
const MAX_ROUNDS = 16
/** Instructions that are passed in the time that one takes to explore. */
export const PASSED_A_STEP = 16

/** One pass over a function. An object, and small functions, since to compile one large function costs more than most passes. */
interface Pass {
  readonly code: Code
  readonly functions: Functions
  readonly age: Age
  readonly work: { left: number }
  readonly passesPoison: boolean
  readonly registers: Registers
  readonly arrivals: Arrivals
  readonly poison: Set<number>
  readonly certain: Set<number>
  readonly callees: Set<ElfFunction>
  /** Whether only one way was found so far. */
  isOnly: boolean
  /** The first instruction that the next round passes; the number of them where there is none. */
  first: number
}

/**
 * Passes over a function from its start to its end, and again over what a loop changes from its head on. Most guards compare a
 * number that the relocation wrote and need no more. Undefined where the rounds or the work do not suffice.
 *
 * @param work steps that are left to the object: one for each result that is worked out, and one for many instructions passed
 * @param passesPoison whether it goes on behind poison, with a register of which nothing is known
 */
export function sweep (
  code: Code, functions: Functions, age: Age, work: { left: number }, passesPoison = false
): Sweep | undefined {
  const { count } = code.body
  const pass: Pass = {
    code,
    functions,
    age,
    work,
    passesPoison,
    registers: noneKnown(),
    arrivals: createArrivals(count),
    poison: new Set(),
    certain: new Set(),
    callees: new Set(),
    isOnly: true,
    first: 0
  }
  for (let round = 0; round < MAX_ROUNDS && pass.first < count; round++) {
    work.left -= Math.ceil((count - pass.first) / PASSED_A_STEP)
    if (work.left < 0) return undefined
    passRound(pass)
    pass.isOnly = false
  }
  const { poison, certain, callees, first } = pass
  return first === count ? { poison, certain: [...certain], callees } : undefined
}

function passRound (pass: Pass): void {
  const { registers, arrivals, code: { body: { count, slots: { bytes, littleEndian } } } } = pass
  /** Whether control comes here from the instruction before, with something new. */
  let isGoingOn = pass.first === 0
  registers.fill(NOT_KNOWN)
  let i = pass.first
  pass.first = count
  for (; i < count; i++) {
    if (arrivals.isAt(i)) {
      if (isGoingOn) {
        arrivals.join(i, registers)
        pass.isOnly = false
      }
      isGoingOn = arrivals.read(i, registers)
    }
    if (!isGoingOn) continue
    const opcode = bytes[i * BPF_INSN.SIZE] ?? 0
    if (classOf(opcode) === BpfClass.LDX) {
      const named = bytes[i * BPF_INSN.SIZE + BPF_INSN.regs] ?? 0
      set(registers, littleEndian ? named & 0xf : named >> 4, NOT_KNOWN)
    } else if (isJumpClass(opcode)) {
      isGoingOn = passJump(pass, i)
    } else if (!isPlainStore(opcode)) {
      passOther(pass, i)
      if (opcode === BPF_LD_IMM64) i++
    }
  }
}

const isPlainStore = (opcode: number): boolean =>
  classOf(opcode) === BpfClass.ST || (classOf(opcode) === BpfClass.STX && modeOf(opcode) !== BpfMode.ATOMIC)

/** An instruction that goes on to the next, if it is neither a load from memory nor a plain store. */
function passOther (pass: Pass, index: number): void {
  const { registers, age, work, code: { body } } = pass
  const insn = insnOf(body.slots, index)
  switch (classOf(insn.code)) {
    case BpfClass.LD:
      if (insn.code !== BPF_LD_IMM64) {
        registers.fill(NOT_KNOWN, 0, 6) // a packet load by the old instructions: a call in disguise
        break
      }
      refer(pass, index)
      set(registers, insn.dst, body.hasSymbol(index) ? NOT_KNOWN : wideNumber(insn, body.insnAt(index + 1)))
      break
    case BpfClass.STX: // an atomic operation
      set(registers, 0, NOT_KNOWN)
      set(registers, insn.src, NOT_KNOWN)
      set(registers, insn.dst, NOT_KNOWN)
      break
    default: set(registers, insn.dst, resultOf(age, registers, insn, work))
  }
}

/** A jump, call or exit. Whether control goes on to the next instruction. */
function passJump (pass: Pass, index: number): boolean {
  const { registers, age, work, code: { body } } = pass
  const insn = insnOf(body.slots, index)
  if (isConditional(insn)) {
    const taken = outcomeOf(age, registers, insn, work)
    if (taken === undefined) pass.isOnly = false
    if (taken !== false) arrive(pass, index, targetOf(insn, index))
    return taken !== true
  }
  if (isJump(insn)) {
    arrive(pass, index, targetOf(insn, index))
    return false
  }
  if (!isCall(insn)) return false // the function's end
  if (isPoison(insn)) {
    pass.poison.add(index)
    if (pass.isOnly) pass.certain.add(index)
    if (pass.passesPoison) forget(registers, insnOf(body.original, index))
    return pass.passesPoison
  }
  if (isReference(insn)) refer(pass, index)
  if (mayCallBack(insn)) pass.isOnly = false
  registers.fill(NOT_KNOWN, 0, 6)
  return true
}

function arrive (pass: Pass, from: number, target: number): void {
  if (target < 0 || target >= pass.code.body.count) return
  const { arrivals } = pass
  const isFirst = !arrivals.isAt(target)
  const isNew = arrivals.join(target, pass.registers)
  if (target > from) return
  pass.isOnly = false
  // What the instruction before it led to was not kept there, so that it has to be passed again.
  if (isNew) pass.first = Math.min(pass.first, isFirst ? arrivals.renewBefore(target) : target)
}

function refer ({ functions, code, callees }: Pass, index: number): void {
  const callee = functions.callee(code, index)
  if (callee !== undefined) callees.add(callee)
}

const insnOf = ({ view, littleEndian }: Slots, index: number): Insn => readInsn(view, index * BPF_INSN.SIZE, littleEndian)

function set (registers: Registers, register: number, value: number): void {
  if (register < REGISTERS) registers[register] = value
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
  return bounds.mask === 0n && bounds.bits <= BigInt(MOST) ? Number(bounds.bits) : NOT_KNOWN
}

/** The largest number that is the same in a register and in its lower half, signed or not. */
const MOST = 0x7fffffff

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

/** What an operation leaves in its register. */
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
