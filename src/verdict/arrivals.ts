/**
 * What r0 to r9 hold: a number, or one of the negative ones below. Guards compare small numbers; others are left to those who explore
 * what remains.
 */
export type Registers = number[]

export const NOT_KNOWN = -1
/** A pointer that may be null, or a number that may be 0: every verifier follows the way on which it is not. */
export const MAYBE_NULL = -2
/** The address of a symbol: this, less the index of the instruction that loaded it. */
export const ADDRESS = -3
export const REGISTERS = 10

export const noneKnown = (): Registers => new Array<number>(REGISTERS).fill(NOT_KNOWN)

/**
 * What is known where jumps of a function lead to, of all ways there together. Members and functions, since passes over whole functions
 * ask for each instruction.
 */
export interface Arrivals {
  /** Of the function's instructions. */
  readonly count: number
  /** By instruction: the place of its registers, from 1; none: 0. Negative where what is known there was read. Empty where all are 0. */
  places: Int32Array
  /** The registers of one place behind those of the other. */
  readonly known: number[]
  /** The last instruction that a way leads to; -1 where none does. */
  last: number
}

const NO_PLACES = new Int32Array()

export function createArrivals (count: number): Arrivals { return { count, places: NO_PLACES, known: [], last: -1 } }

/** Adds a way to an instruction. Whether that is the first one, or changed what is known there. */
export function joinAt (arrivals: Arrivals, index: number, registers: Registers): boolean {
  const { known } = arrivals
  if (known.length === 0) arrivals.places = new Int32Array(arrivals.count)
  const place = Math.abs(arrivals.places[index] ?? 0)
  if (place === 0) {
    for (let r = 0; r < REGISTERS; r++) known.push(registers[r] ?? NOT_KNOWN)
    arrivals.places[index] = known.length / REGISTERS
    arrivals.last = Math.max(arrivals.last, index)
    return true
  }
  if (!joinInto(known, (place - 1) * REGISTERS, registers)) return false
  arrivals.places[index] = place
  return true
}

/** Puts what is known at an instruction into the registers. False, and nothing done, where it was read before and is the same. */
export function readAt ({ places, known }: Arrivals, index: number, registers: Registers): boolean {
  const place = places[index] ?? 0
  if (place < 0) return false
  places[index] = -place
  const start = (place - 1) * REGISTERS
  for (let r = 0; r < REGISTERS; r++) registers[r] = known[start + r] ?? NOT_KNOWN
  return true
}

/** The first instruction from `index` on that a way leads to with something that was not read; one behind the last where there is none. */
export function nextUnread ({ places, last }: Arrivals, index: number): number {
  let i = index
  while (i <= last && (places[i] ?? 0) <= 0) i++
  return i
}

/** Lets the last place before an instruction be read again. Returns it; 0 where there is none. */
export function renewBefore ({ places }: Arrivals, index: number): number {
  let i = Math.max(0, index - 1)
  while (i > 0 && places[i] === 0) i--
  places[i] = Math.abs(places[i] ?? 0)
  return i
}

/** Joins what is known on another way into it. Whether that changed it. */
function joinInto (known: number[], start: number, other: Registers): boolean {
  let changed = false
  for (let r = 0; r < REGISTERS; r++) {
    const number = known[start + r]
    if (number === NOT_KNOWN || number === other[r]) continue
    known[start + r] = NOT_KNOWN
    changed = true
  }
  return changed
}
