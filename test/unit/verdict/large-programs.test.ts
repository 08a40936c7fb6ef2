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
