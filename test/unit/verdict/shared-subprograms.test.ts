import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { judge } from '../../../src/verdict/index.js'
import { assembler, poison } from '../../support/asm.js'
import { btf } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { buildObject } from '../../support/object-builder.js'

const asm = assembler('little')
const POISON = poison('little')
const EXIT = concat(asm.mov(0, 0), asm.exit())
/** A branch over one instruction that some verifiers decide: the helper's result has a range. */
const DOUBT = concat(asm.call(45), asm.jeq(0, 5, 1))
const LENGTH = 1000

/** Programs that end with a call of one subprogram, whose poison is at its end. */
function judged (programs: ReadonlyArray<readonly Uint8Array[]>, steps: number) {
  const subprogram = concat(...Array.from({ length: LENGTH }, () => asm.mov(1, 0)), POISON, EXIT)
  const object = parseObject(buildObject({
    local: btf(),
    programs: [
      ...programs.map((parts, i) => {
        const code = concat(...parts)
        return { section: `kprobe/${i}`, name: `trace_${i}`, code: concat(code, asm.slot(0x85, 0, 1, 0, -code.length / 8 - 1), EXIT) }
      }),
      { section: '.text', name: 'shared', code: subprogram, binding: 'local' as const }
    ],
    records: []
  }).bytes)
  return judge(object, relocate(object, parseBtf(btf().bytes())), { steps })
}

describe('a subprogram with poison that several programs call', () => {
  it('is not followed again from a program that may get there, where it is known already and so is the verdict', () => {
    const { programs, isReachable } = judged([[], [DOUBT, POISON], [DOUBT, POISON]], 2 * LENGTH)
    expect(programs.map(({ verdict }) => verdict)).toEqual(['fails', 'unknown', 'unknown', 'fails'])
    expect(programs[2]?.reason).toContain('Instruction 2 of trace_2')
    expect(isReachable('kprobe/2', 8 * 2)).toBe(null)
    expect(isReachable('.text', 8 * LENGTH)).toBe(true)
  })

  it('is followed from a program of which nothing else is known', () => {
    expect(judged([[], [DOUBT, asm.mov(1, 0)]], 4 * LENGTH).programs.map(({ verdict }) => verdict)).toEqual(['fails', 'unknown', 'fails'])
  })

  it('is followed from a program that must get there, and fails by it', () => {
    const { programs } = judged([[], [asm.call(7), asm.jeq(0, 5, 1), DOUBT, POISON]], 4 * LENGTH)
    expect(programs.map(({ verdict }) => verdict)).toEqual(['fails', 'fails', 'fails'])
  })

  it('is not followed again behind other poison', () => {
    const behind = [POISON, DOUBT, asm.exit()]
    const further = [POISON, asm.call(7), asm.jeq(0, 5, 1), POISON, DOUBT, asm.exit()]
    const { isBehindPoison } = judged([behind, behind, behind, further], 20 * LENGTH)
    expect(isBehindPoison('.text', 8 * LENGTH)).toBe(null)
    expect(isBehindPoison('kprobe/3', 8 * 3)).toBe(true)
  })
})

describe('a subprogram that is called before poison of its caller', () => {
  /** Its result is what r8 holds where two ways meet, behind the last poison of its own. */
  const subprogram = concat(
    asm.mov(6, 0), asm.jeq(6, 0, 1), POISON, asm.mov(8, 0), asm.call(7), asm.jeq(0, 5, 0), asm.movReg(0, 8), asm.exit()
  )
  const call = (index: number) => asm.slot(0x85, 0, 1, 0, -index - 1)

  function verdictOf (code: Uint8Array) {
    const object = parseObject(buildObject({
      local: btf(),
      programs: [
        { section: 'kprobe/x', name: 'trace', code }, { section: '.text', name: 'called', code: subprogram, binding: 'local' as const }
      ],
      records: []
    }).bytes)
    return judge(object, relocate(object, parseBtf(btf().bytes()))).verdict
  }

  it('leaves a result that guards the poison', () => {
    expect(verdictOf(concat(call(0), asm.jeq(0, 0, 1), POISON, EXIT))).toBe('loads')
    expect(verdictOf(concat(call(0), asm.jeq(0, 1, 1), POISON, EXIT))).toBe('fails')
  })

  it('does so where a jump leads back from behind the call', () => {
    // The first turn calls, and jumps back over the guard.
    const code = concat(asm.mov(9, 0), asm.mov(0, 0), asm.jeq(0, 0, 1), POISON, asm.jeq(9, 1, 3), asm.mov(9, 1), call(6), asm.ja(-6), EXIT)
    expect(verdictOf(code)).toBe('loads')
  })
})
