import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject, relocate } from '../../../src/core/index.js'
import { judge, parseAssumptions, resolveAssumptions, type Judgement } from '../../../src/verdict/index.js'
import { btf } from '../../support/btf-builder.js'
import { guardedObject } from '../../support/corpus.js'

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
    ['LINUX_KERNEL_VERSION=0x60100', { LINUX_KERNEL_VERSION: 0x60100n }]
  ])('may be %s', (text, value) => { expect(resolved(text)).toEqual(value) })

  it.each([
    ['enabled', '"enabled" is not an assumption. Write name=value, such as enabled=1.'],
    ['enabled=', '"enabled=" is not an assumption. Write name=value, such as enabled=1.'],
    ['=1', '"=1" is not an assumption. Write name=value, such as enabled=1.'],
    ['enabled=1.5', 'The value of "enabled=1.5" must be a decimal or hex number of at most 64 bits, true, false, y, n or m.'],
    [
      'enabled=18446744073709551616',
      'The value of "enabled=18446744073709551616" must be a decimal or hex number of at most 64 bits, true, false, y, n or m.'
    ],
    ['enabled=0x1ffffffff', 'enabled has 4 bytes; 8589934591 does not fit in it.'],
    ['enabled=y', 'enabled is a variable. It takes a number, not y.'],
    ['CONFIG_BPF_JIT=m', 'CONFIG_BPF_JIT cannot be m: the object declares it as a bool.'],
    ['LINUX_KERNEL_VERSION=y', 'LINUX_KERNEL_VERSION cannot be y: the object declares it as a number.'],
    ['limits=1', 'limits has 12 bytes; only values of at most 8 bytes can be assumed.'],
    [
      'enabeld=1',
      'The object has no variable enabeld in .rodata, and no .kconfig extern of that name; it has enabled, LINUX_KERNEL_VERSION, ' +
        'CONFIG_NF_TABLES, CONFIG_BPF_JIT, CONFIG_LETTER.'
    ]
  ])('cannot be %s', (text, message) => { expect(resolved(text)).toBe(message) })

  it('is one value for each name, and a bounded number of names', () => {
    expect(resolved('enabled=1', 'enabled=2')).toBe('enabled is assumed twice; give it one value.')
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
