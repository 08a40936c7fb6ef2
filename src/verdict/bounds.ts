import { meetTnums, signed, signed32, tnumOfRange, U32, U64, withLowHalf, type Tnum } from './tnum.js'

/** Known bits and ranges of a number: unsigned and signed, of all 64 bits and of the lower 32. */
export interface Bounds extends Tnum {
  readonly umin: bigint
  readonly umax: bigint
  readonly smin: bigint
  readonly smax: bigint
  readonly umin32: bigint
  readonly umax32: bigint
  readonly smin32: bigint
  readonly smax32: bigint
}

/** Bounds that do not change. Equal ones are mostly one object, so that what follows from them is worked out once. */
export interface SharedBounds extends Bounds {
  /** Of the content: 32 bits, the same for equal bounds. */
  readonly hash: number
}

/** Bounds while they are worked out. */
export type Draft = { -readonly [Part in keyof Bounds]: bigint }

/** How a verifier keeps the parts of a number together: see age.ts. */
export interface BoundsRules {
  readonly comparesRanges: boolean
  readonly crossesSigns: boolean
  readonly learnsBitsTwice: boolean
}

export const S64_MIN = -(1n << 63n)
export const S64_MAX = (1n << 63n) - 1n
export const S32_MIN = -(1n << 31n)
export const S32_MAX = (1n << 31n) - 1n

export const ANY_RANGE = { umin: 0n, umax: U64, smin: S64_MIN, smax: S64_MAX } as const
export const ANY_RANGE32 = { umin32: 0n, umax32: U32, smin32: S32_MIN, smax32: S32_MAX } as const

/** Bounds that are looked up when equal ones are made; a power of two. Later ones take the places of earlier ones. */
const SHARED_BOUNDS = 4096
const shared: Array<SharedBounds | undefined> = new Array<undefined>(SHARED_BOUNDS).fill(undefined)

/** The same bounds, as one object for as many of them as possible. Two objects may be equal all the same. */
export function share (b: Bounds): SharedBounds {
  const hash = hashOf(b)
  const place = hash & (SHARED_BOUNDS - 1)
  const known = shared[place]
  if (known !== undefined && known.hash === hash && sameBounds(known, b)) return known
  const { bits, mask, umin, umax, smin, smax, umin32, umax32, smin32, smax32 } = b
  const made = { bits, mask, umin, umax, smin, smax, umin32, umax32, smin32, smax32, hash }
  shared[place] = made
  return made
}

function hashOf (b: Bounds): number {
  let hash = mix(mix(mix(0, low(b.bits)), low(b.umin)), low(b.umax))
  if (b.mask !== 0n) hash = mix(mix(mix(mix(hash, low(b.mask)), low(b.mask >> 32n)), low(b.smin)), low(b.smax32))
  return mix(hash, low(b.bits >> 32n))
}

const low = (value: bigint): number => Number(BigInt.asIntN(32, value))

/** Murmur's step for one word. */
export function mix (hash: number, word: number): number {
  const scattered = Math.imul(word, 0xcc9e2d51)
  const turned = hash ^ Math.imul(scattered << 15 | scattered >>> 17, 0x1b873593)
  return Math.imul(turned << 13 | turned >>> 19, 5) + 0xe6546b64 | 0
}

export const ANY_NUMBER: SharedBounds = share({ bits: 0n, mask: U64, ...ANY_RANGE, ...ANY_RANGE32 })

export const min = (a: bigint, b: bigint): bigint => a < b ? a : b
export const max = (a: bigint, b: bigint): bigint => a > b ? a : b

export function draftOf (b: Bounds): Draft {
  const { bits, mask, umin, umax, smin, smax, umin32, umax32, smin32, smax32 } = b
  return { bits, mask, umin, umax, smin, smax, umin32, umax32, smin32, smax32 }
}

export function sameBounds (a: Bounds, b: Bounds): boolean {
  if (a === b) return true
  return a.bits === b.bits && a.mask === b.mask && a.umin === b.umin && a.umax === b.umax && a.smin === b.smin && a.smax === b.smax &&
    a.umin32 === b.umin32 && a.umax32 === b.umax32 && a.smin32 === b.smin32 && a.smax32 === b.smax32
}

/** Whether no number is within them, which happens on ways that cannot be taken. */
export function contradict (b: Bounds): boolean {
  return b.umin > b.umax || b.smin > b.smax || b.umin32 > b.umax32 || b.smin32 > b.smax32 || (b.bits & b.mask) !== 0n
}

/** Narrows each part by the others, in the verifier's order. */
export function settle (rules: BoundsRules, b: Bounds): Bounds {
  const d = draftOf(b)
  learnFromBits(d)
  if (rules.comparesRanges) {
    const rounds = rules.crossesSigns ? 3 : 2
    for (let round = 1; round <= rounds; round++) {
      const before = round < rounds ? draftOf(d) : undefined
      deduceHalf(rules, d)
      deduceWhole(rules, d)
      deduceMixed(d)
      if (before !== undefined && sameBounds(before, d)) break // a further round would change nothing either
    }
  } else {
    deduceSigns(d)
  }
  learnBits(rules, d)
  learnFromBits(d)
  return d
}

export function learnFromBits (d: Draft): void {
  learnFromLowBits(d)
  const open = d.bits | d.mask
  d.smin = max(d.smin, signed(d.bits | (d.mask & 1n << 63n)))
  d.smax = min(d.smax, signed(d.bits | (d.mask & U64 >> 1n)))
  d.umin = max(d.umin, d.bits)
  d.umax = min(d.umax, open)
}

export function learnFromLowBits (d: Draft): void {
  const bits = d.bits & U32
  const mask = d.mask & U32
  d.smin32 = max(d.smin32, signed32(bits | (mask & 1n << 31n)))
  d.smax32 = min(d.smax32, signed32(bits | (mask & U32 >> 1n)))
  d.umin32 = max(d.umin32, bits)
  d.umax32 = min(d.umax32, bits | mask)
}

function learnBits (rules: BoundsRules, d: Draft): void {
  const whole = meetTnums(d, tnumOfRange(d.umin, d.umax))
  const known = rules.learnsBitsTwice ? whole : d
  const low = meetTnums({ bits: known.bits & U32, mask: known.mask & U32 }, tnumOfRange(d.umin32, d.umax32))
  putTnum(d, withLowHalf(whole, low))
}

function putTnum (d: Draft, { bits, mask }: Tnum): void {
  d.bits = bits
  d.mask = mask
}

/** Older verifiers: only signed and unsigned ranges of the same width learn from each other. */
function deduceSigns (d: Draft): void {
  const low = pairSigns(d.umin32, d.umax32, d.smin32, d.smax32, 32)
  d.umin32 = low.umin
  d.umax32 = low.umax
  d.smin32 = low.smin
  d.smax32 = low.smax
  const whole = pairSigns(d.umin, d.umax, d.smin, d.smax, 64)
  d.umin = whole.umin
  d.umax = whole.umax
  d.smin = whole.smin
  d.smax = whole.smax
}

function pairSigns (
  umin: bigint, umax: bigint, smin: bigint, smax: bigint, width: number
): Pick<Bounds, 'umin' | 'umax' | 'smin' | 'smax'> {
  const u = (value: bigint): bigint => BigInt.asUintN(width, value)
  const s = (value: bigint): bigint => BigInt.asIntN(width, value)
  if (smin >= 0n || smax < 0n) {
    const low = max(u(smin), umin)
    const high = min(u(smax), umax)
    return { umin: low, umax: high, smin: s(low), smax: s(high) }
  }
  if (s(umax) >= 0n) {
    const high = min(u(smax), umax)
    return { umin, umax: high, smin: s(umin), smax: s(high) }
  }
  if (s(umin) < 0n) {
    const low = max(u(smin), umin)
    return { umin: low, umax, smin: s(low), smax: s(umax) }
  }
  return { umin, umax, smin, smax }
}

function narrowSigned32 (d: Draft, low: bigint, high: bigint): void {
  d.smin32 = max(d.smin32, low)
  d.smax32 = min(d.smax32, high)
}

function narrowUnsigned32 (d: Draft, low: bigint, high: bigint): void {
  d.umin32 = max(d.umin32, low)
  d.umax32 = min(d.umax32, high)
}

/** What the ends of a range of all 64 bits say of the lower half. */
function deduceHalfFrom (d: Draft, low: bigint, high: bigint, isSigned: boolean): void {
  const [upper, next] = [low >> 32n, high >> 32n]
  const [from, to] = [signed32(low), signed32(high)]
  if (upper === next) {
    if (!isSigned || (low & U32) <= (high & U32)) narrowUnsigned32(d, low & U32, high & U32)
    if (from <= to) narrowSigned32(d, from, to)
  } else if (from < 0n && to >= 0n && (upper + 1n & U32) === (next & U32)) {
    narrowSigned32(d, from, to)
  }
}

function deduceHalf (rules: BoundsRules, d: Draft): void {
  deduceHalfFrom(d, d.umin, d.umax, false)
  deduceHalfFrom(d, d.smin, d.smax, true)
  const [from, to] = [signed32(d.umin32), signed32(d.umax32)]
  if (from <= to) narrowSigned32(d, from, to)
  const [low, high] = [d.smin32 & U32, d.smax32 & U32]
  if (low <= high) narrowUnsigned32(d, low, high)
  else if (rules.crossesSigns) {
    if (d.umax32 < low) {
      d.smin32 = signed32(d.umin32)
      d.umax32 = min(d.umax32, high)
    } else if (high < d.umin32) {
      d.smax32 = signed32(d.umax32)
      d.umin32 = max(d.umin32, low)
    }
  }
}

function deduceWhole (rules: BoundsRules, d: Draft): void {
  if (signed(d.umin) <= signed(d.umax)) {
    d.smin = max(d.smin, signed(d.umin))
    d.smax = min(d.smax, signed(d.umax))
  }
  const [low, high] = [d.smin & U64, d.smax & U64]
  if (low <= high) {
    d.umin = max(low, d.umin)
    d.umax = min(high, d.umax)
  } else if (rules.crossesSigns) {
    if (d.umax < low) {
      d.smin = signed(d.umin)
      d.umax = min(d.umax, high)
    } else if (high < d.umin) {
      d.smax = signed(d.umax)
      d.umin = max(d.umin, low)
    }
  }
}

/** Puts the ends of the lower half into the ends of the whole. */
function putLow (d: Draft, low: bigint, high: bigint): void {
  d.umin = max(d.umin, (d.umin & ~U32) | low)
  d.umax = min(d.umax, (d.umax & ~U32) | high)
  d.smin = max(d.smin, (d.smin & ~U32) | low)
  d.smax = min(d.smax, (d.smax & ~U32) | high)
}

function deduceMixed (d: Draft): void {
  putLow(d, d.umin32, d.umax32)
  const [low, high] = [d.smin32 & U32, d.smax32 & U32]
  if (low <= high) putLow(d, low, high)
  if (d.smin32 >= 0n && d.smin >= S32_MIN && d.smax <= S32_MAX) {
    d.smin = d.umin = d.smin32
    d.smax = d.umax = d.smax32
    putTnum(d, meetTnums(d, tnumOfRange(d.umin, d.umax)))
  }
}
