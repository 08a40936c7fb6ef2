import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { judge } from '../../../src/verdict/index.js'
import { branchyObject } from '../../support/branchy-object.js'
import { btf } from '../../support/btf-builder.js'

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
})
