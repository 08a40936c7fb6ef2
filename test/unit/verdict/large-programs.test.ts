import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { judge } from '../../../src/verdict/index.js'
import { assembler, poison } from '../../support/asm.js'
import { branchyObject } from '../../support/branchy-object.js'
import { btf } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { buildObject } from '../../support/object-builder.js'

describe('the verdict about programs of thousands of instructions', () => {
  const object = parseObject(branchyObject({ programs: 8, instructions: 2000 }))
  const relocation = relocate(object, parseBtf(btf().bytes()))

  it('is found in a few steps for each instruction', () => {
    expect(judge(object, relocation, { steps: 8 * 2000 * 4 })).toMatchObject({ verdict: 'loads', assumes: [] })
  })

  it('takes a small part of that where constants in registers guard the poison', () => {
    const plain = parseObject(branchyObject({ programs: 8, instructions: 2000, guard: 'register' }))
    expect(judge(plain, relocate(plain, parseBtf(btf().bytes())), { steps: 8 * 2000 / 10 })).toMatchObject({
      verdict: 'loads', assumes: []
    })
  })

  it('is unknown, with the reason, for all programs that the steps do not suffice for', () => {
    const { verdict, programs } = judge(object, relocation, { steps: 3000 })
    expect(verdict).toBe('unknown')
    expect(programs.map(program => program.verdict)).toEqual(['loads', ...new Array<string>(7).fill('unknown')])
    expect(programs[1]?.reason).toBe('The program has more paths than are looked at.')
  })

  it('follows no way that leads to nothing but poison that was found, as long as there is other poison', () => {
    const asm = assembler('little')
    const slots = Array.from({ length: 30 }, (_, i) => -8 * (2 + i))
    const begin = concat(asm.st('dw', 10, -8, 0), ...slots.map(slot => asm.st('dw', 10, slot, 0)))
    const guarded = concat(asm.ldx('dw', 0, 10, -8), asm.jeq(0, 0, 1), poison('little'))
    // Each of these ways leaves another stack behind, so that none of them stands for another.
    const ways = concat(...slots.map(slot => concat(asm.call(7), asm.jeq(0, 1, 1), asm.st('dw', 10, slot, 1))))
    const end = concat(asm.call(7), asm.jeq(0, 5, 1), poison('little'), asm.mov(0, 0), asm.exit())
    const code = concat(begin, guarded, guarded, ways, end)
    const { bytes } = buildObject({ local: btf(), programs: [{ section: 'kprobe/x', name: 'trace', code }], records: [] })
    const program = parseObject(bytes)
    const { verdict, isReachable } = judge(program, relocate(program, parseBtf(btf().bytes())), { steps: 1500 })
    expect(verdict).toBe('fails')
    expect(isReachable('kprobe/x', begin.length + guarded.length - 8)).toBe(false)
  })
})

describe('the verdict about an object with many ways, in programs that fail for certain', () => {
  const asm = assembler('little')
  const slots = Array.from({ length: 25 }, (_, i) => -8 * (2 + i))
  const stack = concat(...[-8, ...slots].map(slot => asm.st('dw', 10, slot, 0)))
  // Each of these ways leaves another stack behind, so that none of them stands for another.
  const ways = concat(...slots.map(slot => concat(asm.call(7), asm.jeq(0, 1, 1), asm.st('dw', 10, slot, 1))))
  const fails = concat(asm.call(7), asm.jeq(0, 5, 1), poison('little'))
  /** A branch that some verifiers decide: the helper's result has a range. */
  const doubt = concat(asm.call(45), asm.jeq(0, 5, 0))
  const guarded = concat(asm.ldx('dw', 0, 10, -8), asm.jeq(0, 0, 1), poison('little'))
  const exit = concat(asm.mov(0, 0), asm.exit())

  function judged (programs: ReadonlyArray<readonly Uint8Array[]>, steps: number) {
    const object = parseObject(buildObject({
      local: btf(),
      programs: programs.map((parts, i) => ({ section: `kprobe/${i}`, name: `trace_${i}`, code: concat(...parts, exit) })),
      records: []
    }).bytes)
    const judgement = judge(object, relocate(object, parseBtf(btf().bytes())), { steps })
    return {
      verdicts: judgement.programs.map(({ verdict }) => verdict),
      /** Of the last instruction of a part of a program. */
      isReachable: (program: number, part: number) =>
        judgement.isReachable(`kprobe/${program}`, concat(...programs[program]?.slice(0, part + 1) ?? []).length - 8)
    }
  }

  it('does not follow all that is in doubt, and says where it may lead', () => {
    const few = [stack, fails, doubt, ways.subarray(0, ways.length / 5), guarded, fails]
    const many = [stack, fails, doubt, ways, guarded, fails]
    const { verdicts, isReachable } = judged([few, many, many, many], 20_000)
    expect(verdicts).toEqual(['fails', 'fails', 'fails', 'fails'])
    expect([1, 4, 5].map(part => isReachable(0, part))).toEqual([true, false, null])
    expect([1, 4, 5].map(part => isReachable(3, part))).toEqual([true, null, null])
  })

  it('still follows what is in doubt where a program does not fail for certain', () => {
    const failing = [stack, fails, doubt, ways, guarded, fails]
    const { verdicts, isReachable } = judged([failing, failing, [stack, doubt, ways, guarded], [stack, doubt, ways, fails]], 40_000)
    expect(verdicts).toEqual(['fails', 'fails', 'loads', 'unknown'])
    expect(isReachable(2, 3)).toBe(false)
    expect(isReachable(3, 3)).toBe(null)
  })

  it('leaves a program after thousands of steps that found nothing further, and says what is open', () => {
    const program = [stack, fails, ways, guarded]
    const { verdicts, isReachable } = judged([program], 40_000)
    expect(verdicts).toEqual(['fails'])
    expect([1, 3].map(part => isReachable(0, part))).toEqual([true, null])
  })

  it('has as many steps for all programs that fail, so that a hundred of them are told', () => {
    const failing = [stack, fails, ways, fails]
    const { verdicts, isReachable } = judged(Array.from({ length: 100 }, () => failing), 30_000)
    expect(verdicts).toEqual(Array.from({ length: 100 }, () => 'fails'))
    expect([1, 3].map(part => isReachable(99, part))).toEqual([true, null])
  })

  it('takes the shorter way to poison where an object has much to follow, and goes through no loop before it', () => {
    const failing = [stack, fails, doubt, ways, guarded, fails]
    const body = concat(...Array.from({ length: 100 }, () => asm.add(7, 1)))
    const loop = concat(asm.mov(6, 0), asm.call(7), asm.jeq(0, 9, body.length / 8 + 2), body, asm.add(6, 1), asm.ja(-body.length / 8 - 4))
    const { verdicts } = judged([failing, failing, failing, [stack, asm.mov(7, 0), loop, fails]], 20_000)
    expect(verdicts).toEqual(['fails', 'fails', 'fails', 'fails'])
  })
})
