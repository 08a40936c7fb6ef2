import type { Age, Rules } from './age.js'
import { ANY_NUMBER, contradict, S32_MAX, S32_MIN, S64_MAX, S64_MIN, sameBounds, type Bounds } from './bounds.js'
import { signed, signed32, U32, U64, unsigned } from './tnum.js'

/**
 * What the verifier knows about a number in a register: known bits (its tnum), and ranges as unsigned and signed numbers of 64
 * and of 32 bits. Immutable, so that states share it.
 *
 * Two promises make verdicts of it. A value always allows everything that the verifier's own value allows there, so that what
 * is decided here is decided there. Where `exact` holds, the verifier's value allows everything that this one does as well, so
 * that what is open here is open there. Where verifiers that it may be differ, the wider value is taken and is not exact.
 */
export interface Scalar extends Bounds {
  readonly kind: 'scalar'
  readonly exact: boolean
  /** Equal for copies of one unknown number, which a branch narrows together. 0: no copy. */
  readonly id: number
  /** The id of the number that this was computed from in a way that some verifiers follow. 0: none. */
  readonly related: number
  /** Assumptions that the number comes from. */
  readonly from: readonly string[]
  /** Whether the verifier has one number here; which one is not known. */
  readonly isOne: boolean
}

const NOTHING: readonly string[] = []

export interface Traits {
  readonly exact?: boolean
  readonly id?: number
  readonly related?: number
  readonly from?: readonly string[]
  readonly isOne?: boolean
}

/** Names the members one by one, so that all scalars have one hidden class. */
export function scalar (b: Bounds, { exact = true, id = 0, related = 0, from = NOTHING, isOne = false }: Traits): Scalar {
  return {
    kind: 'scalar',
    bits: b.bits,
    mask: b.mask,
    umin: b.umin,
    umax: b.umax,
    smin: b.smin,
    smax: b.smax,
    umin32: b.umin32,
    umax32: b.umax32,
    smin32: b.smin32,
    smax32: b.smax32,
    exact,
    id,
    related,
    from,
    isOne
  }
}

export const UNKNOWN = scalar(ANY_NUMBER, {})
export const VAGUE = scalar(ANY_NUMBER, { exact: false })

const SMALL = Array.from({ length: 257 }, (_, i) => makeConstant(BigInt(i), NOTHING))

function makeConstant (value: bigint, from: readonly string[]): Scalar {
  const low = value & U32
  const s = signed(value)
  const s32 = signed32(low)
  return scalar({
    bits: value,
    mask: 0n,
    umin: value,
    umax: value,
    smin: s,
    smax: s,
    umin32: low,
    umax32: low,
    smin32: s32,
    smax32: s32
  }, { from })
}

/** A known number; `value` may be signed. */
export function constant (value: bigint, from: readonly string[] = NOTHING): Scalar {
  const wide = unsigned(value)
  if (wide <= 256n && from.length === 0) return SMALL[Number(wide)] ?? makeConstant(wide, from)
  return makeConstant(wide, from)
}

export const ZERO = constant(0n)

export function isConstant (value: Scalar): boolean { return value.mask === 0n }

export function isUnknown (value: Bounds): boolean {
  return value.mask === U64 && value.umin === 0n && value.umax === U64 && value.smin === S64_MIN && value.smax === S64_MAX &&
    hasFullLow(value)
}

function hasFullLow (value: Bounds): boolean {
  return value.umin32 === 0n && value.umax32 === U32 && value.smin32 === S32_MIN && value.smax32 === S32_MAX
}

/** An unknown number of so many bytes, as a load leaves it. */
export function ofSize (bytes: number, traits: Traits = {}): Scalar {
  if (bytes >= 8) return scalar(ANY_NUMBER, traits)
  const top = (1n << BigInt(bytes * 8)) - 1n
  const isWord = bytes === 4
  return scalar({
    bits: 0n,
    mask: top,
    umin: 0n,
    umax: top,
    smin: 0n,
    smax: top,
    umin32: 0n,
    umax32: top,
    smin32: isWord ? S32_MIN : 0n,
    smax32: isWord ? S32_MAX : top
  }, traits)
}

export function union (a: readonly string[], b: readonly string[]): readonly string[] {
  if (a === b || b.length === 0) return a
  if (a.length === 0) return b
  return b.every(name => a.includes(name)) ? a : [...new Set([...a, ...b])].sort()
}

/**
 * A number by the rules of a verifier whose age may be in doubt: by those that it has in any case, and exact where those that
 * it may have come to the same.
 *
 * @param traits of what it is worked out from
 * @param calculate undefined: the result is unknown
 */
export function byRules (age: Age, traits: Traits, calculate: (rules: Rules) => Bounds | undefined): Scalar {
  const sure = calculate(age.sure) ?? ANY_NUMBER
  if (contradict(sure)) return scalar(ANY_NUMBER, { exact: false, from: traits.from ?? NOTHING })
  const isAgreed = age.sure === age.perhaps || sameBounds(sure, calculate(age.perhaps) ?? ANY_NUMBER)
  if (sure.mask === 0n) return isAgreed ? constant(sure.bits, traits.from) : scalar(sure, { ...traits, exact: false })
  if (isUnknown(sure)) return scalar(ANY_NUMBER, { ...traits, isOne: false, exact: isAgreed && traits.exact !== false })
  const isBeyond = age.perhaps.keepsArcs || age.followsRanges === 'maybe'
  return scalar(sure, isAgreed && !isBeyond ? traits : { ...traits, exact: false })
}

/** Whether every number that `b` allows is allowed by `a`. */
export function includes (a: Scalar, b: Scalar): boolean {
  return (b.mask & ~a.mask) === 0n && ((a.bits ^ b.bits) & ~a.mask) === 0n &&
    a.umin <= b.umin && a.umax >= b.umax && a.smin <= b.smin && a.smax >= b.smax &&
    a.umin32 <= b.umin32 && a.umax32 >= b.umax32 && a.smin32 <= b.smin32 && a.smax32 >= b.smax32
}
