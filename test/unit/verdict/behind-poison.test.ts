import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { judge, type JudgeOptions } from '../../../src/verdict/index.js'
import { assembler } from '../../support/asm.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { buildObject } from '../../support/object-builder.js'
import { STB, STT } from '../../support/elf-writer.js'

const asm = assembler('little')
const EXIT = [asm.mov(0, 0), asm.exit()]
/** bpf_get_prandom_u32: a number that no verifier knows. */
const RANDOM = asm.call(7)

interface Program {
  readonly insns: readonly Uint8Array[]
  /** Of instruction slots that read what no kernel has. */
  readonly poisoned: readonly number[]
  /** Of one whose value is 0: whether the kernel has a field. */
  readonly absent?: number
  /** Of one that loads the address of `.rodata`, which has 4 and then 0. */
  readonly address?: number
}

const DATA = { name: '.rodata', data: Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0) }
const DATA_SYMBOL = { name: '', section: 1, type: STT.SECTION, binding: STB.LOCAL }

/** Of each poisoned instruction, by its slot: whether it is reached, and whether it lies behind other poison. */
function askedOf (programs: readonly Program[], options: JudgeOptions = {}): Record<number, readonly [boolean | null, boolean | null]>[] {
  const local = btf()
  const { int } = integers(local)
  const typeId = local.struct('s', 4, [at('gone', 0, int)])
  const kernel = btf()
  kernel.struct('s', 4, [at('kept', 0, integers(kernel).int)])
  const sectionOf = (i: number): string => i === 0 ? 'kprobe/x' : '.text'
  const records = programs.flatMap(({ poisoned, absent }, i) => [
    ...poisoned.map(slot => ({ section: sectionOf(i), insnOff: 8 * slot, typeId, access: '0:0', kind: 'byte_off' as const })),
    ...absent === undefined ? [] : [{ section: sectionOf(i), insnOff: 8 * absent, typeId, access: '0:0', kind: 'field_exists' as const }]
  ])
  const relocations = programs.flatMap(({ address }, i) => address === undefined ? [] : [{ section: sectionOf(i), offset: 8 * address }])
  const object = parseObject(buildObject({
    local,
    ...relocations.length === 0 ? {} : { sectionsBefore: [DATA], symbols: [DATA_SYMBOL], relocations },
    programs: programs.map(({ insns }, i) =>
      ({ section: sectionOf(i), name: `p${i}`, code: concat(...insns), ...(i === 0 ? {} : { binding: 'local' as const }) })),
    records
  }).bytes)
  const { isReachable, isBehindPoison } = judge(object, relocate(object, parseBtf(kernel.bytes())), options)
  return programs.map(({ poisoned }, i) => Object.fromEntries(poisoned.map(slot =>
    [slot, [isReachable(sectionOf(i), 8 * slot), isBehindPoison(sectionOf(i), 8 * slot)] as const])))
}

const asked = (program: Program, options?: JudgeOptions) => askedOf([program], options)[0]

const REACHED = [true, false]
const BEHIND = [false, true]
const NEVER = [false, false]
const NOT_KNOWN = [false, null]

describe('poison that the verifier does not get to', () => {
  it('lies behind other poison where that is what stops the verifier', () => {
    expect(asked({ insns: [asm.mov(1, 0), asm.mov(2, 0), asm.mov(3, 0), ...EXIT], poisoned: [0, 1, 2] }))
      .toEqual({ 0: REACHED, 1: BEHIND, 2: BEHIND })
  })

  it('is never reached behind a guard, whether other poison comes before that or not', () => {
    const insns = [asm.mov(1, 0), asm.mov(2, 1), asm.jeq(2, 0, 1), asm.mov(3, 0), ...EXIT]
    expect(asked({ insns, poisoned: [0, 3], absent: 1 })).toEqual({ 0: REACHED, 3: NEVER })
    expect(asked({ insns, poisoned: [3], absent: 1 })).toEqual({ 3: NEVER })
  })

  it('is never reached behind a guard of the stack, which only the whole analysis sees', () => {
    const insns = [
      asm.mov(1, 0), asm.mov(2, 1), asm.stx('dw', 10, 2, -8), asm.ldx('dw', 3, 10, -8), asm.jeq(3, 0, 1), asm.mov(4, 0), ...EXIT
    ]
    expect(asked({ insns, poisoned: [0, 5], absent: 1 })).toEqual({ 0: REACHED, 5: NEVER })
  })

  it.each([['4', 0, NEVER], ['0', 4, BEHIND]])('is reached or not as data decides that does not change: %s', (_name, offset, expected) => {
    const insns = [
      asm.mov(1, 0), asm.jeq(1, 0, 6), asm.ldImm64(2, 0), asm.ldx('w', 3, 2, offset), asm.jeq(3, 0, 1), asm.ja(1), asm.mov(4, 0), ...EXIT
    ]
    expect(asked({ insns, poisoned: [0, 7], address: 2 })).toEqual({ 0: REACHED, 7: expected })
    expect(asked({ insns, poisoned: [0, 7], address: 2 }, { kernelRelease: '4.19.0' })).toEqual({ 0: REACHED, 7: BEHIND })
  })

  it('is reached where a way leads around the poison before it', () => {
    const insns = [RANDOM, asm.jeq(0, 0, 1), asm.mov(1, 0), asm.mov(2, 0), ...EXIT]
    expect(asked({ insns, poisoned: [2, 3] })).toEqual({ 2: REACHED, 3: REACHED })
  })

  it('is on either side of a branch that the missing value decides', () => {
    const insns = [asm.mov(1, 0), asm.jeq(1, 4, 2), asm.mov(2, 0), asm.ja(1), asm.mov(3, 0), ...EXIT]
    expect(asked({ insns, poisoned: [0, 2, 4] })).toEqual({ 0: REACHED, 2: BEHIND, 4: BEHIND })
  })

  it('lies behind a poisoned load of 16 bytes, whose second half is no instruction', () => {
    expect(asked({ insns: [asm.ldImm64(1, 0), asm.mov(2, 0), ...EXIT], poisoned: [0, 2] })).toEqual({ 0: REACHED, 2: BEHIND })
  })

  it('lies behind poison of the caller, and in a function that is called behind poison', () => {
    const call = asm.slot(0x85, 0, 1, 0, -2) // to the start of .text
    const [program, subprogram] = askedOf([
      { insns: [asm.mov(1, 0), call, ...EXIT], poisoned: [0] },
      { insns: [asm.mov(2, 0), ...EXIT], poisoned: [0] }
    ])
    expect(program).toEqual({ 0: REACHED })
    expect(subprogram).toEqual({ 0: BEHIND })
  })

  it('lies behind other poison and a branch that no verifier decides, since a comparison leaves both of its sides possible', () => {
    const limits = [asm.slot(0x25, 0, 0, 6, 16), asm.slot(0x35, 0, 0, 1, 8), asm.mov(2, 0)] // if (r0 <= 16) if (r0 < 8)
    const insns = [asm.mov(1, 0), RANDOM, ...limits, ...EXIT, ...EXIT]
    expect(asked({ insns, poisoned: [0, 4] })).toEqual({ 0: REACHED, 4: BEHIND })
    const excluded = [asm.slot(0x25, 0, 0, 6, 16), asm.slot(0xb5, 0, 0, 1, 16), asm.mov(2, 0)] // if (r0 <= 16) if (r0 > 16)
    expect(asked({ insns: [asm.mov(1, 0), RANDOM, ...excluded, ...EXIT, ...EXIT], poisoned: [0, 4] })).toEqual({ 0: REACHED, 4: NEVER })
  })

  it('lies behind other poison where nothing but loads and helpers come between, whether steps are left or not', () => {
    const between = [asm.ldImm64(6, 7), asm.ldx('dw', 1, 10, -8), asm.call(8)]
    const insns = [RANDOM, asm.mov(1, 0), ...between, asm.mov(2, 0), ...EXIT]
    expect(asked({ insns, poisoned: [1, 6] }, { steps: 2 })).toEqual({ 1: REACHED, 6: BEHIND })
  })

  it('is not said to lie behind other poison where a function is called between, which may end the program', () => {
    const call = asm.slot(0x85, 0, 1, 0, -2) // to the start of .text, which throws
    const [program] = askedOf([
      { insns: [asm.mov(1, 0), call, asm.mov(2, 0), ...EXIT], poisoned: [0, 2] },
      { insns: [asm.ja(-1)], poisoned: [] }
    ])
    expect(program).toEqual({ 0: REACHED, 2: NEVER })
  })

  it('may be reached where the verifier may know what the missing value is compared with', () => {
    // r1 of a kprobe is a pointer that could be known not to be null
    const insns = [asm.mov(2, 0), asm.slot(0x55, 1, 0, 1, 0), asm.mov(3, 0), ...EXIT]
    expect(asked({ insns, poisoned: [0, 2] })).toEqual({ 0: REACHED, 2: NOT_KNOWN })
  })

  it('may be reached where the steps run out', () => {
    const insns = [asm.mov(1, 0), RANDOM, asm.jeq(0, 0, 1), asm.mov(2, 0), ...EXIT]
    expect(asked({ insns, poisoned: [0, 3] }, { steps: 4 })).toEqual({ 0: REACHED, 3: NOT_KNOWN })
  })
})
