import type { Age, Rules } from './age.js'
import {
  ANY_NUMBER, ANY_RANGE, ANY_RANGE32, draftOf, learnFromBits, learnFromLowBits, max, min, S32_MAX, S32_MIN, S64_MAX, S64_MIN, settle,
  type Bounds, type Draft
} from './bounds.js'
import { wholeFromHalf } from './extend.js'
import { keepResults } from './memo.js'
import {
  constantBounds, exactly, IN_DOUBT, isAnyOfSize, isConstant, keepUnary, numberOf, outcomeOf, union, ZERO, type Outcome, type Scalar
} from './scalar.js'
import { addTnums, andTnums, multiplyTnums, orTnums, signed, signed32, subtractTnums, U32, U64, unsigned, xorTnums } from './tnum.js'

/** ALU operations, by the high bits of their opcodes. */
export const ALU = {
  ADD: 0x00,
  SUB: 0x10,
  MUL: 0x20,
  DIV: 0x30,
  OR: 0x40,
  AND: 0x50,
  LSH: 0x60,
  RSH: 0x70,
  NEG: 0x80,
  MOD: 0x90,
  XOR: 0xa0,
  MOV: 0xb0,
  ARSH: 0xc0,
  END: 0xd0
} as const

/**
 * The result of an ALU operation of 64 or 32 bits, as far as the verifier of that age works it out.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9669#name-arithmetic-instructions
 */
export function compute (age: Age, operation: number, a: Scalar, b: Scalar, is64: boolean): Scalar {
  const isOne = (a.isOne && (b.isOne || isConstant(b))) || (isConstant(a) && b.isOne)
  const isSum = is64 && (operation === ALU.ADD || operation === ALU.SUB) && isConstant(b) && age.linksSums !== 'no'
  const related = isSum ? a.id === 0 ? a.related : a.id : 0
  const outcome = computed(age, is64 ? operation | IS_64 : operation, a.bounds, b.bounds)
  const exact = a.exact && b.exact
  const number = numberOf(age, outcome, { exact, related, from: union(a.from, b.from), isOne })
  return exact && outcome.isAgreed && operation === ALU.AND && isMaskOfAny(number.bounds, a, b) ? exactly(number) : number
}

/**
 * Whether a result is all combinations of some lower bits of a number that can be any: each of them comes up, so that no verifier can
 * leave one out.
 */
function isMaskOfAny (result: Bounds, a: Scalar, b: Scalar): boolean {
  const { bits, mask, umin, umax, smin, smax, umin32, umax32, smin32, smax32 } = result
  if (!isConstant(b) || !isAnyOfSize(a) || bits !== 0n || mask !== (a.bounds.mask & b.bounds.bits) || mask > S32_MAX) return false
  const isFromZero = umin === 0n && smin === 0n && umin32 === 0n && smin32 === 0n
  return isFromZero && umax === mask && smax === mask && umax32 === mask && smax32 === mask
}

/** Beside an operation, which has the upper half of a byte. */
const IS_64 = 1

const computed = keepResults((age, what, a, b): Outcome => {
  const operation = what & ~IS_64
  const is64 = (what & IS_64) !== 0
  if (a.mask === 0n && b.mask === 0n && age.foldsXor === 'yes') {
    const folded = fold(operation, a.bits, b.bits, is64 ? 64 : 32)
    if (folded !== undefined) return { bounds: constantBounds(folded), isAgreed: true }
  }
  const isDivision = operation === ALU.DIV || operation === ALU.MOD
  if (isDivision && age.foldsDivision !== 'no') return IN_DOUBT
  return outcomeOf(age, rules => calculate(rules, operation, a, b, is64))
})

function fold (operation: number, a: bigint, b: bigint, width: number): bigint | undefined {
  const result = foldBits(operation, BigInt.asUintN(width, a), BigInt.asUintN(width, b), width)
  return result === undefined ? undefined : BigInt.asUintN(width, result)
}

function foldBits (operation: number, x: bigint, y: bigint, width: number): bigint | undefined {
  const isShift = operation === ALU.LSH || operation === ALU.RSH || operation === ALU.ARSH
  if (isShift && y >= BigInt(width)) return undefined
  switch (operation) {
    case ALU.ADD: return x + y
    case ALU.SUB: return x - y
    case ALU.MUL: return x * y
    case ALU.OR: return x | y
    case ALU.AND: return x & y
    case ALU.XOR: return x ^ y
    case ALU.LSH: return x << y
    case ALU.RSH: return x >> y
    case ALU.ARSH: return BigInt.asIntN(width, x) >> y
    default: return undefined
  }
}

/** Undefined: nothing is known of the result. */
function calculate (rules: Rules, operation: number, a: Bounds, b: Bounds, is64: boolean): Bounds | undefined {
  const width = is64 ? 64n : 32n
  const isKnown = is64 ? b.mask === 0n : (b.mask & U32) === 0n && b.umin32 === b.umax32 && b.smin32 === b.smax32
  if (operation === ALU.NEG) {
    if (!rules.foldsNegation) return undefined
    return finish(rules, combine(rules, ALU.SUB, ZERO.bounds, a), is64)
  }
  const isShift = operation === ALU.LSH || operation === ALU.RSH || operation === ALU.ARSH
  if (rules.computesUnknowns) {
    if (isShift && (!isKnown || b.umax >= width)) return undefined
  } else {
    if (!isKnown && operation !== ALU.ADD && operation !== ALU.SUB && operation !== ALU.AND) return undefined
    if (isShift && b.umax >= width) return finish(rules, draftOf(ANY_NUMBER), is64)
  }
  if (operation === ALU.DIV || operation === ALU.MOD || (operation === ALU.XOR && !rules.foldsXor)) {
    return rules.forgetsUpperHalf ? undefined : finish(rules, draftOf(ANY_NUMBER), is64)
  }
  const by = is64 ? b.umin : b.umin32
  switch (operation) {
    case ALU.LSH: return finish(rules, is64 ? shiftLeft(a, by) : shiftLeftHalf(a, by), is64)
    case ALU.RSH: return finish(rules, is64 ? shiftRight(a, by) : shiftRightHalf(a, by), is64)
    case ALU.ARSH: return finish(rules, is64 ? shiftSigned(a, by) : shiftSignedHalf(a, by), is64)
    default: return finish(rules, combine(rules, operation, a, b), is64)
  }
}

function finish (rules: Rules, d: Draft, is64: boolean): Bounds { return settle(rules, is64 ? d : wholeFromHalf(d)) }

interface Range {
  readonly umin: bigint
  readonly umax: bigint
  readonly smin: bigint
  readonly smax: bigint
}

const halfOf = (b: Bounds): Range => ({ umin: b.umin32, umax: b.umax32, smin: b.smin32, smax: b.smax32 })

/** Operations that are worked out for all 64 bits and for the lower half at once. */
function combine (rules: Rules, operation: number, a: Bounds, b: Bounds): Draft {
  const tnum = tnumOf(rules, operation, a, b)
  const d = draftOf(a)
  d.bits = tnum.bits
  d.mask = tnum.mask
  Object.assign(d, rangeOf(rules, operation, a, b, tnum.bits, tnum.bits | tnum.mask, 64))
  const low = rangeOf(rules, operation, halfOf(a), halfOf(b), tnum.bits & U32, (tnum.bits | tnum.mask) & U32, 32)
  d.umin32 = low.umin
  d.umax32 = low.umax
  d.smin32 = low.smin
  d.smax32 = low.smax
  if (operation === ALU.AND || operation === ALU.OR || operation === ALU.XOR) learnFromBits(d)
  return d
}

function tnumOf (rules: Rules, operation: number, a: Bounds, b: Bounds): Pick<Bounds, 'bits' | 'mask'> {
  switch (operation) {
    case ALU.ADD: return addTnums(a, b)
    case ALU.SUB: return subtractTnums(a, b)
    case ALU.MUL: return multiplyTnums(a, b, rules.joinsProducts ? 'joined' : rules.sumsProducts ? 'sums' : 'masks')
    case ALU.AND: return andTnums(a, b)
    case ALU.OR: return orTnums(a, b)
    case ALU.XOR: return xorTnums(a, b)
    default: return ANY_NUMBER
  }
}

/** @param bits what is known to be set in the result; `open`: what may be */
function rangeOf (rules: Rules, operation: number, a: Range, b: Range, bits: bigint, open: bigint, width: 64 | 32): Range {
  switch (operation) {
    case ALU.ADD: return added(rules, [a.umin + b.umin, a.umax + b.umax], [a.smin + b.smin, a.smax + b.smax], width)
    case ALU.SUB: return added(rules, [a.umin - b.umax, a.umax - b.umin], [a.smin - b.smax, a.smax - b.smin], width)
    case ALU.MUL: return rules.multipliesSigned ? productOfSigned(a, b, width) : product(a, b, width)
    case ALU.AND: return withSigns(rules, bits, min(a.umax, b.umax), a, b, width)
    case ALU.OR: return withSigns(rules, max(a.umin, b.umin), open, a, b, width)
    default: return withSigns(rules, bits, open, a, b, width)
  }
}

const top = (width: 64 | 32): bigint => width === 64 ? U64 : U32
const lowest = (width: 64 | 32): bigint => width === 64 ? S64_MIN : S32_MIN
const highest = (width: 64 | 32): bigint => width === 64 ? S64_MAX : S32_MAX

/** A range that wraps around at one end is lost; one that wraps around at both is kept by newer verifiers. */
function added (rules: Rules, u: readonly [bigint, bigint], s: readonly [bigint, bigint], width: 64 | 32): Range {
  const fits = u[0] >= 0n && u[1] <= top(width)
  const wraps = rules.keepsWrapped && ((u[0] > top(width) && u[1] > top(width)) || (u[0] < 0n && u[1] < 0n))
  const fitsSigned = s[0] >= lowest(width) && s[1] <= highest(width)
  return {
    umin: fits || wraps ? BigInt.asUintN(width, u[0]) : 0n,
    umax: fits || wraps ? BigInt.asUintN(width, u[1]) : top(width),
    ...keptSigned(rules, fitsSigned, s, width)
  }
}

function keptSigned (rules: Rules, fits: boolean, s: readonly [bigint, bigint], width: 64 | 32): Pick<Range, 'smin' | 'smax'> {
  const wraps = rules.keepsWrapped && ((s[0] > highest(width) && s[1] > highest(width)) || (s[0] < lowest(width) && s[1] < lowest(width)))
  return fits || wraps
    ? { smin: BigInt.asIntN(width, s[0]), smax: BigInt.asIntN(width, s[1]) }
    : { smin: lowest(width), smax: highest(width) }
}

function product (a: Range, b: Range, width: 64 | 32): Range {
  const limit = width === 64 ? U32 : 0xffffn
  const isLost = a.smin < 0n || b.smin < 0n || a.umax > limit || b.umax > limit
  if (isLost) return { umin: 0n, umax: top(width), smin: lowest(width), smax: highest(width) }
  const [low, high] = [a.umin * b.umin, a.umax * b.umax]
  return { umin: low, umax: high, ...high > highest(width) ? { smin: lowest(width), smax: highest(width) } : { smin: low, smax: high } }
}

function productOfSigned (a: Range, b: Range, width: 64 | 32): Range {
  const [low, high] = [a.umin * b.umin, a.umax * b.umax]
  const fits = high <= top(width)
  const corners = [a.smin * b.smin, a.smin * b.smax, a.smax * b.smin, a.smax * b.smax]
  const smin = corners.reduce(min)
  const smax = corners.reduce(max)
  const fitsSigned = smin >= lowest(width) && smax <= highest(width)
  return {
    umin: fits ? low : 0n,
    umax: fits ? high : top(width),
    smin: fitsSigned ? smin : lowest(width),
    smax: fitsSigned ? smax : highest(width)
  }
}

/** Signs of what bitwise operations leave: older verifiers look at those of the sides, newer ones at the result. */
function withSigns (rules: Rules, umin: bigint, umax: bigint, a: Range, b: Range, width: 64 | 32): Range {
  const [smin, smax] = [BigInt.asIntN(width, umin), BigInt.asIntN(width, umax)]
  const isKept = rules.comparesRanges ? smin <= smax : a.smin >= 0n && b.smin >= 0n
  return isKept ? { umin, umax, smin, smax } : { umin, umax, smin: lowest(width), smax: highest(width) }
}

function shiftLeft (a: Bounds, by: bigint): Draft {
  const fits = a.umax <= 1n << 63n - by
  const d: Draft = {
    bits: unsigned(a.bits << by),
    mask: unsigned(a.mask << by),
    umin: fits ? a.umin << by : 0n,
    umax: fits ? a.umax << by : U64,
    smin: by === 32n ? a.smin32 << 32n : S64_MIN,
    smax: by === 32n ? a.smax32 << 32n : S64_MAX,
    ...shiftedHalf(a, by)
  }
  learnFromBits(d)
  return d
}

function shiftedHalf (a: Bounds, by: bigint): Pick<Draft, 'umin32' | 'umax32' | 'smin32' | 'smax32'> {
  const fits = by <= 31n && a.umax32 <= 1n << 31n - by
  return { ...ANY_RANGE32, umin32: fits ? a.umin32 << by : 0n, umax32: fits ? a.umax32 << by : U32 }
}

function shiftLeftHalf (a: Bounds, by: bigint): Draft {
  const d: Draft = { ...ANY_RANGE, bits: a.bits << by & U32, mask: a.mask << by & U32, ...shiftedHalf(a, by) }
  learnFromLowBits(d)
  return d
}

function shiftRight (a: Bounds, by: bigint): Draft {
  const d: Draft = { ...ANY_RANGE, ...ANY_RANGE32, bits: a.bits >> by, mask: a.mask >> by, umin: a.umin >> by, umax: a.umax >> by }
  learnFromBits(d)
  return d
}

function shiftRightHalf (a: Bounds, by: bigint): Draft {
  const d: Draft = {
    ...ANY_RANGE,
    ...ANY_RANGE32,
    bits: (a.bits & U32) >> by,
    mask: (a.mask & U32) >> by,
    umin32: a.umin32 >> by,
    umax32: a.umax32 >> by
  }
  learnFromLowBits(d)
  return d
}

function shiftSigned (a: Bounds, by: bigint): Draft {
  const mask = unsigned(signed(a.mask) >> by)
  const bits = unsigned(signed(a.bits) >> by) & ~mask
  const d: Draft = { ...ANY_RANGE, ...ANY_RANGE32, bits, mask, smin: a.smin >> by, smax: a.smax >> by }
  learnFromBits(d)
  return d
}

function shiftSignedHalf (a: Bounds, by: bigint): Draft {
  const mask = signed32(a.mask) >> by & U32
  const bits = signed32(a.bits) >> by & U32 & ~mask
  const d: Draft = { ...ANY_RANGE, ...ANY_RANGE32, bits, mask, smin32: a.smin32 >> by, smax32: a.smax32 >> by }
  learnFromLowBits(d)
  return d
}

/** A byte swap, or a cut to so many bits where the machine's order is the one asked for. */
export function swapBytes (age: Age, value: Scalar, bits: number, swaps: boolean): Scalar {
  return numberOf(age, swapped(age, swaps ? bits : -bits, value.bounds), { exact: value.exact, from: value.from, isOne: value.isOne })
}

/** Negative where the bytes stay in their order. */
const swapped = keepUnary((rules, width, { bits, mask }) => {
  if (!rules.foldsByteSwap) return undefined
  const [size, swaps] = [Math.abs(width), width > 0]
  return settle(rules, { ...ANY_NUMBER, bits: swap(bits, size, swaps), mask: swap(mask, size, swaps) })
})

function swap (value: bigint, bits: number, swaps: boolean): bigint {
  const last = BigInt(bits / 8) - 1n
  let result = 0n
  for (let i = 0n; i <= last; i++) result |= (value >> i * 8n & 0xffn) << (swaps ? last - i : i) * 8n
  return result
}
