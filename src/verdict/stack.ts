import type { Age, Rules } from './age.js'
import { cut, fits } from './extend.js'
import { isConstant, isUnknown, isZero, ofSize, scalarWithId, vagueOfSize, ZERO, type Scalar } from './scalar.js'
import { covers, idOf, join, sameValue, withId, type IdPairs, type Value } from './value.js'

/** What the verifier holds of one slot of 8 bytes. Immutable. */
export interface Slot {
  /** A value that was stored from the slot's first byte on. */
  readonly value: Value | undefined
  /** Bytes of it; 0 without a value. */
  readonly size: number
  /** Bit i: byte i is known to be zero. Bytes of the value have none. */
  readonly zeroes: number
  /** Bit i: of byte i verifiers may know more, since a helper or a callee may have written there and older ones keep what was there. */
  readonly vague: number
}

export type Stack = Array<Slot | undefined>

/** All bytes of a slot. */
const ALL = 0xff

/** All slots are made here, so that they have one hidden class. */
export function slotOf (value: Value | undefined, size: number, zeroes: number, vague: number): Slot {
  return { value, size, zeroes, vague }
}

const bytesOf = (zeroes: number, vague: number): Slot => slotOf(undefined, 0, zeroes, vague)

const MISC = bytesOf(0, 0)
export const VAGUE_SLOT = bytesOf(0, ALL)

/** As an array has it that was written to out of order. */
const NOTHING_STORED: Stack = new Array<Slot | undefined>(1).fill(MISC)
NOTHING_STORED.length = 0

/** A stack to which nothing was stored. All begin here, so that they have one hidden class, written to or not. */
export function newStack (): Stack { return NOTHING_STORED.slice() }

/** Bytes of stack of a frame. */
const STACK_SIZE = 512

/** The slot that holds the byte at `offset` from the frame pointer, or undefined outside the stack. */
export function slotIndex (offset: number): number | undefined {
  return offset < 0 && offset >= -STACK_SIZE ? (-offset - 1) >> 3 : undefined
}

export const byteOf = (offset: number): number => offset & 7
const maskOf = (byte: number, size: number): number => ((1 << size) - 1) << byte & 0xff

/** Stores a value. `isImmediate`: by BPF_ST, whose constants older verifiers forget. */
export function store (
  age: Age, littleEndian: boolean, stack: Stack, offset: number, size: number, value: Value, isImmediate: boolean
): void {
  const index = slotIndex(offset)
  if (index === undefined) return
  const place = { before: stack[index], byte: byteOf(offset), size, littleEndian }
  const sure = write(age.sure, place, value, isImmediate)
  const perhaps = age.sure === age.perhaps ? sure : write(age.perhaps, place, value, isImmediate)
  const written = sameSlot(sure, perhaps) ? sure : bytesOf(zeroBytes(sure) & zeroBytes(perhaps), ALL)
  // Whether older zeroes are left depends on how each was stored before.
  const keepsOlder = age.spillsZeroes !== 'maybe' || (written.zeroes & ~maskOf(place.byte, size)) === 0
  stack[index] = keepsOlder ? written : slotOf(written.value, written.size, written.zeroes & maskOf(place.byte, size), ALL)
}

interface Place {
  readonly before: Slot | undefined
  readonly byte: number
  readonly size: number
  readonly littleEndian: boolean
}

function write (rules: Rules, { before, byte, size, littleEndian }: Place, value: Value, isImmediate: boolean): Slot {
  if (value.kind !== 'scalar') return byte === 0 && size === 8 ? slotOf(value, size, 0, 0) : VAGUE_SLOT
  const others = (before?.zeroes ?? 0) & ~maskOf(byte, size)
  const isNull = isZero(value)
  if (byte === 0 && spills(rules, value, size, isImmediate, isNull)) {
    if (!littleEndian && size < 8) return VAGUE_SLOT
    const spilled = fits(value, size) ? value : scalarWithId(value, 0)
    return slotOf(spilled, size, rules.spillsZeroes ? others : 0, 0)
  }
  const kept = before?.value === undefined ? others : 0
  const written = maskOf(byte, size)
  const vague = value.exact ? (before?.vague ?? 0) & ~written : ALL
  return bytesOf(isNull ? kept | written : kept, vague)
}

function spills (rules: Rules, value: Scalar, size: number, isImmediate: boolean, isNull: boolean): boolean {
  if (isNull && !rules.spillsZeroes) return false
  if (isImmediate && !rules.spillsImmediates) return false
  if (size < 8 && !rules.spillsNarrow) return false
  if (isConstant(value)) return rules.spillsConstants
  return isUnknown(value) ? rules.linksSpills : rules.spillsRanges
}

/** Loads `size` bytes, zero-extended. */
export function load (age: Age, littleEndian: boolean, stack: Stack, offset: number, size: number): Value {
  const index = slotIndex(offset)
  const slot = index === undefined ? undefined : stack[index]
  if (slot === undefined) return ofSize(size)
  const byte = byteOf(offset)
  const sure = read(age, age.sure, littleEndian, slot, byte, size)
  if (age.sure === age.perhaps || sameValue(sure, read(age, age.perhaps, littleEndian, slot, byte, size))) return sure
  return ofSize(size, { exact: false, related: slot.value === undefined ? 0 : idOf(slot.value) })
}

function read (age: Age, rules: Rules, littleEndian: boolean, slot: Slot, byte: number, size: number): Value {
  const { value } = slot
  const wanted = maskOf(byte, size)
  if (value === undefined) return (slot.zeroes & wanted) === wanted ? ZERO : ofSize(size, { exact: (slot.vague & wanted) === 0 })
  if (byte === 0 && size === slot.size) return value.kind === 'scalar' ? cut(age, value, size) : value
  if (value.kind !== 'scalar') return vagueOfSize(size)
  if (byte === 0 && size < slot.size && rules.fillsNarrow) {
    if (!littleEndian) return vagueOfSize(size)
    return cut(age, fits(value, size) ? value : scalarWithId(value, 0), size)
  }
  if (rules.spillsZeroes && ((isZero(value) && byte + size <= slot.size) || (slot.zeroes & wanted) === wanted)) return ZERO
  return ofSize(size, { exact: value.exact })
}

/**
 * What verifiers that look for it hold of a map's key on the stack: `zero`: all of them, that it is 0; `unknown`: none, which number it
 * is; undefined: another number, or in doubt. A number that is stored with another size than the key's, they do not take for it.
 *
 * @see https://github.com/torvalds/linux/commit/d2102f2f5d75 get_constant_map_key()
 */
export function keyAt (stack: Stack, offset: number, size: number): 'zero' | 'unknown' | undefined {
  const index = slotIndex(offset)
  const slot = index === undefined ? undefined : stack[index]
  const byte = byteOf(offset)
  if (slot === undefined || size === 0 || byte + size > 8) return undefined
  const wanted = maskOf(byte, size)
  if ((slot.zeroes & wanted) === wanted) return 'zero'
  const { value } = slot
  if (value === undefined) return (slot.vague & wanted) === 0 ? 'unknown' : undefined
  if (value.kind !== 'scalar' || byte !== 0 || slot.size !== size) return undefined
  if (isConstant(value)) return isZero(value) ? 'zero' : undefined
  return value.exact ? 'unknown' : undefined
}

/** Forgets everything from `offset` on (`size` bytes of it, or all that lies above), because something may write there. */
export function clobber (stack: Stack, offset: number | undefined, size: number | undefined): void {
  const first = offset ?? -STACK_SIZE
  const end = size === undefined || offset === undefined ? 0 : Math.min(0, offset + size)
  for (let at = Math.max(first, -STACK_SIZE); at < end; at = (at | 7) + 1) {
    const index = slotIndex(at)
    if (index !== undefined && (stack[index] !== undefined || at < end)) stack[index] = VAGUE_SLOT
  }
}

/** Bytes of which the verifier knows nothing from now on, because a helper writes there for certain. */
export function fill (age: Age, stack: Stack, offset: number, size: number): void {
  const end = Math.min(0, offset + size)
  for (let at = offset; at < end; at = (at | 7) + 1) {
    const index = slotIndex(at)
    if (index === undefined) continue
    const slot = filled(stack[index], maskOf(byteOf(at), Math.min(end, (at | 7) + 1) - at))
    stack[index] = age.spillsZeroes === 'maybe' && slot.zeroes !== 0 ? bytesOf(0, slot.vague | slot.zeroes) : slot
  }
}

/** What a slot holds whose bytes of a mask were filled. A number that was there is gone, with all of its bytes. */
function filled (before: Slot | undefined, mask: number): Slot {
  if (before === undefined || mask === ALL) return MISC
  if (before.value !== undefined) return before.zeroes === 0 ? MISC : bytesOf(0, ALL & ~mask)
  const [zeroes, vague] = [before.zeroes & ~mask, before.vague & ~mask]
  return zeroes === before.zeroes && vague === before.vague ? before : bytesOf(zeroes, vague)
}

/** An atomic operation, whose result no verifier follows. */
export function overwrite (stack: Stack, offset: number): void {
  const index = slotIndex(offset)
  if (index !== undefined) stack[index] = VAGUE_SLOT
}

export function slotCovers (a: Slot | undefined, b: Slot | undefined, ids: IdPairs, needsExact: boolean): boolean {
  if (a === b && (a?.value === undefined || idOf(a.value) === 0)) return true
  if (a === undefined) return true
  if (needsExact && (a.vague & ~(b?.vague ?? 0)) !== 0) return false
  if (a.value === undefined) return (a.zeroes & ~(b === undefined ? 0 : zeroBytes(b))) === 0
  if (b?.value === undefined || b.size !== a.size || (a.zeroes & ~b.zeroes) !== 0) {
    return a.value.kind === 'scalar' && isUnknown(a.value) && a.zeroes === 0 && idOf(a.value) === 0 && (a.value.exact || !needsExact)
  }
  return covers(a.value, b.value, ids, needsExact)
}

function zeroBytes (slot: Slot): number {
  const { value } = slot
  return slot.zeroes | (value?.kind === 'scalar' && isZero(value) ? maskOf(0, slot.size) : 0)
}

export function joinSlots (a: Slot | undefined, b: Slot | undefined): Slot | undefined {
  if (a === b) return a
  if (a === undefined || b === undefined) {
    const slot = a ?? b
    return slot === undefined || slot.value !== undefined ? VAGUE_SLOT : bytesOf(0, slot.vague)
  }
  if (a.value !== undefined && b.value !== undefined && a.size === b.size) {
    const value = join(a.value, b.value)
    if (value === undefined) return VAGUE_SLOT
    return slotOf(value, a.size, a.zeroes & b.zeroes, a.zeroes === b.zeroes ? a.vague | b.vague : ALL)
  }
  const same = a.value === undefined && b.value === undefined && a.zeroes === b.zeroes
  return same ? bytesOf(a.zeroes, a.vague | b.vague) : bytesOf(zeroBytes(a) & zeroBytes(b), ALL)
}

/** Like joinSlots, for a state that comes back to where it was. */
export function sameSlot (a: Slot | undefined, b: Slot | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  return a.size === b.size && a.zeroes === b.zeroes && a.vague === b.vague && sameValue(a.value, b.value)
}

export function mapSlot (slot: Slot, change: (value: Value) => Value): Slot {
  if (slot.value === undefined) return slot
  const value = change(slot.value)
  return value === slot.value ? slot : slotOf(value, slot.size, slot.zeroes, slot.vague)
}

export const clearId = (slot: Slot): Slot => mapSlot(slot, value => withId(value, 0))
