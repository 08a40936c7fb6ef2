import type { Choices } from './free.js'
import { chooseSlot } from './free.js'
import { constant, isConstant, union, vagueOfSize, type Scalar } from './scalar.js'
import { byteOf, load, slotIndex, slotOf, store, VAGUE_SLOT, type Slot } from './stack.js'
import { ownStack, type State } from './state.js'
import { U64, unsigned } from './tnum.js'
import type { Value } from './value.js'

/*
 * The stack of an execution. What verifiers forget of it depends on their age, and an older one may know what a newer one forgets: so
 * a byte is free where something wrote there that no verifier follows, and not where one was stored that is not followed here.
 */

/** A place on the stack. */
export interface Place {
  readonly depth: number
  /** Bytes from the frame pointer. */
  readonly offset: number
  readonly size: number
}

/** Loads `size` bytes, zero-extended. */
export function loadFree (choices: Choices, state: State, { depth, offset, size }: Place, littleEndian: boolean): Value {
  if (size < 8) chooseSlot(choices, state, depth, offset)
  const stack = state.frames[depth]?.stack ?? []
  const index = slotIndex(offset)
  const slot = index === undefined ? undefined : stack[index]
  const byte = byteOf(offset)
  const asOthers = (): Value => load(choices.ageOfNumbers, littleEndian, stack, offset, size)
  if (slot?.value === undefined || (byte === 0 && size === slot.size)) return asOthers()
  const number = knownNumber(slot)
  if (number === undefined || !littleEndian || byte + size > slot.size) return vagueOfSize(size)
  return constant(number.bounds.bits >> BigInt(8 * byte) & U64 >> BigInt(64 - 8 * size), number.from)
}

const knownNumber = ({ value }: Slot): Scalar | undefined => value?.kind === 'scalar' && isConstant(value) ? value : undefined

export function storeFree (
  { ageOfNumbers }: Choices, state: State, { depth, offset, size }: Place, littleEndian: boolean, value: Value, isImmediate: boolean
): void {
  const frame = state.frames[depth]
  const index = slotIndex(offset)
  if (frame === undefined || index === undefined) return
  const stack = ownStack(frame)
  const before = stack[index]
  store(ageOfNumbers, littleEndian, stack, offset, size, value, isImmediate)
  if (stack[index]?.value === undefined) stack[index] = merged(before, byteOf(offset), size, value, littleEndian)
}

/** A slot of which some bytes are written anew, where all of them are known. */
function merged (before: Slot | undefined, byte: number, size: number, value: Value, littleEndian: boolean): Slot {
  const whole = before?.size === 8 ? knownNumber(before) : undefined
  if (whole === undefined || value.kind !== 'scalar' || !isConstant(value) || !littleEndian) return VAGUE_SLOT
  const mask = (U64 >> BigInt(64 - 8 * size)) << BigInt(8 * byte)
  const bits = (whole.bounds.bits & ~mask) | (unsigned(value.bounds.bits << BigInt(8 * byte)) & mask)
  return slotOf(constant(bits, union(whole.from, value.from)), 8, 0, 0)
}
