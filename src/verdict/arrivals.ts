/**
 * What r0 to r9 hold: a number, or NOT_KNOWN. Guards compare small numbers; others are left to those who explore what remains.
 */
export type Registers = number[]

export const NOT_KNOWN = -1
export const REGISTERS = 10

export const noneKnown = (): Registers => new Array<number>(REGISTERS).fill(NOT_KNOWN)

/** What is known where jumps of a function lead to, of all ways there together. */
export interface Arrivals {
  readonly isAt: (index: number) => boolean
  /** Adds a way to an instruction. Whether that is the first one, or changed what is known there. */
  readonly join: (index: number, registers: Registers) => boolean
  /** Puts what is known at an instruction into the registers. False, and nothing done, where it was read before and is the same. */
  readonly read: (index: number, registers: Registers) => boolean
  /** Lets the last place before an instruction be read again. Returns it; 0 where there is none. */
  readonly renewBefore: (index: number) => number
}

/** @param count of the function's instructions */
export function createArrivals (count: number): Arrivals {
  /** By instruction: the place of its registers, from 1; none: 0. Negative where what is known there was read. */
  let places: number[] = []
  const known: number[] = []
  return {
    isAt: index => known.length > 0 && places[index] !== 0,
    join (index, registers) {
      if (known.length === 0) places = new Array<number>(count).fill(0)
      const place = Math.abs(places[index] ?? 0)
      if (place === 0) {
        for (let r = 0; r < REGISTERS; r++) known.push(registers[r] ?? NOT_KNOWN)
        places[index] = known.length / REGISTERS
        return true
      }
      if (!joinInto(known, (place - 1) * REGISTERS, registers)) return false
      places[index] = place
      return true
    },
    read (index, registers) {
      const place = places[index] ?? 0
      if (place < 0) return false
      places[index] = -place
      const start = (place - 1) * REGISTERS
      for (let r = 0; r < REGISTERS; r++) registers[r] = known[start + r] ?? NOT_KNOWN
      return true
    },
    renewBefore (index) {
      let i = Math.max(0, index - 1)
      while (i > 0 && places[i] === 0) i--
      places[i] = Math.abs(places[i] ?? 0)
      return i
    }
  }
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
