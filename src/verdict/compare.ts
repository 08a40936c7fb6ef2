import type { Age, Rules } from './age.js'
import {
  ANY_NUMBER, ANY_RANGE, ANY_RANGE32, contradict, draftOf, max, min, sameBounds, settle, share, type Bounds, type Draft, type SharedBounds
} from './bounds.js'
import { halfFromWhole, wholeFromHalf } from './extend.js'
import { keepResults } from './memo.js'
import { constant, constantBounds, contains, inexact, isConstant, scalar, type Outcome, type Scalar } from './scalar.js'
import { meetTnums, signed, signed32, U32, unsigned, withLowHalf } from './tnum.js'

/** Conditional jumps, by the high bits of their opcodes. */
export const JMP = {
  JA: 0x00,
  JEQ: 0x10,
  JGT: 0x20,
  JGE: 0x30,
  JSET: 0x40,
  JNE: 0x50,
  JSGT: 0x60,
  JSGE: 0x70,
  CALL: 0x80,
  EXIT: 0x90,
  JLT: 0xa0,
  JLE: 0xb0,
  JSLT: 0xc0,
  JSLE: 0xd0,
  JCOND: 0xe0
} as const

/** The operation that holds where the given one does not. JSET has none of its own: -JSET. */
const OPPOSITE: ReadonlyMap<number, number> = new Map([
  [JMP.JEQ, JMP.JNE], [JMP.JNE, JMP.JEQ], [JMP.JGT, JMP.JLE], [JMP.JLE, JMP.JGT], [JMP.JGE, JMP.JLT], [JMP.JLT, JMP.JGE],
  [JMP.JSGT, JMP.JSLE], [JMP.JSLE, JMP.JSGT], [JMP.JSGE, JMP.JSLT], [JMP.JSLT, JMP.JSGE], [JMP.JSET, -JMP.JSET]
])

/** The same comparison with its sides exchanged. */
const EXCHANGED: ReadonlyMap<number, number> = new Map([
  [JMP.JGT, JMP.JLT], [JMP.JLT, JMP.JGT], [JMP.JGE, JMP.JLE], [JMP.JLE, JMP.JGE],
  [JMP.JSGT, JMP.JSLT], [JMP.JSLT, JMP.JSGT], [JMP.JSGE, JMP.JSLE], [JMP.JSLE, JMP.JSGE]
])

export const opposite = (operation: number): number => OPPOSITE.get(operation) ?? operation
export const exchanged = (operation: number): number => EXCHANGED.get(operation) ?? operation

/** A conditional jump, with what it compares. */
export interface Comparison<Side> {
  readonly operation: number
  readonly is64: boolean
  readonly left: Side
  readonly right: Side
  readonly leftRegister: number
  /** Undefined where the right side is the immediate. */
  readonly rightRegister: number | undefined
  readonly next: number
  readonly target: number
}

interface Range {
  readonly umin: bigint
  readonly umax: bigint
  readonly smin: bigint
  readonly smax: bigint
  readonly bits: bigint
  readonly mask: bigint
}

function rangeOf (value: Bounds, is64: boolean): Range {
  return is64
    ? value
    : { umin: value.umin32, umax: value.umax32, smin: value.smin32, smax: value.smax32, bits: value.bits & U32, mask: value.mask & U32 }
}

/**
 * Whether a verifier by these rules sees that the comparison always holds (true) or never does (false); undefined: it follows both
 * ways.
 */
export function decide (rules: Rules, operation: number, left: Scalar, right: Scalar, is64: boolean): boolean | undefined {
  const a = rangeOf(left.bounds, is64)
  const b = rangeOf(right.bounds, is64)
  const areOne = (left.isOne || isConstant(left)) && (right.isOne || isConstant(right))
  const comparesRanges = rules.comparesRanges || areOne
  if (!comparesRanges && b.mask !== 0n) return undefined
  const areConstant = (a.mask | b.mask) === 0n
  if (!rules.decidesBranches && !(areConstant && isOldDecision(operation, a.bits === b.bits))) return undefined
  if (!rules.followsRanges && !areConstant && !areOne) return undefined
  if (operation === JMP.JSET && !rules.decidesBitTests) return undefined
  switch (operation) {
    case JMP.JEQ: return areConstant || comparesRanges ? equal(rules, a, b, left.bounds, right.bounds, is64) : undefined
    case JMP.JNE: return areConstant || comparesRanges ? not(equal(rules, a, b, left.bounds, right.bounds, is64)) : undefined
    case JMP.JGT: return greater(a.umin, a.umax, b.umin, b.umax)
    case JMP.JLE: return not(greater(a.umin, a.umax, b.umin, b.umax))
    case JMP.JLT: return greater(b.umin, b.umax, a.umin, a.umax)
    case JMP.JGE: return not(greater(b.umin, b.umax, a.umin, a.umax))
    case JMP.JSGT: return greater(a.smin, a.smax, b.smin, b.smax)
    case JMP.JSLE: return not(greater(a.smin, a.smax, b.smin, b.smax))
    case JMP.JSLT: return greater(b.smin, b.smax, a.smin, a.smax)
    case JMP.JSGE: return not(greater(b.smin, b.smax, a.smin, a.smax))
    case JMP.JSET: return b.mask === 0n ? testBits(a, b.bits) : a.mask === 0n ? testBits(b, a.bits) : undefined
    default: return undefined
  }
}

/** What verifiers decided before they could do more: that constants are equal. */
function isOldDecision (operation: number, areEqual: boolean): boolean {
  return areEqual && (operation === JMP.JEQ || operation === JMP.JNE)
}

function testBits (a: Range, bits: bigint): boolean | undefined {
  if ((a.bits & bits) !== 0n) return true
  return ((a.bits | a.mask) & bits) === 0n ? false : undefined
}

function not (answer: boolean | undefined): boolean | undefined { return answer === undefined ? undefined : !answer }

function equal (rules: Rules, a: Range, b: Range, left: Bounds, right: Bounds, is64: boolean): boolean | undefined {
  if ((a.mask | b.mask) === 0n) return a.bits === b.bits
  if (rules.comparesBits && ((a.bits ^ b.bits) & ~a.mask & ~b.mask) !== 0n) return false
  if (a.umin > b.umax || a.umax < b.umin || a.smin > b.smax || a.smax < b.smin) return false
  const halvesDiffer = is64 &&
    (left.umin32 > right.umax32 || left.umax32 < right.umin32 || left.smin32 > right.smax32 || left.smax32 < right.smin32)
  return halvesDiffer ? false : undefined
}

function greater (amin: bigint, amax: bigint, bmin: bigint, bmax: bigint): boolean | undefined {
  if (amin > bmax) return true
  return amax <= bmin ? false : undefined
}

/**
 * What is known of both sides where a comparison of numbers holds (`-JSET`: where no such bit is set), which the verifier did not
 * decide. A side that comes out contradictory is one that verifiers disagree about: unknown, and not exact.
 */
export function learn (age: Age, operation: number, left: Scalar, right: Scalar, is64: boolean): readonly [Scalar, Scalar] {
  const [a, b] = learned(age, is64 ? operation : operation + 1, left.bounds, right.bounds)
  return [merge(age, left, a, operation, right, is64), merge(age, right, b, exchanged(operation), left, is64)]
}

const learned = keepResults((age, what, a, b): readonly [Outcome, Outcome] => {
  const is64 = (what & 1) === 0
  const operation = is64 ? what : what - 1
  const sure = narrowed(age.sure, operation, a, b, is64)
  const perhaps = age.sure === age.perhaps ? sure : narrowed(age.perhaps, operation, a, b, is64)
  return [agreement(a, sure[0], perhaps[0]), agreement(b, sure[1], perhaps[1])]
})

/** On a way that cannot be taken, some verifiers forget all that they knew of the number, such as Linux 6.12. */
function agreement (before: SharedBounds, sure: Bounds, perhaps: Bounds): Outcome {
  if (contradict(sure) || contradict(perhaps) || !contains(sure, perhaps)) return { bounds: ANY_NUMBER, isAgreed: false }
  return { bounds: sameBounds(before, sure) ? before : share(sure), isAgreed: sameBounds(sure, perhaps) }
}

function merge (
  age: Age, before: Scalar, { bounds = before.bounds, isAgreed }: Outcome, operation: number, other: Scalar, is64: boolean
): Scalar {
  if (isConstant(before)) return before
  if (bounds === before.bounds) return isAgreed ? before : inexact(before)
  if (bounds.mask === 0n && isAgreed) return constant(bounds.bits, before.from)
  const isExact = before.exact && (
    (isAgreed && !age.perhaps.keepsArcs && age.followsRanges !== 'maybe') || isJustWhatHolds(before.bounds, bounds, operation, other, is64)
  )
  return scalar(bounds, { ...before, exact: isExact })
}

/**
 * Whether what is left of a number are just those for which a comparison with a constant holds. No verifier may leave out any of them,
 * whatever it can do, since each step of it allows for all that can come of what it allowed for before.
 */
function isJustWhatHolds (before: Bounds, left: Bounds, operation: number, other: Scalar, is64: boolean): boolean {
  if (!isConstant(other) || !contains(before, left)) return false
  // The lower half is the whole number where nothing is above it; its sign is another bit.
  if (!is64 && before.umax > U32) return false
  const { bits } = other.bounds
  const number = is64 ? bits : bits & U32
  switch (operation) {
    case JMP.JEQ: return left.umin === number && left.umax === number
    case JMP.JNE: return left.umin > number || left.umax < number
    case JMP.JGT: return left.umin > number
    case JMP.JGE: return left.umin >= number
    case JMP.JLT: return left.umax < number
    case JMP.JLE: return left.umax <= number
    case JMP.JSGT: return is64 && left.smin > signed(number)
    case JMP.JSGE: return is64 && left.smin >= signed(number)
    case JMP.JSLT: return is64 && left.smax < signed(number)
    case JMP.JSLE: return is64 && left.smax <= signed(number)
    default: return false
  }
}

function narrowed (rules: Rules, operation: number, left: Bounds, right: Bounds, is64: boolean): readonly [Bounds, Bounds] {
  if (rules.comparesRanges) {
    const [a, b] = [draftOf(left), draftOf(right)]
    refine(operation, a, b, is64)
    return [settle(rules, a), settle(rules, b)]
  }
  const isKnown = ({ mask }: Bounds): boolean => mask === 0n || (!is64 && (mask & U32) === 0n)
  if (isKnown(right)) return [narrow(rules, operation, left, right.bits, is64), right]
  if (isKnown(left)) {
    const isOfBits = operation === JMP.JSET || operation === -JMP.JSET
    return [left, narrow(rules, isOfBits ? operation : exchanged(operation), right, left.bits, is64)]
  }
  if (!is64 || operation !== JMP.JEQ) return [left, right]
  const whole = { ...meetRanges(left, right, true), ...meetTnums(left, right) }
  return [settle(rules, { ...draftOf(left), ...whole }), settle(rules, { ...draftOf(right), ...whole })]
}

/** Older verifiers: one side is known. The half that was not compared is worked out from the other. */
function narrow (rules: Rules, operation: number, value: Bounds, limit: bigint, is64: boolean): Bounds {
  const d = draftOf(value)
  const c = is64 ? unsigned(limit) : limit & U32
  if (operation === JMP.JEQ) {
    if (is64) return constantBounds(c)
    Object.assign(d, withLowHalf(d, { bits: c, mask: 0n }), { umin32: c, umax32: c, smin32: signed32(c), smax32: signed32(c) })
  } else if (operation === -JMP.JSET) {
    Object.assign(d, ANY_RANGE, ANY_RANGE32)
    d.bits &= ~c
    d.mask &= ~c
  } else if (operation === JMP.JSET) setBit(d, c)
  else if (operation !== JMP.JNE) {
    const s = is64 ? signed(c) : signed32(c)
    shorten(operation, d, { umin: c, umax: c, smin: s, smax: s }, is64)
  }
  if (is64) return settle(rules, halfFromWhole(d))
  if ((d.bits | d.mask) <= U32) return settle(rules, wholeFromHalf(d))
  return settle(rules, Object.assign(d, ANY_RANGE))
}

function setBit (d: Draft, c: bigint): void {
  if (c === 0n || (c & (c - 1n)) !== 0n) return
  d.bits |= c
  d.mask &= ~c
}

function meetRanges (a: Bounds, b: Bounds, is64: boolean): Pick<Bounds, 'umin' | 'umax' | 'smin' | 'smax'> {
  const [x, y] = [rangeOf(a, is64), rangeOf(b, is64)]
  return { umin: max(x.umin, y.umin), umax: min(x.umax, y.umax), smin: max(x.smin, y.smin), smax: min(x.smax, y.smax) }
}

/** Newer verifiers: both sides learn. */
function refine (operation: number, a: Draft, b: Draft, is64: boolean): void {
  const isKnown = (d: Draft): boolean => ((is64 ? d.mask : d.mask & U32) === 0n)
  const [open, known] = isKnown(b) ? [a, b] : [b, a]
  const c = is64 ? known.bits : known.bits & U32
  switch (operation) {
    case JMP.JEQ: {
      const range = meetRanges(a, b, is64)
      put(a, range, is64)
      put(b, range, is64)
      const tnum = is64
        ? meetTnums(a, b)
        : meetTnums({ bits: a.bits & U32, mask: a.mask & U32 }, { bits: b.bits & U32, mask: b.mask & U32 })
      Object.assign(a, is64 ? tnum : withLowHalf(a, tnum))
      Object.assign(b, is64 ? tnum : withLowHalf(b, tnum))
      return
    }
    case JMP.JNE:
      if (isKnown(known)) shaveEdges(open, c, is64)
      return
    case JMP.JSET:
      if (isKnown(known)) setBit(open, c)
      return
    case -JMP.JSET:
      if (!isKnown(known)) return
      Object.assign(open, ANY_RANGE, ANY_RANGE32)
      open.bits &= ~c
      open.mask &= ~c
      return
    default: {
      const [left, right] = [rangeOf(draftOf(a), is64), rangeOf(draftOf(b), is64)]
      shorten(operation, a, right, is64)
      shorten(exchanged(operation), b, left, is64)
    }
  }
}

function put (d: Draft, { umin, umax, smin, smax }: Pick<Bounds, 'umin' | 'umax' | 'smin' | 'smax'>, is64: boolean): void {
  Object.assign(d, is64 ? { umin, umax, smin, smax } : { umin32: umin, umax32: umax, smin32: smin, smax32: smax })
}

function shaveEdges (d: Draft, c: bigint, is64: boolean): void {
  const { umin, umax, smin, smax } = rangeOf(d, is64)
  const s = is64 ? signed(c) : signed32(c)
  const rest = {
    umin: umin === c ? umin + 1n : umin,
    umax: umax === c ? umax - 1n : umax,
    smin: smin === s ? smin + 1n : smin,
    smax: smax === s ? smax - 1n : smax
  }
  put(d, rest, is64)
}

/** Shortens the range of a number that is on the said side of another. */
function shorten (operation: number, d: Draft, other: Pick<Range, 'umin' | 'umax' | 'smin' | 'smax'>, is64: boolean): void {
  const range = { ...rangeOf(d, is64) }
  const width = is64 ? 64 : 32
  const u = (value: bigint): bigint => BigInt.asUintN(width, value)
  const s = (value: bigint): bigint => BigInt.asIntN(width, value)
  switch (operation) {
    case JMP.JGT: range.umin = max(range.umin, u(other.umin + 1n)); break
    case JMP.JGE: range.umin = max(range.umin, other.umin); break
    case JMP.JLT: range.umax = min(range.umax, u(other.umax - 1n)); break
    case JMP.JLE: range.umax = min(range.umax, other.umax); break
    case JMP.JSGT: range.smin = max(range.smin, s(other.smin + 1n)); break
    case JMP.JSGE: range.smin = max(range.smin, other.smin); break
    case JMP.JSLT: range.smax = min(range.smax, s(other.smax - 1n)); break
    case JMP.JSLE: range.smax = min(range.smax, other.smax); break
  }
  put(d, range, is64)
}
