import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ageOf } from '../../src/verdict/age.js'
import { ALU, compute } from '../../src/verdict/arithmetic.js'
import { ANY_NUMBER, draftOf, settle, share, type Bounds, type SharedBounds } from '../../src/verdict/bounds.js'
import { decide, JMP, learn, opposite } from '../../src/verdict/compare.js'
import { keepResults } from '../../src/verdict/memo.js'
import { constant, scalar, type Scalar } from '../../src/verdict/scalar.js'
import { runs } from '../support/property-runs.js'

const AGES = [undefined, '5.10.0-30-amd64', '6.1.0', '6.12.9', '6.18.44', '4.18.0-305.el8.x86_64'].map(ageOf)
const EDGES = [0n, 1n, 2n, 7n, 255n, 256n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, 0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n, 0xffff_ffff_8000_0000n, 0xffff_ffff_ffff_ffffn]
const OPERATIONS = [ALU.ADD, ALU.SUB, ALU.MUL, ALU.OR, ALU.AND, ALU.XOR, ALU.LSH, ALU.RSH, ALU.ARSH]
const COMPARISONS = [JMP.JEQ, JMP.JNE, JMP.JGT, JMP.JGE, JMP.JLT, JMP.JLE, JMP.JSGT, JMP.JSGE, JMP.JSLT, JMP.JSLE, JMP.JSET]
const u = (value: bigint, width = 64): bigint => BigInt.asUintN(width, value)
const s = (value: bigint, width = 64): bigint => BigInt.asIntN(width, value)

const age = fc.constantFrom(...AGES)
const number = fc.oneof(
  fc.tuple(fc.constantFrom(...EDGES), fc.integer({ min: -3, max: 3 })).map(([edge, by]) => u(edge + BigInt(by))),
  fc.bigInt(0n, 0xffff_ffff_ffff_ffffn)
)

/** A number that a program has, and what a verifier knows of it: all, nothing, some bits, or a range. */
const known = fc.record({ value: number, other: number, mask: number, how: fc.constantFrom('all', 'nothing', 'bits', 'range', 'both') })
  .map(({ value, other, mask, how }): { value: bigint, what: Scalar } => {
    if (how === 'all') return { value, what: constant(value) }
    const d = draftOf(ANY_NUMBER)
    if (how === 'bits' || how === 'both') Object.assign(d, { bits: value & ~mask, mask })
    if (how === 'range' || how === 'both') Object.assign(d, value < other ? { umin: value, umax: other } : { umin: other, umax: value })
    return { value, what: scalar(share(settle(ageOf(undefined).sure, d)), {}) }
  })

function isWithin ({ bits, mask, umin, umax, smin, smax, umin32, umax32, smin32, smax32 }: Bounds, value: bigint): boolean {
  const low = u(value, 32)
  return (value & ~mask) === bits && umin <= value && value <= umax && smin <= s(value) && s(value) <= smax &&
    umin32 <= low && low <= umax32 && smin32 <= s(low, 32) && s(low, 32) <= smax32
}

/** RFC 9669: shifts take the low bits of the second number. */
function result (operation: number, a: bigint, b: bigint, width: 32 | 64): bigint {
  const [x, y] = [u(a, width), u(b, width)]
  const by = y & BigInt(width - 1)
  switch (operation) {
    case ALU.ADD: return u(x + y, width)
    case ALU.SUB: return u(x - y, width)
    case ALU.MUL: return u(x * y, width)
    case ALU.OR: return x | y
    case ALU.AND: return x & y
    case ALU.XOR: return x ^ y
    case ALU.LSH: return u(x << by, width)
    case ALU.RSH: return x >> by
    default: return u(s(x, width) >> by, width)
  }
}

function holds (operation: number, a: bigint, b: bigint, width: 32 | 64): boolean {
  const [x, y, p, q] = [u(a, width), u(b, width), s(a, width), s(b, width)]
  switch (operation) {
    case JMP.JEQ: return x === y
    case JMP.JNE: return x !== y
    case JMP.JGT: return x > y
    case JMP.JGE: return x >= y
    case JMP.JLT: return x < y
    case JMP.JLE: return x <= y
    case JMP.JSGT: return p > q
    case JMP.JSGE: return p >= q
    case JMP.JSLT: return p < q
    case JMP.JSLE: return p <= q
    default: return (x & y) !== 0n
  }
}

describe('what is known of numbers', () => {
  it('allows the result that an operation has, for verifiers of every age', () => {
    fc.assert(fc.property(age, fc.constantFrom(...OPERATIONS), fc.boolean(), known, known, (of, operation, is64, a, b) => {
      const { bounds } = compute(of, operation, a.what, b.what, is64)
      expect(isWithin(bounds, result(operation, a.value, b.value, is64 ? 64 : 32))).toBe(true)
    }), runs(1000))
  })

  it('decides a comparison only as it is, and allows both numbers on the way that they take', () => {
    fc.assert(fc.property(age, fc.constantFrom(...COMPARISONS), fc.boolean(), known, known, (of, operation, is64, a, b) => {
      const truth = holds(operation, a.value, b.value, is64 ? 64 : 32)
      expect([truth, undefined]).toContain(decide(of.sure, operation, a.what, b.what, is64))
      const [left, right] = learn(of, truth ? operation : opposite(operation), a.what, b.what, is64)
      expect([isWithin(left.bounds, a.value), isWithin(right.bounds, b.value)]).toEqual([true, true])
    }), runs(1000))
  })

  it('is worked out the same again after anything else, though results are kept', () => {
    const one = fc.tuple(age, fc.constantFrom(...OPERATIONS), fc.boolean(), known, known)
    const first = new Map<string, Scalar>()
    fc.assert(fc.property(fc.array(one, { maxLength: 20 }), cases => {
      for (const [of, operation, is64, a, b] of [...cases, ...cases]) {
        const key = [AGES.indexOf(of), operation, is64, ...Object.values(a.what.bounds), ...Object.values(b.what.bounds)].join(' ')
        const found = compute(of, operation, a.what, b.what, is64)
        expect(found).toEqual(first.get(key) ?? found)
        first.set(key, found)
      }
    }), runs(100))
  })
})

describe('results that are kept', () => {
  const bounds = (hash: number): SharedBounds => ({ ...ANY_NUMBER, hash })

  it('are those of their own operation, age and numbers, where several have one place', () => {
    const calls: number[] = []
    const kept = keepResults((of, operation, a, b) => {
      calls.push(operation)
      return [of, operation, a, b]
    })
    const [a, b] = [bounds(1), bounds(1)]
    const [newest, oldest] = [ageOf(undefined), ageOf('5.10.1')]
    const questions = [[newest, 1, a, b], [newest, 1, b, a], [oldest, 1, a, b], [newest, 1, a, a]] as const
    for (const question of [...questions, ...questions]) expect(kept(...question)).toEqual(question)
    expect(kept(newest, 1, a, a)).toBe(kept(newest, 1, a, a))
    expect(calls.length).toBe(8)
  })

  it('find equal bounds by their content', () => {
    fc.assert(fc.property(known, ({ what: { bounds } }) => { expect(share(draftOf(bounds))).toBe(share(draftOf(bounds))) }), runs())
  })
})
