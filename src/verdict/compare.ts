import { ANY_NUMBER, constant, isConstant, max, min, S32_MAX, S32_MIN, scalar, settle, signed, U32, unsigned, zeroExtend, type Bounds, type Scalar } from './scalar.js'

/** Conditional jumps, by the high bits of their opcodes. */
export const JMP = {
  JA: 0x00, JEQ: 0x10, JGT: 0x20, JGE: 0x30, JSET: 0x40, JNE: 0x50, JSGT: 0x60, JSGE: 0x70, CALL: 0x80, EXIT: 0x90, JLT: 0xa0, JLE: 0xb0, JSLT: 0xc0, JSLE: 0xd0, JCOND: 0xe0
} as const

/** The operation that holds where the given one does not. JSET has none of its own: -JSET. */
const OPPOSITE: ReadonlyMap<number, number> = new Map([
  [JMP.JEQ, JMP.JNE], [JMP.JNE, JMP.JEQ], [JMP.JGT, JMP.JLE], [JMP.JLE, JMP.JGT], [JMP.JGE, JMP.JLT], [JMP.JLT, JMP.JGE],
  [JMP.JSGT, JMP.JSLE], [JMP.JSLE, JMP.JSGT], [JMP.JSGE, JMP.JSLT], [JMP.JSLT, JMP.JSGE], [JMP.JSET, -JMP.JSET]
])

/** The same comparison with its sides exchanged. */
const EXCHANGED: ReadonlyMap<number, number> = new Map([
  [JMP.JGT, JMP.JLT], [JMP.JLT, JMP.JGT], [JMP.JGE, JMP.JLE], [JMP.JLE, JMP.JGE], [JMP.JSGT, JMP.JSLT], [JMP.JSLT, JMP.JSGT], [JMP.JSGE, JMP.JSLE], [JMP.JSLE, JMP.JSGE]
])

export const opposite = (operation: number): number => OPPOSITE.get(operation) ?? operation
export const exchanged = (operation: number): number => EXCHANGED.get(operation) ?? operation

interface Range {
  readonly umin: bigint
  readonly umax: bigint
  readonly smin: bigint
  readonly smax: bigint
  readonly bits: bigint
  readonly mask: bigint
}

function rangeOf (value: Scalar, is64: boolean): Range {
  return is64
    ? value
    : { umin: value.umin32, umax: value.umax32, smin: value.smin32, smax: value.smax32, bits: value.bits & U32, mask: value.mask & U32 }
}

/** Whether the comparison always holds (true) or never does (false), as the ranges and bits show; undefined: both can be. */
export function decide (operation: number, left: Scalar, right: Scalar, is64: boolean): boolean | undefined {
  const a = rangeOf(left, is64)
  const b = rangeOf(right, is64)
  switch (operation) {
    case JMP.JEQ: return equal(a, b)
    case JMP.JNE: return not(equal(a, b))
    case JMP.JGT: return greater(a.umin, a.umax, b.umin, b.umax)
    case JMP.JLE: return not(greater(a.umin, a.umax, b.umin, b.umax))
    case JMP.JLT: return greater(b.umin, b.umax, a.umin, a.umax)
    case JMP.JGE: return not(greater(b.umin, b.umax, a.umin, a.umax))
    case JMP.JSGT: return greater(a.smin, a.smax, b.smin, b.smax)
    case JMP.JSLE: return not(greater(a.smin, a.smax, b.smin, b.smax))
    case JMP.JSLT: return greater(b.smin, b.smax, a.smin, a.smax)
    case JMP.JSGE: return not(greater(b.smin, b.smax, a.smin, a.smax))
    case JMP.JSET:
      if (b.mask !== 0n) return a.mask === 0n && a.bits === 0n ? false : undefined
      if ((a.bits & b.bits) !== 0n) return true
      return ((a.bits | a.mask) & b.bits) === 0n ? false : undefined
    default: return undefined
  }
}

function not (answer: boolean | undefined): boolean | undefined { return answer === undefined ? undefined : !answer }

function equal (a: Range, b: Range): boolean | undefined {
  if (a.mask === 0n && b.mask === 0n) return a.bits === b.bits
  if (((a.bits ^ b.bits) & ~a.mask & ~b.mask) !== 0n) return false
  return a.umin > b.umax || a.umax < b.umin || a.smin > b.smax || a.smax < b.smin ? false : undefined
}

function greater (amin: bigint, amax: bigint, bmin: bigint, bmax: bigint): boolean | undefined {
  if (amin > bmax) return true
  return amax <= bmin ? false : undefined
}

/** Whether verifiers of every age since conditional jumps are followed decide it the same way: it takes constants alone. */
export function isPlain (left: Scalar, right: Scalar, is64: boolean): boolean {
  return is64 ? isConstant(left) && isConstant(right) : ((left.mask | right.mask) & U32) === 0n
}

/**
 * What is known of `value` where `value operation limit` holds; `-JSET`: where it does not. Undefined where it cannot hold.
 *
 * @param limit a known number, 32 bits of it where the comparison is of 32
 * @param edges whether an inequality with the end of a range shortens the range
 */
export function narrow (operation: number, value: Scalar, limit: bigint, is64: boolean, edges: boolean): Scalar | undefined {
  if (isConstant(value)) return value
  const bounds = is64 ? narrow64(operation, value, limit, edges) : narrow32(operation, value, limit & U32, edges)
  const settled = bounds === undefined || bounds === value ? bounds : settle(bounds)
  if (settled === undefined) return undefined
  if (settled.mask === 0n) return constant(settled.bits, value.from)
  return scalar(settled, value)
}

function narrow64 (operation: number, v: Scalar, limit: bigint, edges: boolean): Bounds | undefined {
  const c = unsigned(limit)
  const s = signed(limit)
  switch (operation) {
    case JMP.JEQ: return c < v.umin || c > v.umax || s < v.smin || s > v.smax ? undefined : constant(c)
    case JMP.JNE: return edges && (v.umin === c || v.umax === c || v.smin === s || v.smax === s)
      ? { ...v, umin: v.umin === c ? c + 1n : v.umin, umax: v.umax === c ? c - 1n : v.umax, smin: v.smin === s ? s + 1n : v.smin, smax: v.smax === s ? s - 1n : v.smax }
      : v
    case JMP.JGT: return { ...v, umin: max(v.umin, c + 1n) }
    case JMP.JGE: return { ...v, umin: max(v.umin, c) }
    case JMP.JLT: return { ...v, umax: min(v.umax, c - 1n) }
    case JMP.JLE: return { ...v, umax: min(v.umax, c) }
    case JMP.JSGT: return { ...v, smin: max(v.smin, s + 1n) }
    case JMP.JSGE: return { ...v, smin: max(v.smin, s) }
    case JMP.JSLT: return { ...v, smax: min(v.smax, s - 1n) }
    case JMP.JSLE: return { ...v, smax: min(v.smax, s) }
    case -JMP.JSET: return { ...v, bits: v.bits & ~c, mask: v.mask & ~c }
    case JMP.JSET: return (c & (c - 1n)) === 0n ? { ...v, bits: v.bits | c, mask: v.mask & ~c } : v
    default: return v
  }
}

function narrow32 (operation: number, v: Scalar, c: bigint, edges: boolean): Bounds | undefined {
  const s = BigInt.asIntN(32, c)
  switch (operation) {
    case JMP.JEQ: return { ...v, bits: (v.bits & ~U32) | c, mask: v.mask & ~U32, umin32: max(v.umin32, c), umax32: min(v.umax32, c), smin32: max(v.smin32, s), smax32: min(v.smax32, s) }
    case JMP.JNE: return edges && (v.umin32 === c || v.umax32 === c || v.smin32 === s || v.smax32 === s)
      ? { ...v, umin32: v.umin32 === c ? c + 1n : v.umin32, umax32: v.umax32 === c ? c - 1n : v.umax32, smin32: v.smin32 === s ? s + 1n : v.smin32, smax32: v.smax32 === s ? s - 1n : v.smax32 }
      : v
    case JMP.JGT: return { ...v, umin32: max(v.umin32, c + 1n) }
    case JMP.JGE: return { ...v, umin32: max(v.umin32, c) }
    case JMP.JLT: return { ...v, umax32: min(v.umax32, c - 1n) }
    case JMP.JLE: return { ...v, umax32: min(v.umax32, c) }
    case JMP.JSGT: return s === S32_MAX ? undefined : { ...v, smin32: max(v.smin32, s + 1n) }
    case JMP.JSGE: return { ...v, smin32: max(v.smin32, s) }
    case JMP.JSLT: return s === S32_MIN ? undefined : { ...v, smax32: min(v.smax32, s - 1n) }
    case JMP.JSLE: return { ...v, smax32: min(v.smax32, s) }
    case -JMP.JSET: return { ...v, bits: v.bits & ~c, mask: v.mask & ~c }
    case JMP.JSET: return (c & (c - 1n)) === 0n ? { ...v, bits: v.bits | c, mask: v.mask & ~c } : v
    default: return v
  }
}

/** The 32-bit comparison's side as a whole number, where it is known. */
export function limitOf (value: Scalar, is64: boolean): bigint | undefined {
  const side = is64 ? value : zeroExtend(value, 4)
  return isConstant(side) ? side.bits : undefined
}

/** What is known of both sides where a comparison of two unknown numbers holds; undefined where it cannot. */
export function narrowBoth (operation: number, a: Scalar, b: Scalar, is64: boolean): readonly [Bounds, Bounds] | undefined {
  const pair = is64 ? pair64(operation, a, b) : pair32(operation, a, b)
  const left = settle(pair[0])
  const right = settle(pair[1])
  return left === undefined || right === undefined ? undefined : [left, right]
}

function pair64 (operation: number, a: Scalar, b: Scalar): readonly [Bounds, Bounds] {
  switch (operation) {
    case JMP.JEQ: {
      const mask = a.mask & b.mask
      const both = { ...ANY_NUMBER, bits: (a.bits | b.bits) & ~mask, mask, umin: max(a.umin, b.umin), umax: min(a.umax, b.umax), smin: max(a.smin, b.smin), smax: min(a.smax, b.smax), umin32: max(a.umin32, b.umin32), umax32: min(a.umax32, b.umax32), smin32: max(a.smin32, b.smin32), smax32: min(a.smax32, b.smax32) }
      return [both, both]
    }
    case JMP.JLT: return [{ ...a, umax: min(a.umax, b.umax - 1n) }, { ...b, umin: max(b.umin, a.umin + 1n) }]
    case JMP.JLE: return [{ ...a, umax: min(a.umax, b.umax) }, { ...b, umin: max(b.umin, a.umin) }]
    case JMP.JSLT: return [{ ...a, smax: min(a.smax, b.smax - 1n) }, { ...b, smin: max(b.smin, a.smin + 1n) }]
    case JMP.JSLE: return [{ ...a, smax: min(a.smax, b.smax) }, { ...b, smin: max(b.smin, a.smin) }]
    case JMP.JGT: case JMP.JGE: case JMP.JSGT: case JMP.JSGE: {
      const [right, left] = pair64(exchanged(operation), b, a)
      return [left, right]
    }
    default: return [a, b]
  }
}

function pair32 (operation: number, a: Scalar, b: Scalar): readonly [Bounds, Bounds] {
  switch (operation) {
    case JMP.JEQ: {
      const low = { umin32: max(a.umin32, b.umin32), umax32: min(a.umax32, b.umax32), smin32: max(a.smin32, b.smin32), smax32: min(a.smax32, b.smax32) }
      const mask = a.mask & b.mask & U32
      const bits = (a.bits | b.bits) & U32 & ~mask
      return [{ ...a, ...low, bits: (a.bits & ~U32) | bits, mask: (a.mask & ~U32) | mask }, { ...b, ...low, bits: (b.bits & ~U32) | bits, mask: (b.mask & ~U32) | mask }]
    }
    case JMP.JLT: return [{ ...a, umax32: min(a.umax32, b.umax32 - 1n) }, { ...b, umin32: max(b.umin32, a.umin32 + 1n) }]
    case JMP.JLE: return [{ ...a, umax32: min(a.umax32, b.umax32) }, { ...b, umin32: max(b.umin32, a.umin32) }]
    case JMP.JSLT: return [{ ...a, smax32: min(a.smax32, b.smax32 - 1n) }, { ...b, smin32: max(b.smin32, a.smin32 + 1n) }]
    case JMP.JSLE: return [{ ...a, smax32: min(a.smax32, b.smax32) }, { ...b, smin32: max(b.smin32, a.smin32) }]
    case JMP.JGT: case JMP.JGE: case JMP.JSGT: case JMP.JSGE: {
      const [right, left] = pair32(exchanged(operation), b, a)
      return [left, right]
    }
    default: return [a, b]
  }
}
