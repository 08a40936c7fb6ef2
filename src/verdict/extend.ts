import type { Age, Rules } from './age.js'
import { ANY_NUMBER, ANY_RANGE32, draftOf, max, min, S32_MAX, S32_MIN, settle, type Bounds, type Draft } from './bounds.js'
import { constant, isConstant, isUnknown, keepUnary, numberOf, ofSize, type Scalar } from './scalar.js'
import { signed32, tnumOfRange, U32, U64 } from './tnum.js'

/** So many bytes, all bits set. */
const TOPS = Array.from({ length: 9 }, (_, bytes) => (1n << BigInt(bytes * 8)) - 1n)
const topOf = (bytes: number): bigint => TOPS[bytes] ?? U64

/** Whether the upper bits are known to be zero, so that a copy of the low `bytes` is the number itself. */
export function fits ({ bounds }: Scalar, bytes: number): boolean { return bytes >= 8 || bounds.umax <= topOf(bytes) }

/** The low `bytes` of a number that is loaded, the rest zero. Keeps the id: whether the copy has one is the caller's to say. */
export function cut (age: Age, value: Scalar, bytes: number): Scalar {
  if (bytes >= 8) return value
  const { bits } = value.bounds
  if (isConstant(value)) return bits <= topOf(bytes) ? value : constant(bits & topOf(bytes), value.from)
  if (isUnknown(value)) return ofSize(bytes, value)
  return numberOf(age, cutOf(age, bytes, value.bounds), value)
}

const cutOf = keepUnary((rules, bytes, bounds) => {
  const top = topOf(bytes)
  const d = draftOf(bounds)
  d.bits &= top
  d.mask &= top
  const keepsRange = (d.umin & ~top) === (d.umax & ~top)
  d.smin = d.umin = keepsRange ? d.umin & top : 0n
  d.smax = d.umax = keepsRange ? d.umax & top : top
  if (bytes < 4) Object.assign(d, ANY_RANGE32)
  if (rules.comparesRanges) return settle(rules, d)
  return bytes === 4 ? d : settle(rules, halfFromWhole(d))
})

/** What older verifiers know of the lower half of a number whose whole they know. */
export function halfFromWhole (d: Draft): Draft {
  Object.assign(d, ANY_RANGE32)
  if (d.smin >= S32_MIN && d.smax <= S32_MAX) {
    d.smin32 = d.smin
    d.smax32 = d.smax
  }
  if (d.umax <= U32) {
    d.umin32 = d.umin
    d.umax32 = d.umax
  }
  return d
}

/** The whole number of which only the lower half is known, the upper being zero. */
export function wholeFromHalf (d: Draft): Draft {
  d.bits &= U32
  d.mask &= U32
  d.umin = d.umin32
  d.umax = d.umax32
  const isPositive = d.smin32 >= 0n && d.smax32 >= 0n
  d.smin = isPositive ? d.smin32 : 0n
  d.smax = isPositive ? d.smax32 : U32
  return d
}

/** The lower 32 bits of a register, the rest zero. Keeps the id, as cut does. */
export function lowHalf (age: Age, value: Scalar): Scalar {
  const { bits } = value.bounds
  if (isConstant(value)) return bits <= U32 ? value : constant(bits & U32, value.from)
  return numberOf(age, lowHalfOf(age, 0, value.bounds), value)
}

const lowHalfOf = keepUnary((rules, _, bounds) => settle(rules, wholeFromHalf(draftOf(bounds))))

/**
 * The low `bytes` of a number, its sign copied upwards: the verifier keeps the range where its ends agree in what is cut off
 * and in their new signs, and the bits that such a range has. Keeps the id, as cut does.
 *
 * @param is64 whether all 64 bits are written, or the lower half, the rest zero
 */
export function signExtend (age: Age, value: Scalar, bytes: number, is64: boolean): Scalar {
  const width = bytes * 8
  if (isConstant(value)) {
    const extended = BigInt.asIntN(width, value.bounds.bits)
    return constant(is64 ? extended : extended & U32, value.from)
  }
  return numberOf(age, (is64 ? wholeSignedOf : lowSignedOf)(age, width, value.bounds), value)
}

const wholeSignedOf = keepUnary((_, width, bounds) => wholeSigned(bounds, width))
const lowSignedOf = keepUnary((rules, width, bounds) => lowSigned(rules, bounds, width))

function keptRange (low: bigint, high: bigint, width: number): readonly [bigint, bigint] | undefined {
  const from = BigInt.asIntN(width, low)
  const to = BigInt.asIntN(width, high)
  return low >> BigInt(width) === high >> BigInt(width) && (from < 0n) === (to < 0n) ? [min(from, to), max(from, to)] : undefined
}

function wholeSigned (value: Bounds, width: number): Bounds {
  const kept = keptRange(value.smin, value.smax, width)
  const top = (1n << BigInt(width - 1)) - 1n
  if (kept === undefined) return { ...ANY_NUMBER, smin: -top - 1n, smax: top, smin32: -top - 1n, smax32: top }
  const [low, high] = [kept[0] & U64, kept[1] & U64]
  return {
    ...tnumOfRange(low, high),
    umin: low,
    umax: high,
    smin: kept[0],
    smax: kept[1],
    umin32: low & U32,
    umax32: high & U32,
    smin32: signed32(low),
    smax32: signed32(high)
  }
}

function lowSigned (rules: Rules, value: Bounds, width: number): Bounds {
  const kept = keptRange(value.smin32, value.smax32, width)
  const top = (1n << BigInt(width - 1)) - 1n
  const half: Bounds = kept === undefined
    ? { ...ANY_NUMBER, smin32: -top - 1n, smax32: top }
    : {
        ...ANY_NUMBER,
        ...tnumOfRange(kept[0] & U32, kept[1] & U32),
        umin32: kept[0] & U32,
        umax32: kept[1] & U32,
        smin32: kept[0],
        smax32: kept[1]
      }
  return settle(rules, wholeFromHalf(draftOf(half)))
}
