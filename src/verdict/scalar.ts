import type { Age, Rules } from './age.js'
import { ANY_NUMBER, contradict, S32_MAX, S32_MIN, sameBounds, share, type Bounds, type SharedBounds } from './bounds.js'
import { keepResults } from './memo.js'
import { signed, signed32, U32, unsigned } from './tnum.js'

/**
 * What the verifier knows about a number in a register: known bits (its tnum), and ranges as unsigned and signed numbers of 64
 * and of 32 bits. Immutable, so that states share it.
 *
 * Two promises make verdicts of it. A value always allows everything that the verifier's own value allows there, so that what
 * is decided here is decided there. Where `exact` holds, the verifier's value allows everything that this one does as well, so
 * that what is open here is open there. Where verifiers that it may be differ, the wider value is taken and is not exact.
 */
export interface Scalar {
  readonly kind: 'scalar'
  readonly bounds: SharedBounds
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
export function scalar (bounds: SharedBounds, { exact = true, id = 0, related = 0, from = NOTHING, isOne = false }: Traits): Scalar {
  return { kind: 'scalar', bounds, exact, id, related, from, isOne }
}

/** The same number with another id. */
export function scalarWithId ({ bounds, exact, related, from, isOne }: Scalar, id: number): Scalar {
  return { kind: 'scalar', bounds, exact, id, related, from, isOne }
}

/** The same number, of which verifiers may know more. */
export function inexact (value: Scalar): Scalar {
  if (!value.exact) return value
  const { bounds, id, related, from, isOne } = value
  return { kind: 'scalar', bounds, exact: false, id, related, from, isOne }
}

/** The same number, of which no verifier knows more. */
export function exactly (value: Scalar): Scalar {
  if (value.exact) return value
  const { bounds, id, related, from, isOne } = value
  return { kind: 'scalar', bounds, exact: true, id, related, from, isOne }
}

export const UNKNOWN = scalar(ANY_NUMBER, {})
export const VAGUE = scalar(ANY_NUMBER, { exact: false })

/** Constants that are looked up when they are made again; a power of two. */
const CONSTANTS = 1024
const CONSTANTS_MASK = BigInt(CONSTANTS - 1)
const constants: Array<Scalar | undefined> = new Array<undefined>(CONSTANTS).fill(undefined)

/** @param value as u64 */
export function constantBounds (value: bigint): SharedBounds {
  const low = value & U32
  const s = signed(value)
  const s32 = signed32(low)
  return share({
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
  })
}

/** By the immediate's lower bits: to make a BigInt of one costs more than to look it up. */
const immediates: Array<Immediate | undefined> = new Array<undefined>(CONSTANTS).fill(undefined)

interface Immediate {
  readonly imm: number
  readonly value: Scalar
}

/** The number that an immediate of 32 bits is, its sign extended. */
export function immediateOf (imm: number): Scalar {
  const place = imm & (CONSTANTS - 1)
  const known = immediates[place]
  if (known?.imm === imm) return known.value
  const value = constant(BigInt(imm))
  immediates[place] = { imm, value }
  return value
}

/** A known number; `value` may be signed. */
export function constant (value: bigint, from: readonly string[] = NOTHING): Scalar {
  if (from.length > 0) return scalar(constant(value).bounds, { from })
  const wide = unsigned(value)
  const place = Number(wide & CONSTANTS_MASK)
  const known = constants[place]
  if (known?.bounds.bits === wide) return known
  const made = scalar(constantBounds(wide), {})
  constants[place] = made
  return made
}

export const ZERO = constant(0n)

/** What numbers come from that are chosen: see free.ts. No assumption has this name. */
export const CHOSEN = ' chosen'

/** Whether it is one of the numbers that the verifier may have there. */
export function isChosen ({ from }: Scalar): boolean { return from.includes(CHOSEN) }

export function isConstant ({ bounds }: Scalar): boolean { return bounds.mask === 0n }

export function isZero ({ bounds }: Scalar): boolean { return bounds.mask === 0n && bounds.bits === 0n }

export function isUnknown ({ bounds }: Scalar): boolean { return sameBounds(bounds, ANY_NUMBER) }

/** An unknown number of so many bytes, as a load leaves it. */
export function ofSize (bytes: number, traits?: Traits): Scalar {
  if (traits === undefined) return EXACT_OF_SIZE[bytes] ?? UNKNOWN
  return scalar(EXACT_OF_SIZE[bytes]?.bounds ?? ANY_NUMBER, traits)
}

/** Whether it can be any number of 1, 2, 4 or 8 bytes. */
export function isAnyOfSize ({ bounds }: Scalar): boolean {
  return sameBounds(bounds, ANY_NUMBER) || SIZES.some(size => bounds === EXACT_OF_SIZE[size]?.bounds)
}

const SIZES = [1, 2, 4]

/** The same, of which verifiers may know more. */
export function vagueOfSize (bytes: number): Scalar { return VAGUE_OF_SIZE[bytes] ?? VAGUE }

/** By size; none of 8 bytes. */
const EXACT_OF_SIZE = Array.from({ length: 8 }, (_, bytes) => scalar(anyOfSize(bytes), {}))
const VAGUE_OF_SIZE = EXACT_OF_SIZE.map(inexact)

function anyOfSize (bytes: number): SharedBounds {
  const top = (1n << BigInt(bytes * 8)) - 1n
  const isWord = bytes === 4
  return share({
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
  })
}

export function union (a: readonly string[], b: readonly string[]): readonly string[] {
  if (a === b || b.length === 0) return a
  if (a.length === 0) return b
  return b.every(name => a.includes(name)) ? a : [...new Set([...a, ...b])].sort()
}

/** What an operation comes to by the rules of a verifier whose age may be in doubt: by those that it has in any case. */
export interface Outcome {
  /** Undefined: verifiers disagree, and nothing is known. */
  readonly bounds: SharedBounds | undefined
  /** Whether the rules that it may have come to the same. */
  readonly isAgreed: boolean
}

export const IN_DOUBT: Outcome = { bounds: undefined, isAgreed: false }

/** @param calculate undefined: the result is unknown */
export function outcomeOf (age: Age, calculate: (rules: Rules) => Bounds | undefined): Outcome {
  const sure = calculate(age.sure) ?? ANY_NUMBER
  if (contradict(sure)) return IN_DOUBT
  if (age.sure === age.perhaps) return { bounds: share(sure), isAgreed: true }
  const perhaps = calculate(age.perhaps) ?? ANY_NUMBER
  if (sameBounds(sure, perhaps)) return { bounds: share(sure), isAgreed: true }
  // Newer verifiers mostly know more, but not always.
  return contains(sure, perhaps) ? { bounds: share(sure), isAgreed: false } : IN_DOUBT
}

/**
 * A function of one number's bounds by the rules of an age.
 *
 * @param calculate undefined: the result is unknown
 */
export function keepUnary (
  calculate: (rules: Rules, what: number, bounds: SharedBounds) => Bounds | undefined
): (age: Age, what: number, bounds: SharedBounds) => Outcome {
  const kept = keepResults((age, what, bounds) => outcomeOf(age, rules => calculate(rules, what, bounds)))
  return (age, what, bounds) => kept(age, what, bounds, bounds)
}

/** The number that an operation leaves. @param traits of what it is worked out from */
export function numberOf (age: Age, { bounds, isAgreed }: Outcome, traits: Traits): Scalar {
  if (bounds === undefined) return scalar(ANY_NUMBER, { exact: false, from: traits.from ?? NOTHING })
  if (bounds.mask === 0n) return isAgreed ? constant(bounds.bits, traits.from) : scalar(bounds, { ...traits, exact: false })
  if (sameBounds(bounds, ANY_NUMBER)) return scalar(bounds, { ...traits, isOne: false, exact: isAgreed && traits.exact !== false })
  const isBeyond = age.perhaps.keepsArcs || age.followsRanges === 'maybe'
  return scalar(bounds, isAgreed && !isBeyond ? traits : { ...traits, exact: false })
}

/** Whether every number that `b` allows is allowed by `a`. */
export function includes ({ bounds: a }: Scalar, { bounds: b }: Scalar): boolean { return contains(a, b) }

/** Whether every number that is within `b` is within `a`. */
export function contains (a: Bounds, b: Bounds): boolean {
  return (b.mask & ~a.mask) === 0n && ((a.bits ^ b.bits) & ~a.mask) === 0n &&
    a.umin <= b.umin && a.umax >= b.umax && a.smin <= b.smin && a.smax >= b.smax &&
    a.umin32 <= b.umin32 && a.umax32 >= b.umax32 && a.smin32 <= b.smin32 && a.smax32 >= b.smax32
}
