import type { ElfFunction } from '../elf/functions.js'
import { BPF_INSN, type Insn } from '../insn/insn.js'
import { accessSize, BPF_LD_IMM64, BpfClass, BpfMode, classOf, isCall, modeOf } from '../insn/opcodes.js'
import type { Age } from './age.js'
import {
  ADDRESS, createArrivals, joinAt, MAYBE_NULL, nextUnread, noneKnown, NOT_KNOWN, readAt, renewBefore, type Arrivals, type Registers
} from './arrivals.js'
import { isPoison, isReference, type Code, type Functions } from './code.js'
import { JMP } from './compare.js'
import { isLongJump } from './flow.js'
import { held, immOf, insnOf, MOST, offOf, outcomeOf, resultOf, set, wideNumber, type Folding } from './fold.js'
import { mayCallBack, mayGiveNull } from './helpers.js'
import { passPlain } from './plain.js'
import type { SymbolValues } from './symbols.js'

/** What a pass over a function finds that follows nothing but constants in registers, and joins all ways that meet. */
export interface Sweep {
  /** Poisoned instructions that it gets to, by index. The verifier gets to none besides, whatever the function is called with. */
  readonly poison: ReadonlySet<number>
  /**
   * Those of them before which no branch is open, so that the verifier must get there. Where a pointer that may be null is compared
   * with null, every verifier follows the way on which it is not.
   */
  readonly certain: readonly number[]
  /** Functions that are called, or whose address is taken, where it gets to; none where no subprogram is poisoned. */
  readonly callees: ReadonlySet<ElfFunction>
}

/** Passes over a function with loops. Each forgets what the turns of a loop change, so that few are needed. */
const MAX_ROUNDS = 16
/** Instructions that are passed in the time that one takes to explore. */
export const PASSED_A_STEP = 16

/** One pass over a function. An object, and small functions, since to compile one large function costs more than most passes. */
interface Pass extends Folding {
  readonly code: Code
  readonly functions: Functions
  /** Where it goes on behind poison. */
  readonly symbols: SymbolValues | undefined
  readonly arrivals: Arrivals
  readonly poison: Set<number>
  readonly certain: Set<number>
  readonly callees: Set<ElfFunction>
  /** Poisoned instructions of the function, after which nothing is left to find; undefined where it may call one that has some. */
  readonly all: number | undefined
  /** Whether the way that is passed is one that the verifier must follow. */
  isOnly: boolean
  /** Where ways begin that it need not follow. */
  readonly others: Set<number>
  /** The first instruction that the next round passes; the number of them where there is none. */
  first: number
}

/**
 * Passes over a function from its start to its end, and again over what a loop changes from its head on. Most guards compare a
 * number that the relocation wrote and need no more. Undefined where the rounds or the work do not suffice.
 *
 * @param work steps that are left to the object: one for each result that is worked out, and one for many instructions passed
 * @param symbols where it goes on behind poison, with a register that may hold anything: what is read of data that does not change is
 * known there, since nobody asks what that rests on
 */
export function sweep (
  code: Code, functions: Functions, age: Age, work: { left: number }, symbols?: SymbolValues
): Sweep | undefined {
  const { count, slots } = code.body
  const pass: Pass = {
    code,
    functions,
    age,
    work,
    slots,
    symbols,
    registers: noneKnown(),
    arrivals: createArrivals(count),
    poison: new Set(),
    certain: new Set(),
    callees: new Set(),
    all: mayCallPoisoned(code, functions) ? undefined : functions.poisonIn(code.fn).length,
    isOnly: true,
    others: new Set(),
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

function mayCallPoisoned ({ fn }: Code, functions: Functions): boolean {
  return functions.hasPoisonedSubprogram() && functions.references(fn).length > 0
}

/** Leaves all ways that are not passed yet. */
function end (pass: Pass): void {
  pass.arrivals.last = -1
  pass.first = pass.arrivals.count
}

function passRound (pass: Pass): void {
  const { registers, arrivals, slots, arrivals: { count } } = pass
  /** Whether control comes here from the instruction before, with something new. */
  let isGoingOn = pass.first === 0
  registers.fill(NOT_KNOWN)
  let i = pass.first
  pass.first = count
  while (i < count) {
    if (!isGoingOn) {
      i = nextUnread(arrivals, i)
      if (i > arrivals.last) return
    }
    if ((arrivals.places[i] ?? 0) !== 0) {
      if (isGoingOn) {
        joinAt(arrivals, i, registers)
        pass.isOnly = false
      } else if (pass.others.has(i)) {
        pass.isOnly = false
      }
      isGoingOn = readAt(arrivals, i, registers)
      if (!isGoingOn) {
        i++
        continue
      }
    }
    const from = i
    i = passPlain(slots, registers, arrivals, from)
    if (i === count || (i > from && (arrivals.places[i] ?? 0) !== 0)) continue
    const opcode = slots.bytes[i * BPF_INSN.SIZE] ?? 0
    isGoingOn = passOther(pass, i, opcode)
    i += opcode === BPF_LD_IMM64 ? 2 : 1
  }
}

/** Passes an instruction that takes more than most. Whether control goes on to the next one. */
function passOther (pass: Pass, index: number, opcode: number): boolean {
  const { registers, slots: { bytes, littleEndian } } = pass
  const named = bytes[index * BPF_INSN.SIZE + BPF_INSN.regs] ?? 0
  const dst = littleEndian ? named & 0xf : named >> 4
  const src = littleEndian ? named >> 4 : named & 0xf
  switch (classOf(opcode)) {
    case BpfClass.LDX:
      set(registers, dst, loadedOf(pass, index, opcode, src))
      return true
    case BpfClass.ALU: case BpfClass.ALU64:
      set(registers, dst, resultOf(pass, index, opcode, dst, src))
      return true
    case BpfClass.JMP: case BpfClass.JMP32: return passJump(pass, index, opcode, dst, src)
    case BpfClass.LD:
      passLoad(pass, index, opcode, dst)
      return true
    default: // an atomic operation
      set(registers, 0, NOT_KNOWN)
      set(registers, src, NOT_KNOWN)
      set(registers, dst, NOT_KNOWN)
      return true
  }
}

function passLoad (pass: Pass, index: number, opcode: number, dst: number): void {
  const { registers, code: { body }, slots, symbols } = pass
  if (opcode !== BPF_LD_IMM64) {
    registers.fill(NOT_KNOWN, 0, 6) // a packet load by the old instructions: a call in disguise
    return
  }
  refer(pass, index)
  if (!body.hasSymbol(index)) set(registers, dst, wideNumber(insnOf(slots, index), body.insnAt(index + 1)))
  else set(registers, dst, symbols === undefined ? NOT_KNOWN : ADDRESS - index)
}

/** What a load leaves in its register: a number where it reads data that does not change, and so is known to the verifier. */
function loadedOf ({ age, code: { body }, registers, slots, symbols }: Pass, index: number, opcode: number, src: number): number {
  const base = held(registers, src)
  if (base > ADDRESS || symbols === undefined || age.readsFrozenMaps !== 'yes' || modeOf(opcode) === BpfMode.MEMSX) return NOT_KNOWN
  const loadedAt = ADDRESS - base
  const symbol = body.symbolAt(loadedAt)
  const address = symbol === undefined || symbol.sectionIndex === 0 ? undefined : symbols.load(symbol, immOf(slots, loadedAt))
  if (address?.kind !== 'data' || address.offset === undefined) return NOT_KNOWN
  const number = address.data.numberAt(address.offset + offOf(slots, index), accessSize(opcode))
  return number === undefined || number > BigInt(MOST) ? NOT_KNOWN : Number(number)
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
  const target = targetAt(pass, index, opcode)
  if (taken === undefined) {
    if (goesOnUnlessNull(pass, index, opcode, dst)) pass.others.add(target)
    else pass.isOnly = false
  }
  if (taken !== false) arrive(pass, index, target)
  return taken !== true
}

function passCall (pass: Pass, index: number): boolean {
  const { registers, code: { body } } = pass
  const insn = insnOf(body.slots, index)
  if (!isCall(insn)) return false // the function's end
  if (isPoison(insn)) {
    pass.poison.add(index)
    if (pass.isOnly) pass.certain.add(index)
    if (pass.poison.size === pass.all) end(pass)
    if (pass.symbols === undefined || pass.poison.size === pass.all) return false
    forget(registers, insnOf(body.original(), index))
    return true
  }
  if (isReference(insn)) refer(pass, index)
  if (mayCallBack(insn)) pass.isOnly = false
  registers.fill(NOT_KNOWN, 0, 6)
  if (insn.src === 0 && mayGiveNull(insn.imm)) registers[0] = MAYBE_NULL
  return true
}

/** Whether a jump is taken where a pointer, or a number that may be any, is 0. */
function goesOnUnlessNull ({ registers, slots }: Pass, index: number, opcode: number, dst: number): boolean {
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

function refer ({ functions, code, callees, all }: Pass, index: number): void {
  if (all !== undefined) return
  const callee = functions.callee(code, index)
  if (callee !== undefined) callees.add(callee)
}

function targetAt ({ slots }: Pass, index: number, opcode: number): number {
  return index + 1 + (isLongJump(opcode) ? immOf(slots, index) : offOf(slots, index))
}

/** Forgets what the instruction that was poisoned sets. No verifier knows whether that is 0. */
function forget (registers: Registers, original: Insn): void {
  const kind = classOf(original.code)
  if (isCall(original)) registers.fill(NOT_KNOWN, 0, 6)
  else set(registers, original.dst, kind === BpfClass.ST || kind === BpfClass.STX ? NOT_KNOWN : MAYBE_NULL)
}
