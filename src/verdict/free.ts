import { BPF_INSN } from '../insn/insn.js'
import { BPF_X, isJumpClass } from '../insn/opcodes.js'
import { ageOfExecution, type Age } from './age.js'
import { ANY_NUMBER } from './bounds.js'
import type { Code } from './code.js'
import { CHOSEN, constant, isConstant, scalar, union, type Scalar } from './scalar.js'
import { mapSlot, slotIndex } from './stack.js'
import { mapValues, ownStack, topFrame, type State } from './state.js'
import { U64, unsigned } from './tnum.js'

/*
 * Numbers of an execution: constants; numbers of which nothing is known here, which are not exact; and free ones, which are exact. Each
 * number of a free one's range can come up, whatever the others are. Copies of it have its id.
 */

/** Both ends, as u64, belong to it. */
export interface Range {
  readonly low: bigint
  readonly high: bigint
}

/** How an execution's numbers are chosen: at random, the same at each judgement. */
export interface Choices {
  /** Of the verifier. */
  readonly age: Age
  /** By which numbers are worked out: see ageOfExecution. */
  readonly ageOfNumbers: Age
  /** A whole number below n. */
  readonly below: (n: number) => number
  /** Whether something was chosen since it was last set to false. */
  made: boolean
  /** Whether the shorter way to poison is taken where there are two. */
  isDirect: boolean
}

export function createChoices (age: Age): Choices {
  let state = 0x9e3779b9
  const choices: Choices = {
    age,
    ageOfNumbers: ageOfExecution(age),
    made: false,
    isDirect: true,
    below (n) {
      choices.made = true
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return (state >>> 0) % n
    }
  }
  return choices
}

/** The range of a free number; undefined where the number is none. */
export function freeRange (value: Scalar): Range | undefined {
  const { bounds: { umin, umax } } = value
  return value.exact && !isConstant(value) ? { low: umin, high: umax } : undefined
}

/** A number that each of a range can be. @param traits of what it is worked out from; its copies have its id */
export function freeNumber ({ low, high }: Range, { id, from }: Pick<Scalar, 'id' | 'from'>): Scalar {
  const origin = union(from, FROM_CHOICE)
  if (low === high) return constant(low, origin)
  return scalar({ ...ANY_NUMBER, umin: low, umax: high, hash: 0 }, { id, from: origin })
}

/** What a number comes from that verifiers do not know. */
export const FROM_CHOICE = [CHOSEN]

/** Puts another number in the place of a free one, and of all its copies. */
export function replaceFree (state: State, register: number, before: Scalar, value: Scalar): void {
  topFrame(state).registers[register] = value
  replaceCopies(state, before, value)
}

function replaceCopies (state: State, before: Scalar, value: Scalar): void {
  if (before.id !== 0) mapValues(state, other => other.kind === 'scalar' && other.id === before.id ? value : other)
}

/** Gives a register with a free number one of those that it can be. @param toReach what it must be for a result to be one */
export function chooseRegister (choices: Choices, state: State, register: number, toReach?: (result: bigint) => bigint): void {
  const value = topFrame(state).registers[register]
  if (value?.kind !== 'scalar') return
  const range = freeRange(value)
  if (range === undefined) return
  replaceFree(state, register, value, freeNumber(only(chooseFrom(choices, topFrame(state).code, range, toReach)), value))
}

/** One of the numbers that a value can be, which is nowhere but there. */
export function chosen (choices: Choices, state: State, value: Scalar): Scalar {
  const range = freeRange(value)
  return range === undefined ? value : freeNumber(only(chooseFrom(choices, topFrame(state).code, range)), value)
}

/** Gives a free number on the stack, and its copies, one of those that it can be. */
export function chooseSlot (choices: Choices, state: State, depth: number, offset: number): void {
  const frame = state.frames[depth]
  const index = slotIndex(offset)
  const slot = frame === undefined || index === undefined ? undefined : frame.stack[index]
  if (frame === undefined || index === undefined || slot?.value?.kind !== 'scalar') return
  const value = chosen(choices, state, slot.value)
  if (value === slot.value) return
  ownStack(frame)[index] = mapSlot(slot, () => value)
  replaceCopies(state, slot.value, value)
}

export const only = (number: bigint): Range => ({ low: number, high: number })

/** Choices that are thrown away because they are out of range. */
const MAX_MISSES = 6

/**
 * One of a range: mostly by what the function compares numbers with, since that is where ways part.
 *
 * @param toReach what the number must be for a result to be the given one, which need not be right
 */
export function chooseFrom (
  { below }: Choices, code: Code, { low, high }: Range, toReach: (result: bigint) => bigint = result => result, wanted?: bigint
): bigint {
  const compared = comparedWith(code)
  const misses = below(4) === 0 ? 0 : MAX_MISSES
  for (let miss = 0; miss < misses; miss++) {
    const isWanted = wanted !== undefined && below(2) === 0
    const result = (isWanted ? wanted : compared[below(compared.length)] ?? 0n) + (NEAR[below(NEAR.length)] ?? 0n)
    const number = unsigned(toReach(unsigned(result)))
    if (low <= number && number <= high) return number
  }
  switch (below(3)) {
    case 0: return low
    case 1: return high
    default: return low + anyNumber(below) % (high - low + 1n)
  }
}

const NEAR = [0n, 0n, 1n, -1n]

function anyNumber (below: Choices['below']): bigint {
  let number = 0n
  for (let i = 0; i < 4; i++) number = number << 16n | BigInt(below(0x10000))
  return number & U64
}

const constantsOf = new WeakMap<Code['body'], readonly bigint[]>()

/** The numbers with which a function's conditional jumps compare. */
function comparedWith ({ body }: Code): readonly bigint[] {
  let found = constantsOf.get(body)
  if (found === undefined) {
    const { count, slots: { bytes, view, littleEndian } } = body
    const constants = new Set([0n, 1n])
    for (let i = 0; i < count; i++) {
      const opcode = bytes[i * BPF_INSN.SIZE] ?? 0
      if (!isJumpClass(opcode) || (opcode & BPF_X) !== 0) continue
      constants.add(BigInt(view.getInt32(i * BPF_INSN.SIZE + BPF_INSN.imm, littleEndian)))
    }
    constantsOf.set(body, found = [...constants])
  }
  return found
}
