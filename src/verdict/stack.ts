import type { Age } from './age.js'
import { constant, isConstant, isUnknown, ofSize, scalar, ZERO, zeroExtend, type Scalar } from './scalar.js'
import { covers, idOf, join, sameValue, withId, type Value } from './value.js'

/** What the verifier holds of one slot of 8 bytes. Immutable. */
export interface Slot {
  /** A value that was stored from the slot's first byte on. */
  readonly value: Value | undefined
  /** Bytes of it; 0 without a value. */
  readonly size: number
  /** Bit i: byte i is known to be zero. Bytes of the value have none. */
  readonly zeroes: number
  /** False where a helper or a callee may have written there and older verifiers keep what was there. */
  readonly exact: boolean
}

export type Stack = Array<Slot | undefined>

const MISC: Slot = { value: undefined, size: 0, zeroes: 0, exact: true }
const VAGUE_SLOT: Slot = { value: undefined, size: 0, zeroes: 0, exact: false }

/** Bytes of stack of a frame. */
const STACK_SIZE = 512

/** The slot that holds the byte at `offset` from the frame pointer, or undefined outside the stack. */
function slotIndex (offset: number): number | undefined {
  return offset < 0 && offset >= -STACK_SIZE ? (-offset - 1) >> 3 : undefined
}

const byteOf = (offset: number): number => offset & 7
const maskOf = (byte: number, size: number): number => ((1 << size) - 1) << byte & 0xff

/** Stores a value. `isImmediate`: by BPF_ST, whose constants older verifiers forget. */
export function store (age: Age, littleEndian: boolean, stack: Stack, offset: number, size: number, value: Value, isImmediate: boolean): void {
  const index = slotIndex(offset)
  if (index === undefined) return
  const byte = byteOf(offset)
  const before = stack[index]
  if (size === 8 && byte === 0) {
    stack[index] = spill(age, value, isImmediate)
    return
  }
  const isZero = value.kind === 'scalar' && isConstant(value) && (value.bits & ((1n << BigInt(size * 8)) - 1n)) === 0n
  const isNull = isZero && value.bits === 0n
  const kept = (before?.zeroes ?? 0) & ~maskOf(byte, size)
  if (byte === 0 && value.kind === 'scalar' && littleEndian && !(isNull && age.spillsNarrow !== 'yes')) {
    const ability = isImmediate && !isNull ? weakest(age.spillsNarrow, age.spillsImmediates) : age.spillsNarrow
    if (ability === 'yes') {
      const zeroes = age.keepsZeroes === 'yes' ? kept : 0
      stack[index] = { value: isImmediate && isNull ? ZERO : value, size, zeroes, exact: age.keepsZeroes !== 'maybe' }
      return
    }
    stack[index] = { value: undefined, size: 0, zeroes: kept, exact: ability === 'no' && !isZero }
    return
  }
  stack[index] = { value: undefined, size: 0, zeroes: isNull ? kept | maskOf(byte, size) : kept, exact: before?.exact !== false && before?.value === undefined && !(isZero && !isNull) }
}

function weakest (a: Age['spillsNarrow'], b: Age['spillsNarrow']): Age['spillsNarrow'] {
  if (a === 'no' || b === 'no') return 'no'
  return a === 'yes' && b === 'yes' ? 'yes' : 'maybe'
}

function spill (age: Age, value: Value, isImmediate: boolean): Slot {
  if (value.kind !== 'scalar') return { value, size: 8, zeroes: 0, exact: true }
  if (isUnknown(value)) return age.linksSpills === 'yes' || value.from.length > 0 ? { value, size: 8, zeroes: 0, exact: true } : { value: unlinked(value), size: 8, zeroes: 0, exact: true }
  if (isConstant(value) && value.bits === 0n) return { value: constant(0n, value.from), size: 8, zeroes: 0, exact: true }
  const ability = isImmediate ? age.spillsImmediates : isConstant(value) ? age.spillsConstants : age.spillsRanges
  if (ability === 'no') return MISC
  if (ability === 'maybe') return VAGUE_SLOT
  return { value: age.linksSpills === 'yes' ? value : unlinked(value), size: 8, zeroes: 0, exact: true }
}

/** A number whose link to its copies some verifiers lose. */
function unlinked (value: Scalar): Scalar {
  return value.id === 0 ? value : scalar(value, { exact: value.exact, related: value.id, from: value.from })
}

/** Loads `size` bytes, zero-extended. */
export function load (age: Age, littleEndian: boolean, stack: Stack, offset: number, size: number): Value {
  const index = slotIndex(offset)
  if (index === undefined) return ofSize(size)
  const slot = stack[index]
  const byte = byteOf(offset)
  if (slot === undefined) return ofSize(size)
  if (slot.value !== undefined && byte < slot.size) return fill(age, littleEndian, slot, byte, size)
  const wanted = maskOf(byte, size)
  if ((slot.zeroes & wanted) === wanted) return ZERO
  return ofSize(size, { exact: slot.exact && slot.zeroes === 0 })
}

function fill (age: Age, littleEndian: boolean, slot: Slot, byte: number, size: number): Value {
  const { value } = slot
  if (value === undefined) return ofSize(size)
  if (byte === 0 && size === slot.size) return value.kind === 'scalar' ? zeroExtend(value, size) : value
  if (value.kind !== 'scalar') return ofSize(size, { exact: false })
  if (isConstant(value) && value.bits === 0n && byte + size <= slot.size) return age.keepsZeroes === 'yes' || slot.size === 8 ? zeroOrVague(age, size) : ofSize(size, { exact: false })
  const isPart = byte === 0 && size < slot.size && littleEndian
  if (isPart && age.fillsNarrow === 'yes') return zeroExtend(value, size)
  return ofSize(size, { exact: isPart ? age.fillsNarrow === 'no' : byte !== 0 && size <= slot.size - byte, related: value.id, from: value.from })
}

/** Zeroes of 8 bytes are known byte by byte since slots are. */
function zeroOrVague (age: Age, size: number): Scalar { return age.spillsConstants === 'maybe' ? ofSize(size, { exact: false }) : ZERO }

/** Forgets everything from `offset` on (`size` bytes of it, or all that lies above), because something may write there. */
export function clobber (stack: Stack, offset: number | undefined, size: number | undefined): void {
  const first = offset ?? -STACK_SIZE
  const end = size === undefined || offset === undefined ? 0 : Math.min(0, offset + size)
  for (let at = Math.max(first, -STACK_SIZE); at < end; at = (at | 7) + 1) {
    const index = slotIndex(at)
    if (index !== undefined && (stack[index] !== undefined || at < end)) stack[index] = VAGUE_SLOT
  }
}

/** An atomic operation, whose result no verifier follows. */
export function overwrite (stack: Stack, offset: number): void {
  const index = slotIndex(offset)
  if (index !== undefined) stack[index] = VAGUE_SLOT
}

export function slotCovers (a: Slot | undefined, b: Slot | undefined, ids: Map<number, number>, needsExact: boolean): boolean {
  if (a === b && (a?.value === undefined || idOf(a.value) === 0)) return true
  if (a === undefined) return true
  if (needsExact && !a.exact && b?.exact !== false) return false
  if (a.value === undefined) {
    if ((a.zeroes & ~(b === undefined ? 0 : zeroBytes(b))) !== 0) return false
    return !needsExact || a.exact || b?.exact === false
  }
  if (b?.value === undefined || b.size !== a.size || (a.zeroes & ~b.zeroes) !== 0) return a.value.kind === 'scalar' && isUnknown(a.value) && a.zeroes === 0 && idOf(a.value) === 0 && (a.value.exact || !needsExact)
  return covers(a.value, b.value, ids, needsExact)
}

function zeroBytes (slot: Slot): number {
  const isZero = slot.value?.kind === 'scalar' && isConstant(slot.value) && slot.value.bits === 0n
  return slot.zeroes | (isZero ? maskOf(0, slot.size) : 0)
}

export function joinSlots (a: Slot | undefined, b: Slot | undefined): Slot | undefined {
  if (a === b) return a
  if (a === undefined || b === undefined) return a?.exact === false || b?.exact === false || a?.value !== undefined || b?.value !== undefined ? VAGUE_SLOT : MISC
  if (a.value !== undefined && b.value !== undefined && a.size === b.size) {
    const value = join(a.value, b.value)
    if (value === undefined) return VAGUE_SLOT
    return { value, size: a.size, zeroes: a.zeroes & b.zeroes, exact: a.exact && b.exact && a.zeroes === b.zeroes }
  }
  const same = a.value === undefined && b.value === undefined && a.zeroes === b.zeroes
  return same ? { ...a, exact: a.exact && b.exact } : { value: undefined, size: 0, zeroes: zeroBytes(a) & zeroBytes(b), exact: false }
}

/** Like joinSlots, for a state that comes back to where it was. */
export function sameSlot (a: Slot | undefined, b: Slot | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  return a.size === b.size && a.zeroes === b.zeroes && a.exact === b.exact && sameValue(a.value, b.value)
}

export function mapSlot (slot: Slot, change: (value: Value) => Value): Slot {
  if (slot.value === undefined) return slot
  const value = change(slot.value)
  return value === slot.value ? slot : { ...slot, value }
}

export const clearId = (slot: Slot): Slot => mapSlot(slot, value => withId(value, 0))
