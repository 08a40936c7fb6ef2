import type { ElfFunction } from '../elf/functions.js'
import { BPF_INSN, readInsn, type Insn } from '../insn/insn.js'
import { BPF_LD_IMM64, BPF_X, BpfClass, BpfMode, classOf, isCall, modeOf } from '../insn/opcodes.js'
import type { Age } from './age.js'
import { ALU, compute } from './arithmetic.js'
import {
  createArrivals, joinAt, MAYBE_NULL, nextUnread, noneKnown, NOT_KNOWN, readAt, REGISTERS, renewBefore, type Arrivals, type Registers
} from './arrivals.js'
import { isPoison, isReference, type Code, type Functions } from './code.js'
import { decide, JMP } from './compare.js'
import { lowHalf } from './extend.js'
import { isLongJump, type Slots } from './flow.js'
import { mayCallBack, mayGiveNull } from './helpers.js'
import { immediateOf, type Scalar } from './scalar.js'

/** What a pass over a function finds that follows nothing but constants in registers, and joins all ways that meet. */
export interface Sweep {
  /** Poisoned instructions that it gets to, by index. The verifier gets to none besides, whatever the function is called with. */
  readonly poison: ReadonlySet<number>
  /**
   * Those of them before which no branch is open, so that the verifier must get there. Where a pointer is compared with null, every
   * verifier follows the way on which it is not.
   */
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
  /** Poisoned instructions of the function, behind the last of which it matters no more what is passed; undefined where it does. */
  readonly all: number | undefined
  /** Whether the way that is passed is one that the verifier must follow. */
  isOnly: boolean
  /** Whether there is another one besides, which it need not follow. */
  hasOther: boolean
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
    all: passesPoison && !functions.hasPoisonedSubprogram() ? functions.poisonIn(code.fn).length : undefined,
    isOnly: true,
    hasOther: false,
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

/** Reads of each instruction only what it needs: to make an object of one costs more than to pass it. */
function passRound (pass: Pass): void {
  const { registers, arrivals, code: { body: { count, slots: { bytes, littleEndian } } } } = pass
  /** Whether control comes here from the instruction before, with something new. */
  let isGoingOn = pass.first === 0
  registers.fill(NOT_KNOWN)
  let i = pass.first
  pass.first = count
  for (; i < count; i++) {
    if (!isGoingOn) {
      i = nextUnread(arrivals, i)
      if (i > arrivals.last) return
    }
    if ((arrivals.places[i] ?? 0) !== 0) {
      if (isGoingOn) {
        joinAt(arrivals, i, registers)
        pass.isOnly = false
      } else if (pass.hasOther) {
        pass.isOnly = false
      }
      isGoingOn = readAt(arrivals, i, registers)
      if (!isGoingOn) continue
    }
    const opcode = bytes[i * BPF_INSN.SIZE] ?? 0
    const named = bytes[i * BPF_INSN.SIZE + BPF_INSN.regs] ?? 0
    const dst = littleEndian ? named & 0xf : named >> 4
    const src = littleEndian ? named >> 4 : named & 0xf
    switch (classOf(opcode)) {
      case BpfClass.LDX:
        set(registers, dst, NOT_KNOWN)
        break
      case BpfClass.ALU: case BpfClass.ALU64:
        set(registers, dst, resultOf(pass, i, opcode, dst, src))
        break
      case BpfClass.JMP: case BpfClass.JMP32:
        isGoingOn = passJump(pass, i, opcode, dst, src)
        break
      case BpfClass.LD:
        passLoad(pass, i, opcode, dst)
        if (opcode === BPF_LD_IMM64) i++
        break
      case BpfClass.STX:
        if (modeOf(opcode) !== BpfMode.ATOMIC) break
        set(registers, 0, NOT_KNOWN)
        set(registers, src, NOT_KNOWN)
        set(registers, dst, NOT_KNOWN)
        break
      default: // a plain store
    }
  }
}

function passLoad (pass: Pass, index: number, opcode: number, dst: number): void {
  const { registers, code: { body } } = pass
  if (opcode !== BPF_LD_IMM64) {
    registers.fill(NOT_KNOWN, 0, 6) // a packet load by the old instructions: a call in disguise
    return
  }
  refer(pass, index)
  set(registers, dst, body.hasSymbol(index) ? NOT_KNOWN : wideNumber(insnOf(body.slots, index), body.insnAt(index + 1)))
}

/** A jump, call or exit. Whether control goes on to the next instruction. */
function passJump (pass: Pass, index: number, opcode: number, dst: number, src: number): boolean {
  const operation = opcode & 0xf0
  if (operation === JMP.CALL || operation === JMP.EXIT) return passCall(pass, index)
  if (operation === JMP.JA) {
    arrive(pass, index, targetAt(pass, index, opcode))
    return false
  }
  const taken = outcomeOf(pass, index, opcode, dst, src)
  if (taken === undefined) {
    if (goesOnUnlessNull(pass, index, opcode, dst)) pass.hasOther = true
    else pass.isOnly = false
  }
  if (taken !== false) arrive(pass, index, targetAt(pass, index, opcode))
  return taken !== true
}

function passCall (pass: Pass, index: number): boolean {
  const { registers, code: { body } } = pass
  const insn = insnOf(body.slots, index)
  if (!isCall(insn)) return false // the function's end
  if (isPoison(insn)) {
    pass.poison.add(index)
    if (pass.isOnly) pass.certain.add(index)
    if (!pass.passesPoison || pass.certain.size === pass.all) return false
    forget(registers, insnOf(body.original(), index))
    return true
  }
  if (isReference(insn)) refer(pass, index)
  if (mayCallBack(insn)) pass.isOnly = false
  registers.fill(NOT_KNOWN, 0, 6)
  if (insn.src === 0 && mayGiveNull(insn.imm)) registers[0] = MAYBE_NULL
  return true
}

/** Whether a jump is taken where a pointer is null. */
function goesOnUnlessNull ({ registers, code: { body: { slots } } }: Pass, index: number, opcode: number, dst: number): boolean {
  return opcode === (BpfClass.JMP | JMP.JEQ) && held(registers, dst) === MAYBE_NULL && immOf(slots, index) === 0
}

function arrive (pass: Pass, from: number, target: number): void {
  const { arrivals } = pass
  if (target < 0 || target >= arrivals.count) return
  const isFirst = (arrivals.places[target] ?? 0) === 0
  const isNew = joinAt(arrivals, target, pass.registers)
  if (target > from) return
  pass.isOnly = false
  // What the instruction before it led to was not kept there, so that it has to be passed again.
  if (isNew) pass.first = Math.min(pass.first, isFirst ? renewBefore(arrivals, target) : target)
}

function refer ({ functions, code, callees }: Pass, index: number): void {
  const callee = functions.callee(code, index)
  if (callee !== undefined) callees.add(callee)
}

const insnOf = ({ view, littleEndian }: Slots, index: number): Insn => readInsn(view, index * BPF_INSN.SIZE, littleEndian)

const immOf = ({ view, littleEndian }: Slots, index: number): number =>
  view.getInt32(index * BPF_INSN.SIZE + BPF_INSN.imm, littleEndian)

const offOf = ({ view, littleEndian }: Slots, index: number): number =>
  view.getInt16(index * BPF_INSN.SIZE + BPF_INSN.off, littleEndian)

function targetAt ({ code: { body: { slots } } }: Pass, index: number, opcode: number): number {
  return index + 1 + (isLongJump(opcode) ? immOf(slots, index) : offOf(slots, index))
}

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
function outcomeOf (pass: Pass, index: number, opcode: number, dst: number, src: number): boolean | undefined {
  const { age, registers, work, code: { body: { slots } } } = pass
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
function resultOf (pass: Pass, index: number, opcode: number, dst: number, src: number): number {
  const { age, registers, work, code: { body: { slots } } } = pass
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
