import type { Insn } from '../insn/insn.js'
import { accessSize, BPF_LD_IMM64, BpfClass, BpfMode, classOf, isCall, modeOf } from '../insn/opcodes.js'
import { ALU, compute, swapBytes } from './arithmetic.js'
import { branch } from './branch.js'
import { call, leave } from './calls.js'
import { isConditional, isJump, usesRegister } from './code.js'
import { targetOf } from './flow.js'
import { clobberAll, fork, newId, operand, type Run } from './run.js'
import { fits, lowHalf, signExtend } from './extend.js'
import { computeFree, forgetFree } from './free-results.js'
import { loadFree, storeFree } from './free-stack.js'
import { chooseRegister, chosen } from './free.js'
import {
  constant, immediateOf, inexact, isChosen, isConstant, ofSize, scalar, scalarWithId, UNKNOWN, VAGUE, vagueOfSize, ZERO, type Scalar
} from './scalar.js'
import { load, overwrite, store } from './stack.js'
import { ownStack, topFrame, type State } from './state.js'
import { signed, U32 } from './tnum.js'
import { asScalar, dataPointer, functionPointer, pointerOf, pointerWithId, stackPointer, UNCLEAR, withId, type Value } from './value.js'

/** What an atomic operation does besides storing. */
const ATOMIC = { FETCH: 1, CMPXCHG: 0xf1, LOAD_ACQ: 0x100, STORE_REL: 0x110 } as const

/** Follows one instruction. False where the state ends: at poison, at the program's end, or where the verifier refuses. */
export function step (run: Run, state: State, insn: Insn): boolean {
  switch (classOf(insn.code)) {
    case BpfClass.LD: return loadImmediate(run, state, insn)
    case BpfClass.LDX:
      setRegister(state, insn.dst, loadFrom(run, state, insn))
      state.pc++
      return true
    case BpfClass.ST: case BpfClass.STX:
      storeTo(run, state, insn)
      state.pc++
      return true
    case BpfClass.ALU: case BpfClass.ALU64:
      alu(run, state, insn)
      state.pc++
      return true
    default: return jump(run, state, insn)
  }
}

function jump (run: Run, state: State, insn: Insn): boolean {
  if (isCall(insn)) return call(run, state, insn)
  if (isConditional(insn)) {
    branch(run, state, insn)
    return true
  }
  if (isJump(insn)) {
    state.pc = targetOf(insn, state.pc)
    return true
  }
  return leave(run, state)
}

function setRegister (state: State, register: number, value: Value | undefined): void {
  if (register < 10) topFrame(state).registers[register] = value
}

function loadImmediate (run: Run, state: State, insn: Insn): boolean {
  if (insn.code !== BPF_LD_IMM64) {
    // A packet load by the old instructions: a call in disguise.
    const frame = topFrame(state)
    for (let r = 1; r <= 5; r++) frame.registers[r] = undefined
    frame.registers[0] = UNKNOWN
    state.pc++
    return true
  }
  const { code } = topFrame(state)
  const second = code.body.insnAt(state.pc + 1)
  if (second === undefined) return false
  setRegister(state, insn.dst, immediate(run, state, insn, second))
  state.pc += 2
  return true
}

function immediate (run: Run, state: State, insn: Insn, second: Insn): Value {
  const { code } = topFrame(state)
  const symbol = code.body.symbolAt(state.pc)
  if (symbol !== undefined) {
    const target = run.functions.callee(code, state.pc)
    return target === undefined ? run.symbols.load(symbol, insn.imm) : functionPointer(run.functions.codeOf(target))
  }
  if (insn.src !== 0) return UNCLEAR
  if (second.imm === 0 && insn.imm >= 0) return immediateOf(insn.imm)
  return constant(BigInt(second.imm) << 32n | BigInt(insn.imm) & U32)
}

function loadFrom (run: Run, state: State, insn: Insn): Value {
  const size = accessSize(insn.code)
  const value = loadZeroExtended(run, state, insn, size)
  if (modeOf(insn.code) !== BpfMode.MEMSX) return value
  const number = value.kind !== 'scalar' ? vagueOfSize(size) : run.choices === undefined ? value : chosen(run.choices, state, value)
  return signExtend(run.age, scalar(number.bounds, { ...number, id: 0, related: number.id }), size, true)
}

function loadZeroExtended (run: Run, state: State, insn: Insn, size: number): Value {
  const base = operand(state, insn.src)
  if (base === undefined) return size === 8 ? UNCLEAR : vagueOfSize(size)
  switch (base.kind) {
    case 'stack': {
      const stack = state.frames[base.frame]?.stack
      if (stack === undefined || base.offset === undefined) return size === 8 ? UNCLEAR : vagueOfSize(size)
      const offset = base.offset + insn.off
      if (run.choices !== undefined) return loadFree(run.choices, state, { depth: base.frame, offset, size }, run.littleEndian)
      return load(run.age, run.littleEndian, stack, offset, size)
    }
    case 'data': {
      if (run.age.readsFrozenMaps === 'no') return ofSize(size)
      const known = base.offset === undefined ? undefined : base.data.read(base.offset + insn.off, size)
      if (known === undefined) return ofSize(size, { exact: base.offset === undefined && run.choices === undefined })
      return run.age.readsFrozenMaps === 'yes' ? known : ofSize(size, { exact: false, from: known.from })
    }
    case 'pointer': return size === 8 && base.deep ? pointerWithId(UNCLEAR, newId(run)) : ofSize(size)
    default: return size === 8 ? UNCLEAR : ofSize(size)
  }
}

function storeTo (run: Run, state: State, insn: Insn): void {
  const isStx = classOf(insn.code) === BpfClass.STX
  const base = operand(state, insn.dst)
  const size = accessSize(insn.code)
  const isAtomic = isStx && modeOf(insn.code) === BpfMode.ATOMIC
  if (isAtomic && insn.imm === ATOMIC.LOAD_ACQ) {
    setRegister(state, insn.dst, size === 8 ? UNCLEAR : vagueOfSize(size))
    return
  }
  if (isAtomic && insn.imm !== ATOMIC.STORE_REL && (insn.imm & ATOMIC.FETCH) !== 0) {
    const traits = { exact: base?.kind === 'pointer' }
    setRegister(state, insn.imm === ATOMIC.CMPXCHG ? 0 : insn.src, ofSize(size, traits))
  }
  if (base === undefined || base.kind === 'scalar') {
    clobberAll(state)
    return
  }
  if (base.kind !== 'stack') return
  const frame = state.frames[base.frame]
  if (frame === undefined) return
  if (base.offset === undefined) {
    clobberAll(state)
    return
  }
  const offset = base.offset + insn.off
  if (isAtomic) {
    overwrite(ownStack(frame), offset)
    return
  }
  if (run.choices !== undefined && isStx && size < 8) chooseRegister(run.choices, state, insn.src)
  const value = isStx ? spilled(run, state, insn.src, size) : immediateOf(insn.imm)
  if (run.choices !== undefined) {
    storeFree(run.choices, state, { depth: base.frame, offset, size }, run.littleEndian, value ?? VAGUE, !isStx)
    return
  }
  store(run.age, run.littleEndian, ownStack(frame), offset, size, value ?? VAGUE, !isStx)
}

/** The register's value; a number gets an id where the verifier narrows it and its copy on the stack together. */
function spilled (run: Run, state: State, register: number, size: number): Value | undefined {
  const value = operand(state, register)
  if (value?.kind !== 'scalar' || isConstant(value)) return value
  if (run.age.linksSpills === 'no' || !fits(value, size)) return value
  const copy = linked(run, state, register)
  return run.age.linksSpills === 'yes' || copy?.kind !== 'scalar' ? copy : loosened(copy)
}

function alu (run: Run, state: State, insn: Insn): void {
  if (run.choices === undefined) calculate(run, state, insn)
  else if (!computeFree(run.choices, state, insn)) {
    calculate(run, state, insn)
    forgetFree(state, insn)
  }
}

function calculate (run: Run, state: State, insn: Insn): void {
  const is64 = classOf(insn.code) === BpfClass.ALU64
  const operation = insn.code & 0xf0
  if (operation === ALU.MOV) {
    setRegister(state, insn.dst, move(run, state, insn, is64))
    return
  }
  const left = operand(state, insn.dst)
  if (operation === ALU.END) {
    // ALU swaps towards one byte order; ALU64 swaps always.
    const swaps = is64 || usesRegister(insn) === run.littleEndian
    // Verifiers refuse other widths, which is not about relocation.
    const isKnown = insn.imm === 16 || insn.imm === 32 || insn.imm === 64
    setRegister(state, insn.dst, left?.kind === 'scalar' && isKnown ? swapBytes(run.age, left, insn.imm, swaps) : VAGUE)
    return
  }
  const right = operation === ALU.NEG ? ZERO : usesRegister(insn) ? operand(state, insn.src) : immediateOf(insn.imm)
  if (left?.kind === 'scalar' && right?.kind === 'scalar') {
    setRegister(state, insn.dst, compute(run.age, operation, forkSigns(run, state, operation, left, right, insn), right, is64))
    return
  }
  setRegister(state, insn.dst, is64 ? pointerArithmetic(operation, left, right) : lowHalf(run.age, VAGUE))
}

/** A number that is 0 or -1, as a comparison without a jump leaves it, is followed for each by newer verifiers. */
function forkSigns (run: Run, state: State, operation: number, left: Scalar, right: Scalar, insn: Insn): Scalar {
  if ((operation !== ALU.AND && operation !== ALU.OR) || !isConstant(right) || isConstant(left)) return left
  const { smin, smax, smin32, smax32 } = left.bounds
  const isWhole = smin === -1n && smax === 0n
  if (!isWhole && !(smin32 === -1n && smax32 === 0n)) return left
  if (run.age.forksSigns === 'no') return left
  if (run.age.forksSigns === 'maybe' || !isWhole) return inexact(left)
  setRegister(fork(run, state, state.pc, null), insn.dst, constant(0n, left.from))
  return constant(-1n, left.from)
}

function pointerArithmetic (operation: number, left: Value | undefined, right: Value | undefined): Value | undefined {
  const isLeft = left !== undefined && left.kind !== 'scalar'
  const pointer = isLeft ? left : right
  const other = isLeft ? right : left
  if (pointer === undefined || other === undefined) return undefined
  if (operation === ALU.SUB && other.kind !== 'scalar') return VAGUE
  if (operation !== ALU.ADD && operation !== ALU.SUB) {
    if (pointer.kind === 'stack' || pointer.kind === 'data') return undefined
    return pointer.kind === 'pointer' && pointer.null === 'unclear' ? VAGUE : pointer
  }
  if (pointer.kind === 'stack' || pointer.kind === 'data') {
    // Where a chosen number leads on the stack, verifiers do not know what is written.
    const isKnown = other.kind === 'scalar' && isConstant(other) && !(pointer.kind === 'stack' && isChosen(other))
    const by = isKnown ? Number(signed(other.bounds.bits)) : undefined
    const offset = by === undefined || pointer.offset === undefined
      ? undefined
      : operation === ALU.ADD ? pointer.offset + by : pointer.offset - by
    return pointer.kind === 'stack' ? stackPointer(pointer.frame, offset) : dataPointer(pointer.data, offset)
  }
  if (pointer.kind !== 'pointer') return undefined
  return pointerOf(pointer.null === 'no' ? 'no' : 'unclear', pointer.isOfMemory, pointer.deep)
}

function move (run: Run, state: State, insn: Insn, is64: boolean): Value | undefined {
  if (!usesRegister(insn)) return is64 || insn.imm >= 0 ? immediateOf(insn.imm) : constant(BigInt(insn.imm) & U32)
  if (is64 && insn.off === 0) return linked(run, state, insn.src)
  if (is64 && insn.off === 1) return UNCLEAR
  const number = operand(state, insn.src)
  if (number?.kind !== 'scalar') return lowHalf(run.age, VAGUE)
  // The low half of a number that has no more is a copy of it, too.
  const isCopy = insn.off === 0 ? !is64 && fits(number, 4) : number.bounds.umax < 1n << BigInt(insn.off - 1)
  const source = isCopy && run.age.linksHalves !== 'no' ? asScalar(linked(run, state, insn.src)) : unlinked(number)
  const copy = isCopy && run.age.linksHalves === 'maybe' ? loosened(source) : source
  if (insn.off !== 0) return signExtend(run.age, copy, insn.off / 8, is64)
  return lowHalf(run.age, copy)
}

/** A copy that only some verifiers narrow with the number. */
const loosened = (copy: Scalar): Scalar => scalar(copy.bounds, { ...copy, id: 0, related: copy.id, exact: false })

const unlinked = (value: Scalar): Scalar => value.id === 0 ? value : scalarWithId(value, 0)

/** The register's value, marked as one that has a copy. */
function linked (run: Run, state: State, register: number): Value | undefined {
  const value = operand(state, register)
  if (value === undefined || value.kind === 'stack' || value.kind === 'data' || value.kind === 'function') return value
  if (value.kind === 'scalar' ? value.id !== 0 || isConstant(value) : value.id !== 0 || value.null === 'no') return value
  const copy = withId(value, newId(run))
  setRegister(state, register, copy)
  return copy
}
