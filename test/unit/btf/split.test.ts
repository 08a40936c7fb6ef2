import { describe, expect, it } from 'vitest'
import { parseBtf } from '../../../src/core/index.js'
import { at, btf, ENCODING, integers, type BtfBuilder } from '../../support/btf-builder.js'
import { BYTE_ORDERS, concat, type ByteOrder } from '../../support/byte-writer.js'
import { btfElf } from '../../support/elf-writer.js'
import { outcome, refusal, relocateSteps } from '../../support/scenario.js'
import { buildObject } from '../../support/object-builder.js'
import { assembler } from '../../support/asm.js'
import { relocate } from '../../support/relocate.js'

/** Local `struct foo { int x; }`, for modules that define a foo. */
function localModuleFoo (byteOrder: ByteOrder = 'little') {
  const b = btf({ byteOrder })
  const { int } = integers(b)
  return { b, foo: b.struct('module_foo', 4, [at('x', 0, int)]) }
}

function vmlinux (byteOrder: ByteOrder = 'little') {
  const b = btf({ byteOrder })
  const { int, llong } = integers(b)
  const common = b.struct('common', 8, [at('x', 0, int), at('y', 4, int)])
  return { b, int, llong, common }
}

describe('edge 28: split BTF', () => {
  it.each(BYTE_ORDERS)('reads ids and names across the border (%s-endian)', (byteOrder) => {
    const base = vmlinux(byteOrder)
    const module = btf({ base: base.b })
    const first = module.struct('module_foo', 16, [at('head', 0, base.common), at('x', 8, base.int)])
    expect(first).toBe(base.b.nextId)
    const { b, foo } = localModuleFoo(byteOrder)
    expect(outcome(b, base.b, { kind: 'byte_off', type: foo, access: '0:0', was: 0 }, [module])).toBe('resolved 8')
    expect(outcome(b, base.b, { kind: 'target_type_id', type: foo, was: 0 }, [module])).toBe(`resolved ${first}`)
    expect(outcome(b, base.b, { kind: 'type_size', type: foo, was: 4 }, [module])).toBe('resolved 16')
  })

  it('reads a name of the base that a split type uses', () => {
    const base = vmlinux()
    base.b.string('module_foo')
    base.b.string('x')
    const module = btf({ base: base.b })
    module.struct('module_foo', 16, [at('x', 4, base.int)])
    expect(module.stringLength).toBe(0)
    const { b, foo } = localModuleFoo()
    expect(outcome(b, base.b, { kind: 'byte_off', type: foo, access: '0:0', was: 0 }, [module])).toBe('resolved 4')
  })

  it('accepts own strings that do not start with NUL', () => {
    const base = vmlinux()
    const module = btf({ base: base.b })
    module.struct('module_foo', 4, [at('x', 0, base.int)])
    const bytes = module.bytes()
    const strOff = new DataView(bytes.buffer).getUint32(16, true)
    expect(bytes[24 + strOff]).not.toBe(0)
    expect(() => parseBtf(bytes, { base: parseBtf(base.b.bytes()) })).not.toThrow()
  })

  it('refuses split BTF that is given without its base', () => {
    const module = btf({ base: vmlinux().b })
    module.struct('module_foo', 4)
    refusal('btf_invalid', () => parseBtf(module.bytes()))
  })

  it('refuses BTF of its own in the place of split BTF, instead of reading its names out of the base', () => {
    const { b } = localModuleFoo()
    const error = refusal('btf_invalid', () => parseBtf(b.bytes(), { base: parseBtf(vmlinux().b.bytes()) }))
    expect(error.message).toContain('This is a whole BTF, not the split BTF of a module')
  })

  it('refuses ids and names past the split part', () => {
    const base = vmlinux()
    const parsed = parseBtf(base.b.bytes())
    const badId = btf({ base: base.b })
    badId.ptr(badId.nextId + 1)
    refusal('btf_invalid', () => parseBtf(badId.bytes(), { base: parsed }))
    const badName = btf({ base: base.b })
    badName.raw({ kind: 4, nameOff: 0x10000 })
    refusal('btf_invalid', () => parseBtf(badName.bytes(), { base: parsed }))
  })

  it('scans only the own types of a module', () => {
    const base = vmlinux()
    const module = btf({ base: base.b })
    const first = module.struct('module_foo', 4, [at('x', 0, base.int)])
    const other = btf({ base: base.b })
    other.struct('unrelated', 4, [at('x', 0, base.int)])
    const { b, foo } = localModuleFoo()
    expect(outcome(b, base.b, { kind: 'target_type_id', type: foo }, [other, module])).toBe(`resolved ${first}`)
  })

  it('relocates against a target that is split itself, base types included', () => {
    const base = vmlinux()
    const module = btf({ base: base.b })
    module.struct('module_foo', 16, [at('x', 8, base.int)])
    const parsed = parseBtf(module.bytes(), { base: parseBtf(base.b.bytes()) })
    const local = btf()
    const { int } = integers(local)
    const common = local.struct('common', 4, [at('y', 0, int)])
    const foo = local.struct('module_foo', 4, [at('x', 0, int)])
    const { outcomes } = relocateSteps({
      local,
      target: parsed,
      steps: [{ kind: 'byte_off', type: common, access: '0:0', was: 0 }, { kind: 'byte_off', type: foo, access: '0:0', was: 0 }]
    })
    expect(outcomes).toEqual(['resolved 4', 'resolved 8'])
  })

  it('takes the pointer size from its base', () => {
    const base = btf()
    base.int('long', 4)
    const module = btf({ base })
    module.struct('module_foo', 4, [at('x', 0, module.ptr(0))])
    const local = btf()
    const foo = local.struct('module_foo', 8, [at('x', 0, local.ptr(0))])
    expect(outcome(local, base, { kind: 'byte_sz', type: foo, access: '0:0', was: 8 }, [module])).toBe('resolved 4')
  })
})

describe('edge 29: modules with a distilled base', () => {
  interface Distilled { readonly base: BtfBuilder, readonly module: BtfBuilder }

  /** Relocates `struct module_foo { int x; }` against a module built on a distilled base. */
  function relocateModule (real: BtfBuilder, { base, module }: Distilled, kind: 'byte_off' | 'byte_sz' | 'type_size' = 'byte_off') {
    const target = parseBtf(real.bytes())
    const parsed = parseBtf(btfElf({ btf: module.bytes(), base: base.bytes() }), { base: target })
    const { b, foo } = localModuleFoo()
    const asm = assembler('little')
    const object = buildObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.mov(1, kind === 'byte_off' ? 0 : 4), asm.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: foo, access: kind === 'type_size' ? '0' : '0:0', kind }]
    })
    const relocation = relocate(object.bytes, target, { modules: [parsed] })
    return relocation.records.map(record => record.newValue)
  }

  function parseModule (real: BtfBuilder, { base, module }: Distilled) {
    return parseBtf(btfElf({ btf: module.bytes(), base: base.bytes() }), { base: parseBtf(real.bytes()) })
  }

  function realBase () {
    const b = btf()
    b.int('filler one', 1)
    const { int } = integers(b)
    b.string('some longer string than the distilled base has')
    const common = b.struct('common', 24, [at('a', 0, int), at('b', 16, int)])
    return { b, int, common }
  }

  it('maps integers and structs onto the real base, by name and size', () => {
    const distilled = btf()
    const int = distilled.int('int', 4, { signed: true })
    const common = distilled.struct('common', 24)
    const module = btf({ base: distilled })
    module.struct('module_foo', 32, [at('head', 0, common), at('x', 24, int)])
    expect(relocateModule(realBase().b, { base: distilled, module })).toEqual([24n])
    expect(relocateModule(realBase().b, { base: distilled, module }, 'byte_sz')).toEqual([4n])
    expect(relocateModule(realBase().b, { base: distilled, module }, 'type_size')).toEqual([32n])
  })

  it('shifts the strings of the module, and maps those it shares with the distilled base', () => {
    const distilled = btf()
    const int = distilled.int('int', 4, { signed: true })
    distilled.struct('common', 24)
    const module = btf({ base: distilled })
    module.struct('common', 8, [at('x', 0, int)])
    module.struct('module_foo', 8, [at('x', 4, int)])
    expect(relocateModule(realBase().b, { base: distilled, module })).toEqual([4n])
  })

  it('refuses a distilled type that the real base does not have', () => {
    const distilled = btf()
    distilled.struct('vanished', 8)
    const module = btf({ base: distilled })
    module.struct('module_foo', 4)
    refusal('btf_invalid', () => parseModule(realBase().b, { base: distilled, module }))
  })

  it.each([
    ['an integer of another size', (b: BtfBuilder) => b.int('int', 8, { signed: true })],
    ['an integer of another encoding', (b: BtfBuilder) => b.int('int', 4, { encoding: ENCODING.NONE })],
    ['a float where the base has none', (b: BtfBuilder) => b.float('double', 8)],
    ['a type without a name', (b: BtfBuilder) => b.struct('', 8)],
    ['a pointer', (b: BtfBuilder) => b.ptr(0)],
    ['a typedef', (b: BtfBuilder) => b.typedef('common', 0)]
  ])('refuses %s', (_, add) => {
    const distilled = btf()
    add(distilled)
    const module = btf({ base: distilled })
    module.struct('module_foo', 4)
    refusal('btf_invalid', () => parseModule(realBase().b, { base: distilled, module }))
  })

  it('refuses an embedded struct of another size', () => {
    const distilled = btf()
    const common = distilled.struct('common', 16)
    const module = btf({ base: distilled })
    module.struct('module_foo', 16, [at('head', 0, module.array(module.const(common), 1))])
    refusal('btf_invalid', () => parseModule(realBase().b, { base: distilled, module }))
  })

  it('accepts a struct of another size that is only pointed to', () => {
    const distilled = btf()
    const common = distilled.struct('common', 16)
    const module = btf({ base: distilled })
    const int = module.int('module int', 4)
    module.struct('module_foo', 16, [at('head', 0, module.ptr(common)), at('x', 8, int)])
    expect(relocateModule(realBase().b, { base: distilled, module })).toEqual([8n])
  })

  it('tells structs of one name apart by size', () => {
    const real = realBase()
    real.b.struct('common', 48, [at('c', 0, real.int)])
    const distilled = btf()
    const common = distilled.struct('common', 48)
    const int = distilled.int('int', 4, { signed: true })
    const module = btf({ base: distilled })
    module.struct('module_foo', 52, [at('head', 0, common), at('x', 48, int)])
    expect(relocateModule(real.b, { base: distilled, module })).toEqual([48n])
  })

  it('refuses when two structs of the base have that name and size', () => {
    const real = realBase()
    real.b.struct('common', 24, [at('c', 0, real.int)])
    const distilled = btf()
    const common = distilled.struct('common', 24)
    const module = btf({ base: distilled })
    module.struct('module_foo', 24, [at('head', 0, common)])
    refusal('btf_invalid', () => parseModule(real.b, { base: distilled, module }))
  })

  it('maps a forward declaration onto one of the same kind, or onto a struct', () => {
    const real = realBase()
    real.b.fwd('opaque')
    const distilled = btf()
    const opaque = distilled.fwd('opaque')
    const common = distilled.fwd('common')
    const int = distilled.int('int', 4, { signed: true })
    const module = btf({ base: distilled })
    module.struct('module_foo', 24, [at('o', 0, module.ptr(opaque)), at('c', 8, module.ptr(common)), at('x', 16, int)])
    expect(relocateModule(real.b, { base: distilled, module })).toEqual([16n])
  })

  it('maps an enum onto an enum of the same size', () => {
    const real = realBase()
    real.b.enum('mode', [['A', 1]])
    const distilled = btf()
    const mode = distilled.enum('mode', [])
    const module = btf({ base: distilled })
    module.struct('module_foo', 8, [at('mode', 0, mode), at('x', 4, mode)])
    expect(() => parseModule(real.b, { base: distilled, module })).not.toThrow()
  })

  it('rewrites what types of every kind refer to', () => {
    const real = realBase()
    real.b.enum('mode', [['A', 1]])
    real.b.enum64('wide_mode', [['B', 1]])
    real.b.float('double', 8)
    const distilled = btf()
    const int = distilled.int('int', 4, { signed: true })
    const common = distilled.struct('common', 24)
    const mode = distilled.enum('mode', [])
    const wideMode = distilled.enum('wide_mode', [], { size: 8 })
    const float = distilled.float('double', 8)
    const module = btf({ base: distilled })
    module.enum('own_mode', [['int', 1], ['OWN', 2]])
    module.enum64('own_wide_mode', [['common', 1]])
    const proto = module.funcProto(int, [['int', module.ptr(common)], ['x', module.const(mode)], ['', 0]])
    const func = module.func('common', proto)
    module.declTag('mode', func, 0)
    module.datasec('.data', 8, [[module.var('int', module.volatile(wideMode)), 0, 8]])
    module.union('int', 8, [at('common', 0, module.typeTag('int', module.ptr(module.restrict(float))))])
    const alias = module.typedef('common', module.array(int, 3))
    module.fwd('common')
    module.struct('module_foo', 40, [at('int', 0, alias), at('x', 36, int)])
    expect(relocateModule(real.b, { base: distilled, module })).toEqual([36n])

    const target = parseBtf(real.b.bytes())
    const parsed = parseBtf(btfElf({ btf: module.bytes(), base: distilled.bytes() }), { base: target })
    const local = btf()
    const l = integers(local)
    const localAlias = local.typedef('common', local.array(l.int, 3))
    const localEnum = local.enum('own_mode', [['int', 1], ['OWN', 2]])
    const localUnion = local.union('int', 8, [at('common', 0, local.ptr(0))])
    const steps = [
      { kind: 'type_exists' as const, type: localAlias, was: 1 },
      { kind: 'enumval_value' as const, type: localEnum, access: '0', was: 1 },
      { kind: 'field_exists' as const, type: localUnion, access: '0:0', was: 1 }
    ]
    const asm = assembler('little')
    const object = buildObject({
      local,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(...steps.map(step => asm.mov(1, step.was)), asm.exit()) }],
      records: steps.map((step, i) =>
        ({ section: 'raw_tp/a', insnOff: i * 8, typeId: step.type, access: step.access ?? '0', kind: step.kind }))
    })
    expect(relocate(object.bytes, target, { modules: [parsed] }).records.map(record => record.newValue)).toEqual([1n, 1n, 1n])
  })

  it('refuses a name of the distilled base that no mapped type has', () => {
    const distilled = btf()
    distilled.int('int', 4, { signed: true })
    distilled.string('leftover')
    const module = btf({ base: distilled })
    module.struct('leftover', 4)
    refusal('btf_invalid', () => parseModule(realBase().b, { base: distilled, module }))
  })

  it('maps two distilled types of one name onto the two of the base', () => {
    const real = realBase()
    real.b.struct('common', 48, [at('c', 0, real.int)])
    const distilled = btf()
    const small = distilled.struct('common', 24)
    const large = distilled.struct('common', 48)
    const int = distilled.int('int', 4, { signed: true })
    const module = btf({ base: distilled })
    module.struct('module_foo', 80, [at('s', 0, small), at('l', 24, large), at('x', 72, int)])
    expect(relocateModule(real.b, { base: distilled, module })).toEqual([72n])
  })

  it('maps nothing where the distilled base is empty', () => {
    const distilled = btf()
    const module = btf({ base: distilled })
    const int = module.int('own', 4, { signed: true })
    module.struct('module_foo', 16, [at('x', 12, int)])
    expect(relocateModule(realBase().b, { base: distilled, module })).toEqual([12n])
  })

  it('refuses a distilled base when no real base is given', () => {
    const distilled = btf()
    distilled.int('int', 4, { signed: true })
    const module = btf({ base: distilled })
    module.struct('module_foo', 4)
    refusal('btf_invalid', () => parseBtf(btfElf({ btf: module.bytes(), base: distilled.bytes() })))
  })
})
