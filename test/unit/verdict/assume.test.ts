import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { judge, parseAssumptions, resolveAssumptions, type Judgement } from '../../../src/verdict/index.js'
import { STB, STT } from '../../support/elf-writer.js'
import { assembler } from '../../support/asm.js'
import { at, bitsAt, btf, integers } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { guardedObject } from '../../support/corpus.js'
import { buildObject } from '../../support/object-builder.js'

/** What is assumed about the object; or the message of the refusal. */
function resolved (...texts: string[]): object | string {
  try {
    return Object.fromEntries(resolveAssumptions(parseObject(guardedObject('setting')), parseAssumptions(texts)))
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_request', details: { field: 'assume' } })
    return error instanceof Error ? error.message : ''
  }
}

describe('what is assumed', () => {
  it.each([
    ['enabled=1', { enabled: 1n }],
    ['enabled=0xfF', { enabled: 255n }],
    ['enabled=-1', { enabled: 0xffff_ffffn }],
    ['enabled=true', { enabled: 1n }],
    ['.rodata.enabled=false', { '.rodata.enabled': 0n }],
    ['CONFIG_NF_TABLES=m', { CONFIG_NF_TABLES: 2n }],
    ['CONFIG_NF_TABLES=y', { CONFIG_NF_TABLES: 1n }],
    ['CONFIG_BPF_JIT=n', { CONFIG_BPF_JIT: 0n }],
    ['CONFIG_LETTER=y', { CONFIG_LETTER: 121n }],
    ['LINUX_KERNEL_VERSION=0x60100', { LINUX_KERNEL_VERSION: 0x60100n }],
    ['LINUX_KERNEL_VERSION = 6.1.300', { LINUX_KERNEL_VERSION: 0x601ffn }],
    ['.rodata.enabled = 0 ', { '.rodata.enabled': 0n }],
    ['limits+4=7', { 'limits+4': 7n }]
  ])('may be %s', (text, value) => { expect(resolved(text)).toEqual(value) })

  it.each([
    ['enabled', '"enabled" is not an assumption. Write name=value, such as enabled=1.'],
    ['enabled=', '"enabled=" is not an assumption. Write name=value, such as enabled=1.'],
    ['=1', '"=1" is not an assumption. Write name=value, such as enabled=1.'],
    ['limits+12=1', expect.stringMatching(/^The object has no variable limits\+12 in \.rodata, /)],
    ['limits.x=1', expect.stringMatching(/^The object has no variable limits\.x in \.rodata, /)],
    ['enabled=1.5', 'The value of "enabled=1.5" must be a decimal or hex number of at most 64 bits, true, false, y, n or m.'],
    [
      'enabled=18446744073709551616',
      'The value of "enabled=18446744073709551616" must be a decimal or hex number of at most 64 bits, true, false, y, n or m.'
    ],
    ['enabled=0x1ffffffff', 'enabled has 4 bytes; 8589934591 does not fit in it.'],
    ['enabled=y', 'enabled is a variable. It takes a number, not y.'],
    ['CONFIG_BPF_JIT=m', 'CONFIG_BPF_JIT cannot be m: the object declares it as a bool.'],
    ['LINUX_KERNEL_VERSION=y', 'LINUX_KERNEL_VERSION cannot be y: the object declares it as a number.'],
    ['limits=1', 'limits has 12 bytes; only values of at most 8 bytes can be assumed. Name a part of it, such as limits+0.'],
    [
      'enabeld=1',
      'The object has no variable enabeld in .rodata, and no .kconfig extern of that name; it has enabled, limits, ' +
        'LINUX_KERNEL_VERSION, CONFIG_NF_TABLES, CONFIG_BPF_JIT, CONFIG_LETTER.'
    ]
  ])('cannot be %s', (text, message) => { expect(resolved(text)).toEqual(message) })

  it('is one value for each name, and a bounded number of names', () => {
    expect(resolved('enabled=1', 'enabled=2')).toBe('enabled is assumed twice; give it one value.')
    expect(resolved('enabled=1', '.rodata.enabled=2')).toBe('enabled and .rodata.enabled are one place; give it one value.')
    expect(resolved(...Array.from({ length: 65 }, (_, i) => `v${i}=1`))).toBe('65 values are assumed; at most 64 are allowed.')
  })
})

/** The verdict about an access that the kernel does not have, behind a condition, and what it rests on. */
function judged (by: Parameters<typeof guardedObject>[0], ...assumed: string[]): Pick<Judgement, 'verdict' | 'assumes'> {
  const object = parseObject(guardedObject(by))
  const relocation = relocate(object, parseBtf(btf().bytes()))
  expect(relocation.counts.poisoned).toBe(1)
  const { verdict, assumes } = judge(object, relocation, { assume: resolveAssumptions(object, parseAssumptions(assumed)) })
  return { verdict, assumes }
}

describe('the verdict about a program that asks the kernel\'s configuration', () => {
  it('is unknown where its value is not given', () => {
    expect(judged('configuration')).toEqual({ verdict: 'unknown', assumes: [] })
    expect(judged('module')).toEqual({ verdict: 'unknown', assumes: [] })
    expect(judged('configuration', 'CONFIG_NF_TABLES=y')).toEqual({ verdict: 'unknown', assumes: [] })
  })

  it.each([
    ['version', 'LINUX_KERNEL_VERSION', "the kernel's release is named, or a value is assumed."],
    ['configuration', 'CONFIG_BPF_JIT', 'a value is assumed.']
  ] as const)('says what would decide more: %s', (by, name, what) => {
    const reasonOf = (options: object): string | null | undefined => {
      const object = parseObject(guardedObject(by))
      return judge(object, relocate(object, parseBtf(btf().bytes())), options).programs[0]?.reason
    }
    expect(reasonOf({})).toMatch(/^Instruction 4 of a is poisoned\. Whether the verifier decides the branch at instruction 3 of a is not known\. The/)
    expect(reasonOf({})).toContain(` The program reads ${name}, of which the value is not known: more is decided where ${what}`)
    expect(reasonOf({ kernelRelease: '5.15.3', assume: new Map([['CONFIG_BPF_JIT', 0n]]) })).toBe(null)
  })

  it.each([
    ['configuration', 'CONFIG_BPF_JIT=n', 'loads', 'CONFIG_BPF_JIT = 0'],
    ['configuration', 'CONFIG_BPF_JIT=y', 'fails', 'CONFIG_BPF_JIT = 1'],
    ['module', 'CONFIG_NF_TABLES=n', 'loads', 'CONFIG_NF_TABLES = 0'],
    ['module', 'CONFIG_NF_TABLES=y', 'loads', 'CONFIG_NF_TABLES = 1'],
    ['module', 'CONFIG_NF_TABLES=m', 'fails', 'CONFIG_NF_TABLES = 2'],
    ['version', 'LINUX_KERNEL_VERSION=0x50a00', 'fails', 'LINUX_KERNEL_VERSION = 330240'],
    ['version', 'LINUX_KERNEL_VERSION=0x50b00', 'loads', 'LINUX_KERNEL_VERSION = 330496']
  ] as const)('rests on the value that is given: %s, %s: %s', (by, assumed, verdict, assumption) => {
    expect(judged(by, assumed)).toEqual({ verdict, assumes: [assumption] })
  })
})

describe('the verdict about a program that reads a read-only section of its own', () => {
  it('rests on the variable there, which is told with its section', () => {
    expect(judged('other section')).toEqual({ verdict: 'fails', assumes: ['.rodata.settings.verbose = 3'] })
  })

  it('rests on what is assumed of it, by its own name and by that of its section', () => {
    for (const name of ['verbose', '.rodata.settings.verbose']) {
      expect(judged('other section', `${name}=0`)).toEqual({ verdict: 'loads', assumes: ['.rodata.settings.verbose = 0'] })
      expect(judged('other section', `${name}=-1`)).toEqual({ verdict: 'fails', assumes: ['.rodata.settings.verbose = 4294967295'] })
    }
  })

  it('does not change with variables beside it, be it one of the same name in another section', () => {
    for (const other of ['.rodata.verbose=0', 'level=0']) {
      expect(judged('other section', other)).toEqual({ verdict: 'fails', assumes: ['.rodata.settings.verbose = 3'] })
    }
  })
})

/** Bytes from the start of a section, and how many are read. */
type Read = readonly [offset: number, size: 'b' | 'h' | 'w' | 'dw']

/**
 * An access that no kernel has, where what is read of `.rodata` is 0. That has 4 bytes of no variable, `CFG` of a struct, and
 * `targ_comm`, a text.
 */
function objectThatReads ([offset, size]: Read, text = { value: 28, size: 16 }) {
  const local = btf()
  const { int, uint, char, bool } = integers(local)
  const limits = local.struct('limits', 8, [at('soft', 0, uint), at('hard', 4, uint)])
  const config = local.struct('config', 24, [
    at('mode', 0, int), at('limits', 4, local.array(limits, 2)), at('', 20, local.union('', 1, [at('enabled', 0, bool)])),
    bitsAt('flag', 8 * 21, uint, 1)
  ])
  local.datasec('.rodata', 44, [
    [local.var('CFG', local.const(local.volatile(config)), 1), 4, 24],
    [local.var('targ_comm', local.const(local.array(char, 16)), 1), 28, 16]
  ])
  const gone = local.struct('s', 4, [at('gone', 0, int)])
  const asm = assembler('little')
  const section = 'raw_tp/a'
  const variable = { section: 1, type: STT.OBJECT, binding: STB.GLOBAL }
  const code = concat(asm.ldImm64(1, offset), asm.ldx(size, 1, 1, 0), asm.jeq(1, 0, 1), asm.ja(1), asm.mov(2, 0), asm.mov(0, 0), asm.exit())
  return parseObject(buildObject({
    local,
    sectionsBefore: [{ name: '.rodata', data: new Uint8Array(44) }],
    // The section itself comes first: the program refers to it.
    symbols: [
      { name: '', section: 1, type: STT.SECTION, binding: STB.LOCAL },
      { name: 'CFG', value: 4, size: 24, ...variable }, { name: 'targ_comm', ...text, ...variable }
    ],
    programs: [{ section, name: 'a', code }],
    records: [{ section, insnOff: 40, typeId: gone, access: '0:0', kind: 'byte_off' }],
    relocations: [{ section, offset: 0 }]
  }).bytes)
}

function judgedRead (read: Read, ...assumed: string[]): Pick<Judgement, 'verdict' | 'assumes'> {
  const object = objectThatReads(read)
  const relocation = relocate(object, parseBtf(btf().bytes()))
  const { verdict, assumes } = judge(object, relocation, { assume: resolveAssumptions(object, parseAssumptions(assumed)) })
  return { verdict, assumes }
}

const READS: ReadonlyArray<readonly [name: string, read: Read]> = [
  ['.rodata.CFG+0', [4, 'w']],
  ['.rodata.CFG+8', [12, 'w']],
  ['.rodata.CFG+12', [16, 'dw']],
  ['.rodata.CFG+20', [24, 'b']],
  ['.rodata.CFG+22', [26, 'h']],
  ['.rodata.targ_comm+0', [28, 'b']],
  ['.rodata.targ_comm+8', [36, 'dw']],
  ['.rodata+0', [0, 'w']]
]

it('is told of a variable that does not end before its section does', () => {
  const object = objectThatReads([40, 'w'], { value: 40, size: 8 })
  expect(judge(object, relocate(object, parseBtf(btf().bytes()))).assumes).toEqual(['.rodata.targ_comm = 0'])
})

describe('what is assumed of a part of a variable', () => {
  it.each(READS)('is taken by the name that the verdict gives: %s', (name, read) => {
    expect(judgedRead(read)).toEqual({ verdict: 'fails', assumes: [`${name} = 0`] })
    expect(judgedRead(read, `${name} = 0`)).toEqual({ verdict: 'fails', assumes: [`${name} = 0`] })
    expect(judgedRead(read, `${name} = 3`)).toEqual({ verdict: 'loads', assumes: [`${name} = 3`] })
  })

  it.each<readonly [assumed: string, read: Read]>([
    ['CFG.mode=1', [4, 'w']],
    ['.rodata.CFG.mode=1', [4, 'w']],
    ['CFG+0=1', [4, 'w']],
    ['CFG.limits[0].hard=1', [12, 'w']],
    ['CFG.limits[1].soft=1', [16, 'w']],
    ['CFG.enabled=true', [24, 'b']],
    ['targ_comm[3]=97', [31, 'b']],
    ['targ_comm+0=0x68736162', [30, 'h']]
  ])('is taken by offset and by member: %s', (assumed, read) => {
    expect(judgedRead(read).verdict).toBe('fails')
    expect(judgedRead(read, assumed).verdict).toBe('loads')
  })

  it('leaves what is beside it', () => {
    expect(judgedRead([12, 'w'], 'CFG.limits[0].soft=-1').verdict).toBe('fails')
    expect(judgedRead([16, 'w'], 'CFG.limits[0].hard=-1').verdict).toBe('fails')
    expect(judgedRead([29, 'b'], 'targ_comm+0=97').verdict).toBe('fails')
  })

  it.each([
    [
      'CFG=1',
      'CFG has 24 bytes; only values of at most 8 bytes can be assumed. Name a part of it, such as CFG.mode, CFG.limits, CFG.enabled, ' +
        'or by its offset CFG+0.'
    ],
    [
      'CFG.limits=1',
      'CFG.limits has 16 bytes; only values of at most 8 bytes can be assumed. Name a part of it, such as a member or an offset.'
    ],
    ['CFG.enabled=256', 'CFG.enabled has 1 byte; 256 does not fit in it.'],
    ['CFG.flag=1', 'The object has no variable CFG.flag in .rodata, and no .kconfig extern of that name; it has CFG, targ_comm.'],
    [
      'CFG.limits[2].soft=1',
      'The object has no variable CFG.limits[2].soft in .rodata, and no .kconfig extern of that name; it has CFG, targ_comm.'
    ],
    ['CFG+24=1', 'The object has no variable CFG+24 in .rodata, and no .kconfig extern of that name; it has CFG, targ_comm.'],
    ['.rodata+44=1', 'The object has no variable .rodata+44 in .rodata, and no .kconfig extern of that name; it has CFG, targ_comm.']
  ])('cannot be %s', (text, message) => {
    expect(() => resolveAssumptions(objectThatReads([0, 'w']), parseAssumptions([text]))).toThrow(message)
  })
})
