/**
 * What the verifier knows about a number in a register: known bits (its tnum), and ranges as unsigned and signed numbers of 64
 * and of 32 bits. Immutable, so that states share it.
 *
 * Two promises make verdicts of it. A value always allows everything that the verifier's own value allows there, so that what
 * is decided here is decided there. Where `exact` holds, the verifier's value allows everything that this one does as well, so
 * that what is open here is open there. Where versions of the verifier differ, the wider value is taken and is not exact.
 */
export interface Scalar {
  readonly kind: 'scalar'
  /** Bits known to be set, as u64. */
  readonly bits: bigint
  /** Bits that are not known, as u64. */
  readonly mask: bigint
  readonly umin: bigint
  readonly umax: bigint
  readonly smin: bigint
  readonly smax: bigint
  readonly umin32: bigint
  readonly umax32: bigint
  readonly smin32: bigint
  readonly smax32: bigint
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

export type Bounds = Pick<Scalar, 'bits' | 'mask' | 'umin' | 'umax' | 'smin' | 'smax' | 'umin32' | 'umax32' | 'smin32' | 'smax32'>

export const U64 = 0xffff_ffff_ffff_ffffn
export const U32 = 0xffff_ffffn
export const S64_MIN = -(1n << 63n)
export const S64_MAX = (1n << 63n) - 1n
export const S32_MIN = -(1n << 31n)
export const S32_MAX = (1n << 31n) - 1n
const NOTHING: readonly string[] = []

export const ANY_NUMBER: Bounds = {
  bits: 0n, mask: U64, umin: 0n, umax: U64, smin: S64_MIN, smax: S64_MAX, umin32: 0n, umax32: U32, smin32: S32_MIN, smax32: S32_MAX
}

export const min = (a: bigint, b: bigint): bigint => a < b ? a : b
export const max = (a: bigint, b: bigint): bigint => a > b ? a : b
export const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value)
export const signed = (value: bigint): bigint => BigInt.asIntN(64, value)
const signed32 = (value: bigint): bigint => BigInt.asIntN(32, value)

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
  return scalar({ bits: value, mask: 0n, umin: value, umax: value, smin: s, smax: s, umin32: low, umax32: low, smin32: s32, smax32: s32 }, { from })
}

/** A known number; `value` may be signed. */
export function constant (value: bigint, from: readonly string[] = NOTHING): Scalar {
  const wide = unsigned(value)
  if (wide <= 256n && from.length === 0) return SMALL[Number(wide)] ?? makeConstant(wide, from)
  return makeConstant(wide, from)
}

export const ZERO = constant(0n)

export function isConstant (value: Scalar): boolean { return value.mask === 0n }
export function isUnknown (value: Scalar): boolean { return value.mask === U64 && value.umin === 0n && value.umax === U64 && value.smin === S64_MIN && value.smax === S64_MAX && hasFullLow(value) }
function hasFullLow (value: Bounds): boolean { return value.umin32 === 0n && value.umax32 === U32 && value.smin32 === S32_MIN && value.smax32 === S32_MAX }

/** An unknown number of so many bytes, as a load leaves it. */
export function ofSize (bytes: number, traits?: Traits): Scalar {
  return traits === undefined ? LOADED[bytes] ?? UNKNOWN : scalar(LOADED[bytes] ?? ANY_NUMBER, traits)
}

/** By their size in bytes, since loads are the most of what is interpreted. */
const LOADED = Array.from({ length: 8 }, (_, bytes) => {
  const top = (1n << BigInt(bytes * 8)) - 1n
  return scalar(settle({ ...ANY_NUMBER, mask: top, umax: top, smin: 0n, smax: top }) ?? ANY_NUMBER, {})
})

export function union (a: readonly string[], b: readonly string[]): readonly string[] {
  if (a === b || b.length === 0) return a
  if (a.length === 0) return b
  return b.every(name => a.includes(name)) ? a : [...new Set([...a, ...b])].sort()
}

/**
 * Tightens each part by the others until nothing changes (at most three rounds, as the verifier does), or undefined where
 * they contradict each other.
 */
export function settle (bounds: Bounds): Bounds | undefined {
  let b = bounds
  for (let round = 0; round < 3; round++) {
    const next = tighten(b)
    if (next === undefined || sameBounds(next, b)) return next
    b = next
  }
  return b
}

function tighten (b: Bounds): Bounds | undefined {
  let { bits, mask, umin, umax, smin, smax, umin32, umax32, smin32, smax32 } = b
  const top = bits | mask
  umin = max(umin, bits)
  umax = min(umax, top)
  smin = max(smin, signed(bits | (mask & 1n << 63n)))
  smax = min(smax, signed(bits | (mask & ~(1n << 63n))))
  const low = bits & U32
  const lowMask = mask & U32
  umin32 = max(umin32, low)
  umax32 = min(umax32, low | lowMask)
  smin32 = max(smin32, signed32(low | (lowMask & 1n << 31n)))
  smax32 = min(smax32, signed32(low | (lowMask & 0x7fff_ffffn)))
  if (umin >> 32n === umax >> 32n) {
    umin32 = max(umin32, umin & U32)
    umax32 = min(umax32, umax & U32)
  }
  if (smin >= S32_MIN && smax <= S32_MAX) {
    smin32 = max(smin32, smin)
    smax32 = min(smax32, smax)
  }
  if (umin32 >> 31n === umax32 >> 31n) {
    smin32 = max(smin32, signed32(umin32))
    smax32 = min(smax32, signed32(umax32))
  }
  if (smin32 >= 0n || smax32 < 0n) {
    umin32 = max(umin32, smin32 & U32)
    umax32 = min(umax32, smax32 & U32)
  }
  if (umin >> 63n === umax >> 63n) {
    smin = max(smin, signed(umin))
    smax = min(smax, signed(umax))
  }
  if (smin >= 0n || smax < 0n) {
    umin = max(umin, unsigned(smin))
    umax = min(umax, unsigned(smax))
  }
  umin = max(umin, umin - (umin & U32) + umin32)
  umax = min(umax, umax - (umax & U32) + umax32)
  if (umin > umax || smin > smax || umin32 > umax32 || smin32 > smax32) return undefined
  // Leading bits that all numbers of the range share.
  const known = U64 & ~bitsBelow(umin ^ umax) & mask
  if (known !== 0n) {
    bits |= umin & known
    mask &= ~known
  }
  const known32 = U32 & ~bitsBelow(umin32 ^ umax32) & mask
  if (known32 !== 0n) {
    bits |= umin32 & known32
    mask &= ~known32
  }
  return { bits, mask, umin, umax, smin, smax, umin32, umax32, smin32, smax32 }
}

/** All bits up to the highest that is set in a u64. */
function bitsBelow (value: bigint): bigint {
  if (value === U64 || value === U32) return value
  const high = Number(value >> 32n)
  const width = high === 0 ? 32 - Math.clz32(Number(value)) : 64 - Math.clz32(high)
  return (1n << BigInt(width)) - 1n
}

export function sameBounds (a: Bounds, b: Bounds): boolean {
  return a.bits === b.bits && a.mask === b.mask && a.umin === b.umin && a.umax === b.umax && a.smin === b.smin && a.smax === b.smax &&
    a.umin32 === b.umin32 && a.umax32 === b.umax32 && a.smin32 === b.smin32 && a.smax32 === b.smax32
}

/** Whether every number that `b` allows is allowed by `a`. */
export function includes (a: Scalar, b: Scalar): boolean {
  return (b.mask & ~a.mask) === 0n && ((a.bits ^ b.bits) & ~a.mask) === 0n && a.umin <= b.umin && a.umax >= b.umax && a.smin <= b.smin && a.smax >= b.smax &&
    a.umin32 <= b.umin32 && a.umax32 >= b.umax32 && a.smin32 <= b.smin32 && a.smax32 >= b.smax32
}

/** The low `bytes` of a number, the rest zero. Keeps the id where nothing is cut off. */
export function zeroExtend (value: Scalar, bytes: number): Scalar {
  if (bytes >= 8) return value
  const top = (1n << BigInt(bytes * 8)) - 1n
  if (value.umax <= top) return value
  if (isConstant(value)) return constant(value.bits & top, value.from)
  const traits = { exact: value.exact, related: value.id === 0 ? value.related : value.id, from: value.from, isOne: value.isOne }
  if (isUnknown(value)) return ofSize(bytes, traits)
  if (bytes === 4) {
    return scalar(settle({
      ...ANY_NUMBER,
      bits: value.bits & top,
      mask: value.mask & top,
      umin: value.umin32,
      umax: value.umax32,
      smin: 0n,
      smax: top,
      umin32: value.umin32,
      umax32: value.umax32,
      smin32: value.smin32,
      smax32: value.smax32
    }) ?? ANY_NUMBER, traits)
  }
  const keepsRange = value.umin >> BigInt(bytes * 8) === value.umax >> BigInt(bytes * 8)
  return scalar(settle({
    ...ANY_NUMBER, bits: value.bits & top, mask: value.mask & top, umin: keepsRange ? value.umin & top : 0n, umax: keepsRange ? value.umax & top : top, smin: 0n, smax: top
  }) ?? ANY_NUMBER, { ...traits, exact: value.exact && isUnknown(value) })
}

/**
 * The low `bytes` of a number, its sign copied upwards: the verifier keeps the range where its ends agree in what is cut off
 * and in their new signs, and no bits.
 *
 * @param is64 whether the range of 64 bits is looked at, or that of the low 32
 */
export function signExtend (value: Scalar, bytes: number, is64: boolean): Scalar {
  const width = bytes * 8
  if (isConstant(value)) return constant(BigInt.asIntN(width, value.bits), value.from)
  const low = is64 ? value.smin : value.smin32
  const high = is64 ? value.smax : value.smax32
  const smax = (1n << BigInt(width - 1)) - 1n
  const from = BigInt.asIntN(width, low)
  const to = BigInt.asIntN(width, high)
  const keeps = low >> BigInt(width) === high >> BigInt(width) && (from < 0n) === (to < 0n)
  const bounds = keeps ? { smin: min(from, to), smax: max(from, to) } : { smin: -smax - 1n, smax }
  return scalar(settle({ ...ANY_NUMBER, ...bounds }) ?? ANY_NUMBER, { exact: value.exact, related: value.id === 0 ? value.related : value.id, from: value.from })
}
