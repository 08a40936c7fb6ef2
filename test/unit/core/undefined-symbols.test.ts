import { expect, it } from 'vitest'
import { parseObject } from '../../../src/core/index.js'
import { warnOfUndefined } from '../../../src/core/undefined-symbols.js'
import type { Warning } from '../../../src/core/outcome.js'
import { assembler } from '../../support/asm.js'
import { btf } from '../../support/btf-builder.js'
import { concat } from '../../support/byte-writer.js'
import { STB } from '../../support/elf-writer.js'
import { buildObject, type ObjectSpec } from '../../support/object-builder.js'

const asm = assembler('little')
const SECTION = 'raw_tp/a'
const undefinedSymbol = { name: 'gone', value: 0, size: 0, type: 0, binding: STB.GLOBAL, section: 0 }

/** Of a program whose second instruction calls a symbol. */
function warned (spec: Partial<ObjectSpec> = {}): Warning | undefined {
  const call = Uint8Array.of(0x85, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff)
  const programs = [{ section: SECTION, name: 'handle', code: concat(asm.mov(1, 0), call, asm.exit()) }]
  const relocations = [{ section: SECTION, offset: 8, type: 10 }]
  return warnOfUndefined(parseObject(buildObject({ local: btf(), programs, relocations, symbols: [undefinedSymbol], ...spec }).bytes))
}

it('a call of what is defined nowhere is told with its place, since libbpf does not open the object', () => {
  expect(warned()).toMatchObject({
    code: 'function_undefined', message: expect.stringContaining('gone (section raw_tp/a, instruction 1 of handle)')
  })
})

it('nothing is told of a symbol that is defined, is not called, or has no name', () => {
  expect(warned({ symbols: [{ ...undefinedSymbol, section: 1 }] })).toBeUndefined()
  expect(warned({ relocations: [{ section: SECTION, offset: 0 }] })).toBeUndefined()
  expect(warned({ symbols: [{ ...undefinedSymbol, name: '' }] })).toBeUndefined()
})

it('nothing is told of a kfunc, which BTF declares to be elsewhere', () => {
  const local = btf()
  local.func('gone', local.funcProto(0), 2)
  expect(warned({ local })).toBeUndefined()
})
