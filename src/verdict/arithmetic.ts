import type { Age } from './age.js'
import { ANY_NUMBER, constant, isConstant, isUnknown, max, min, S64_MAX, S64_MIN, scalar, settle, signed, U32, U64, union, unsigned, zeroExtend, type Bounds, type Scalar } from './scalar.js'

/** ALU operations, by the high bits of their opcodes. */
export const ALU = {
  ADD: 0x00, SUB: 0x10, MUL: 0x20, DIV: 0x30, OR: 0x40, AND: 0x50, LSH: 0x60, RSH: 0x70, NEG: 0x80, MOD: 0x90, XOR: 0xa0, MOV: 0xb0, ARSH: 0xc0, END: 0xd0
} as const

/**
 * The result of an ALU operation of 64 or 32 bits, as far as the verifier of that age works it out.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9669#name-arithmetic-instructions
 */
export function compute (age: Age, operation: number, a: Scalar, b: Scalar, is64: boolean): Scalar {
  const from = union(a.from, b.from)
  if (operation === ALU.DIV || operation === ALU.MOD) return unknownOf(age, is64, age.foldsDivision === 'no', from)
  if (operation === ALU.NEG) {
    if (age.foldsNegation === 'no') return unknownOf(age, is64, true, from)
    if (age.foldsNegation === 'maybe') return unknownOf(age, is64, false, from)
    return compute(age, ALU.SUB, constant(0n), a, is64)
  }
  if (operation === ALU.XOR && age.foldsXor !== 'yes') return unknownOf(age, is64, age.foldsXor === 'no', from)
  // A product of something unknown was not worked out, were the other side 0.
  if (operation === ALU.MUL && !isConstant(b) && age.multipliesUnknowns !== 'yes') return scalar(ANY_NUMBER, { exact: false, from })
  if (operation === ALU.OR && !isConstant(b) && age.foldsXor !== 'yes') return scalar(ANY_NUMBER, { exact: false, from })
  const result = isConstant(a) && isConstant(b) ? fold(operation, a.bits, b.bits, is64) : undefined
  if (result !== undefined) return constant(result, from)
  if (isConstant(b) && b.bits === 0n && operation === ALU.AND) return constant(0n, from)
  const exact = a.exact && b.exact
  const isOne = (a.isOne || isConstant(a)) && (b.isOne || isConstant(b))
  if (is64) {
    const sum = combine(operation, a, b, 64)
    if (sum === undefined) return scalar(ANY_NUMBER, { exact: b.umax >= 64n && b.exact, from })
    const related = isConstant(b) && (operation === ALU.ADD || operation === ALU.SUB) ? a.id === 0 ? a.related : a.id : 0
    return scalar(settle(sum.bounds) ?? ANY_NUMBER, { exact: exact && sum.exact, related, from, isOne })
  }
  const sum = combine(operation, zeroExtend(a, 4), zeroExtend(b, 4), 32)
  if (sum === undefined) return unknownOf(age, false, b.umax32 >= 32n && b.exact, from)
  const wide = scalar(settle(sum.bounds) ?? ANY_NUMBER, { exact: exact && sum.exact, from, isOne })
  if (wide.umax <= U32) return wide
  const coversAll = (operation === ALU.ADD || operation === ALU.SUB) && (isFullWord(a) || isFullWord(b))
  return scalar(zeroExtend(wide, 4), { exact: exact && coversAll, from, isOne })
}

function isFullWord (value: Scalar): boolean { return value.umin32 === 0n && value.umax32 === U32 && (value.mask & U32) === U32 && value.smin32 < 0n && value.smax32 > 0n }

/** What the verifier does not work out is unknown in all 64 bits, of a 32-bit operation too; older ones know the upper half. */
function unknownOf (age: Age, is64: boolean, exact: boolean, from: readonly string[]): Scalar {
  return scalar(ANY_NUMBER, { exact: exact && (is64 || age.forgetsUpperHalf === 'yes'), from })
}

function fold (operation: number, a: bigint, b: bigint, is64: boolean): bigint | undefined {
  const width = is64 ? 64 : 32
  const x = BigInt.asUintN(width, a)
  const y = BigInt.asUintN(width, b)
  const result = foldBits(operation, x, y, width)
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

interface Combined {
  readonly bounds: Bounds
  readonly exact: boolean
}

/** Known bits and ranges of a result of which one side at least is not constant. Undefined: nothing is known. */
function combine (operation: number, a: Scalar, b: Scalar, width: number): Combined | undefined {
  switch (operation) {
    case ALU.ADD: return add(a, b)
    case ALU.SUB: return subtract(a, b)
    case ALU.AND: return and(a, b)
    case ALU.OR: return or(a, b)
    case ALU.XOR: return xor(a, b)
    case ALU.MUL: return multiply(a, b)
    case ALU.LSH: return isConstant(b) && b.bits < BigInt(width) ? shiftLeft(a, b.bits) : undefined
    case ALU.RSH: return isConstant(b) && b.bits < BigInt(width) ? shiftRight(a, b.bits) : undefined
    case ALU.ARSH: return isConstant(b) && b.bits < BigInt(width) && width === 64 ? shiftRightSigned(a, b.bits) : undefined
    default: return undefined
  }
}

function add (a: Scalar, b: Scalar): Combined {
  const carries = unsigned(a.mask + b.mask + a.bits + b.bits) ^ unsigned(a.bits + b.bits)
  const mask = (carries | a.mask | b.mask) & U64
  const bits = unsigned(a.bits + b.bits) & ~mask
  return ranged(bits, mask, [a.umin + b.umin, a.umax + b.umax], [a.smin + b.smin, a.smax + b.smax])
}

function subtract (a: Scalar, b: Scalar): Combined {
  const difference = unsigned(a.bits - b.bits)
  const high = unsigned(difference + a.mask)
  const low = unsigned(difference - b.mask)
  const mask = ((high ^ low) | a.mask | b.mask) & U64
  return ranged(difference & ~mask, mask, [a.umin - b.umax, a.umax - b.umin], [a.smin - b.smax, a.smax - b.smin])
}

/** Where one range wraps around, verifiers differ in what they keep of it. */
function ranged (bits: bigint, mask: bigint, u: readonly [bigint, bigint], s: readonly [bigint, bigint]): Combined {
  const uFits = u[0] >= 0n && u[1] <= U64
  const sFits = s[0] >= S64_MIN && s[1] <= S64_MAX
  const bounds = { ...ANY_NUMBER, bits, mask, umin: uFits ? u[0] : 0n, umax: uFits ? u[1] : U64, smin: sFits ? s[0] : S64_MIN, smax: sFits ? s[1] : S64_MAX }
  const coversAll = u[1] - u[0] >= U64 && s[1] - s[0] >= U64 && mask === U64
  return { bounds, exact: (uFits && sFits) || coversAll }
}

function and (a: Scalar, b: Scalar): Combined {
  const aCan = a.bits | a.mask
  const bCan = b.bits | b.mask
  const bits = a.bits & b.bits
  return { bounds: { ...ANY_NUMBER, bits, mask: aCan & bCan & ~bits, umin: bits, umax: min(a.umax, b.umax) }, exact: true }
}

function or (a: Scalar, b: Scalar): Combined {
  const bits = a.bits | b.bits
  const mask = (a.mask | b.mask) & ~bits
  return { bounds: { ...ANY_NUMBER, bits, mask, umin: max(a.umin, b.umin), umax: bits | mask }, exact: true }
}

function xor (a: Scalar, b: Scalar): Combined {
  const mask = a.mask | b.mask
  return { bounds: { ...ANY_NUMBER, bits: (a.bits ^ b.bits) & ~mask, mask }, exact: true }
}

function multiply (a: Scalar, b: Scalar): Combined {
  if (a.umax > U32 || b.umax > U32) return { bounds: ANY_NUMBER, exact: (isUnknown(a) && (b.bits & 1n) === 1n) || (isUnknown(a) && isUnknown(b)) }
  return { bounds: { ...ANY_NUMBER, umin: a.umin * b.umin, umax: a.umax * b.umax }, exact: false }
}

function shiftLeft (a: Scalar, by: bigint): Combined {
  const fits = a.umax <= U64 >> by
  const isWord = by === 32n
  const signedRange = isWord ? { smin: a.smin32 << 32n, smax: a.smax32 << 32n } : {}
  return {
    bounds: { ...ANY_NUMBER, bits: unsigned(a.bits << by), mask: unsigned(a.mask << by), umin: fits ? a.umin << by : 0n, umax: fits ? a.umax << by : U64, ...signedRange },
    exact: isWord ? a.smin32 >= 0n || a.mask === U64 : fits || isUnknown(a)
  }
}

function shiftRight (a: Scalar, by: bigint): Combined {
  return { bounds: { ...ANY_NUMBER, bits: a.bits >> by, mask: a.mask >> by, umin: a.umin >> by, umax: a.umax >> by }, exact: true }
}

function shiftRightSigned (a: Scalar, by: bigint): Combined {
  const mask = unsigned(signed(a.mask) >> by)
  return { bounds: { ...ANY_NUMBER, bits: unsigned(signed(a.bits) >> by) & ~mask, mask, smin: a.smin >> by, smax: a.smax >> by }, exact: true }
}

/** A byte swap, or a cut to so many bits where the machine's order is the one asked for. */
export function swapBytes (age: Age, value: Scalar, bits: number, swaps: boolean): Scalar {
  const { exact, from } = value
  if (age.foldsByteSwap === 'no') return scalar(ANY_NUMBER, { from })
  if (age.foldsByteSwap === 'maybe') return scalar(ANY_NUMBER, { exact: false, from })
  const known = swap(value.bits, bits, swaps)
  if (isConstant(value)) return constant(known, from)
  return scalar(settle({ ...ANY_NUMBER, bits: known, mask: swap(value.mask, bits, swaps) }) ?? ANY_NUMBER, { exact, from })
}

function swap (value: bigint, bits: number, swaps: boolean): bigint {
  const last = BigInt(bits / 8) - 1n
  let result = 0n
  for (let i = 0n; i <= last; i++) result |= (value >> i * 8n & 0xffn) << (swaps ? last - i : i) * 8n
  return result
}
