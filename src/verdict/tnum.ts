/**
 * Numbers of which some bits are known, as the kernel's verifier has them.
 *
 * @see https://www.kernel.org/doc/html/latest/bpf/verifier.html#register-value-tracking
 */
export interface Tnum {
  /** Bits known to be set, as u64. */
  readonly bits: bigint
  /** Bits that are not known, as u64. */
  readonly mask: bigint
}

export const U64 = 0xffff_ffff_ffff_ffffn
export const U32 = 0xffff_ffffn

export const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value)
export const signed = (value: bigint): bigint => BigInt.asIntN(64, value)
export const signed32 = (value: bigint): bigint => BigInt.asIntN(32, value)

export function addTnums (a: Tnum, b: Tnum): Tnum {
  const known = unsigned(a.bits + b.bits)
  const mask = (unsigned(a.mask + b.mask + known) ^ known) | a.mask | b.mask
  return { bits: known & ~mask, mask }
}

export function subtractTnums (a: Tnum, b: Tnum): Tnum {
  const difference = unsigned(a.bits - b.bits)
  const mask = (unsigned(difference + a.mask) ^ unsigned(difference - b.mask)) | a.mask | b.mask
  return { bits: difference & ~mask, mask }
}

export function andTnums (a: Tnum, b: Tnum): Tnum {
  const bits = a.bits & b.bits
  return { bits, mask: (a.bits | a.mask) & (b.bits | b.mask) & ~bits }
}

export function orTnums (a: Tnum, b: Tnum): Tnum {
  const bits = a.bits | b.bits
  return { bits, mask: (a.mask | b.mask) & ~bits }
}

export function xorTnums (a: Tnum, b: Tnum): Tnum {
  const mask = a.mask | b.mask
  return { bits: (a.bits ^ b.bits) & ~mask, mask }
}

/**
 * Adds partial products: each as it is (`joined`), which keeps most; all known parts first and then the doubts (`sums`); or the
 * product of what is known, and then what the open bits of each side may add to it (`masks`).
 */
export function multiplyTnums (a: Tnum, b: Tnum, way: 'joined' | 'sums' | 'masks'): Tnum {
  if (way === 'masks') {
    const product = addDoubts({ bits: unsigned(a.bits * b.bits), mask: 0n }, b.mask | b.bits, a.mask)
    return addDoubts(product, a.bits, b.mask)
  }
  const joins = way === 'joined'
  let sum: Tnum = { bits: joins ? 0n : unsigned(a.bits * b.bits), mask: 0n }
  let doubt: Tnum = { bits: 0n, mask: 0n }
  let factor = b
  for (let set = a.bits, open = a.mask; (set | open) !== 0n; set >>= 1n, open >>= 1n) {
    if (joins) {
      if ((set & 1n) === 1n) sum = addTnums(sum, factor)
      else if ((open & 1n) === 1n) sum = joinTnums(sum, addTnums(sum, factor))
    } else if ((set & 1n) === 1n) doubt = addTnums(doubt, { bits: 0n, mask: factor.mask })
    else if ((open & 1n) === 1n) doubt = addTnums(doubt, { bits: 0n, mask: factor.bits | factor.mask })
    factor = { bits: unsigned(factor.bits << 1n), mask: unsigned(factor.mask << 1n) }
  }
  return joins ? sum : addTnums(sum, doubt)
}

function addDoubts (sum: Tnum, places: bigint, doubt: bigint): Tnum {
  let all = sum
  for (let open = places, mask = doubt; open !== 0n; open >>= 1n, mask = unsigned(mask << 1n)) {
    if ((open & 1n) === 1n) all = addTnums(all, { bits: 0n, mask })
  }
  return all
}

function joinTnums (a: Tnum, b: Tnum): Tnum {
  const mask = (a.bits ^ b.bits) | a.mask | b.mask
  return { bits: a.bits & b.bits & ~mask, mask }
}

/** What both allow. */
export function meetTnums (a: Tnum, b: Tnum): Tnum {
  const mask = a.mask & b.mask
  return { bits: (a.bits | b.bits) & ~mask, mask }
}

/** So many bits, all set. */
const BELOW = Array.from({ length: 65 }, (_, width) => (1n << BigInt(width)) - 1n)

/** All bits up to the highest that is set in a u64. */
function bitsBelow (value: bigint): bigint {
  if (value === U64 || value === U32) return value
  const high = Number(value >> 32n)
  return BELOW[high === 0 ? 32 - Math.clz32(Number(value)) : 64 - Math.clz32(high)] ?? U64
}

/** The bits that all numbers from `low` to `high` share. */
export function tnumOfRange (low: bigint, high: bigint): Tnum {
  const mask = bitsBelow(low ^ high)
  return { bits: low & ~mask, mask }
}

/** `a` with the lower half of `low`. */
export function withLowHalf (a: Tnum, low: Tnum): Tnum {
  return { bits: (a.bits & ~U32) | (low.bits & U32), mask: (a.mask & ~U32) | (low.mask & U32) }
}
