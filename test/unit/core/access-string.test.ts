import { describe, expect, it } from 'vitest'
import { at, btf, integers, type BtfBuilder } from '../../support/btf-builder.js'
import { assembler } from '../../support/asm.js'
import { BYTE_ORDERS, concat } from '../../support/byte-writer.js'
import { outcome, relocateObject } from '../../support/scenario.js'

/** `struct foo { int x; int y; }`, 8 bytes, as object and as kernel. */
function foo () {
  const b = btf()
  const { int } = integers(b)
  return { b, foo: b.struct('foo', 8, [at('x', 0, int), at('y', 4, int)]) }
}

/** `levels` structs nested by a named member, an int in the innermost. */
function nested (levels: number) {
  const b = btf()
  let id = integers(b).int
  for (let i = 1; i < levels; i++) id = b.struct(`inner${i}`, 4, [at('m', 0, id)])
  return { b, id: b.struct('outer', 4, [at('m', 0, id)]) }
}

describe('edge 33: access strings of fields', () => {
  it.each([
    ['0', 0], ['0:0', 0], ['0:1', 4], ['2', 16], ['1:1', 12], ['10:1', 84], ['0000:001', 4]
  ])('reads "%s" as an offset of %i', (access, offset) => {
    const { b, foo: type } = foo()
    expect(outcome(b, b, { kind: 'byte_off', type, access, was: offset })).toBe(`resolved ${offset}`)
  })

  it.each([
    '', ':0', '0:', '0::1', '0:-1', '-1', ':', '0a', '0:x', '0x1', '0:1 ', '\ufeff0:1', '٠', '2147483648', '0:2147483648',
    '0:99999999999999999999'
  ])('refuses "%s"', (access) => {
    const { b, foo: type } = foo()
    expect(outcome(b, b, { kind: 'byte_off', type, access, was: 0 })).toBe('failed EINVAL')
  })

  it('refuses a string offset outside the strings', () => {
    const { b, foo: type } = foo()
    const asm = assembler('little')
    const { outcomes } = relocateObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.mov(1, 0), asm.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: type, accessOff: 0x7fff0000, kind: 'byte_off' }]
    }, b)
    expect(outcomes).toEqual(['failed EINVAL'])
  })

  it('accepts 64 numbers', () => {
    const { b, id } = nested(63)
    expect(outcome(b, b, { kind: 'field_exists', type: id, access: `0${':0'.repeat(63)}`, was: 1 })).toBe('resolved 1')
  })

  it('refuses 65 numbers', () => {
    const { b, id } = nested(64)
    expect(outcome(b, b, { kind: 'field_exists', type: id, access: `0${':0'.repeat(64)}`, was: 1 })).toBe('failed EINVAL')
  })

  it('computes the offset of the first index in 32 bits', () => {
    const make = () => {
      const b = btf()
      return { b, id: b.struct('wide', 0x10000000, [at('x', 0, integers(b).int)]) }
    }
    const { b, id } = make()
    expect(outcome(b, b, { kind: 'byte_off', type: id, access: '2', was: 0 })).toBe('resolved 0')
    expect(outcome(b, b, { kind: 'byte_off', type: id, access: '1', was: 0x10000000 })).toBe('resolved 268435456')
  })
})

describe('edge 33: large numbers', () => {
  it.each([[2147483647, 0x7ffffff9], [65535, 65537], [0x7fffffff, 3]])('multiply index %i with size %i in 32 bits', (index, size) => {
    const b = btf()
    const id = b.struct('wide', size, [at('x', 4, integers(b).int)])
    const bits = BigInt.asUintN(32, BigInt(index) * BigInt(size) * 8n + 32n)
    const offset = Number(bits / 8n)
    expect(outcome(b, b, { kind: 'byte_off', type: id, access: `${index}:0`, was: offset })).toBe(`resolved ${offset}`)
  })
})

describe('edge 34: access strings of types', () => {
  it.each(['local_type_id', 'target_type_id', 'type_exists', 'type_size', 'type_matches'] as const)('accepts only "0" for %s', (kind) => {
    const { b, foo: type } = foo()
    const was = kind === 'type_size' ? 8 : 1
    for (const access of ['1', '00', '0:0', '', ' 0', '+0']) {
      expect(outcome(b, b, { kind, type, access, was })).toBe('failed EINVAL')
    }
    expect(outcome(b, b, { kind, type, access: '0', was })).toMatch(/^resolved/)
  })
})

describe('edge 35: access strings of enumerators', () => {
  const state = () => {
    const b = btf()
    const id = b.enum('state', [['OFF', 3], ['ON', 4]])
    return { b, id }
  }

  it.each(['enumval_exists', 'enumval_value'] as const)('takes one index below the number of enumerators (%s)', (kind) => {
    const { b, id } = state()
    const value = kind === 'enumval_exists' ? 1 : 4
    expect(outcome(b, b, { kind, type: id, access: '1', was: value })).toBe(`resolved ${value}`)
    for (const access of ['0:0', '2', '1:1', '', ':1']) {
      expect(outcome(b, b, { kind, type: id, access, was: value })).toBe('failed EINVAL')
    }
  })

  it('looks through a typedef of the enum', () => {
    const { b, id } = state()
    const alias = b.typedef('state_t', b.const(id))
    expect(outcome(b, b, { kind: 'enumval_value', type: alias, access: '0', was: 3 })).toBe('resolved 3')
  })

  it('refuses a struct', () => {
    const { b, foo: type } = foo()
    expect(outcome(b, b, { kind: 'enumval_value', type, access: '0', was: 0 })).toBe('failed EINVAL')
  })
})

describe('edge 36: paths that do not fit the local type', () => {
  it.each(['0:2', '0:0:0', '0:1:0:0'])('refuses "%s" in a struct of two ints', (access) => {
    const { b, foo: type } = foo()
    expect(outcome(b, b, { kind: 'field_exists', type, access, was: 1 })).toBe('failed EINVAL')
  })

  it('refuses a path into what a pointer points to', () => {
    const b = btf()
    const { int } = integers(b)
    const pointed = b.struct('pointed', 4, [at('x', 0, int)])
    const id = b.struct('holder', 8, [at('p', 0, b.ptr(pointed))])
    expect(outcome(b, b, { kind: 'field_exists', type: id, access: '0:0:0', was: 1 })).toBe('failed EINVAL')
  })

  it('refuses an element past the end of a local array', () => {
    const b = btf()
    const { int } = integers(b)
    const id = b.struct('holder', 16, [at('a', 0, b.array(int, 4))])
    expect(outcome(b, b, { kind: 'byte_off', type: id, access: '0:0:4', was: 16 })).toBe('failed EINVAL')
  })
})

describe('edge 37: anonymous members in the local path', () => {
  it('adds their offsets and looks their fields up by name', () => {
    const local = btf()
    const l = integers(local)
    const union = local.union(
      '', 16, [at('whole', 0, l.llong), at('part', 0, local.struct('part', 16, [at('a', 0, l.int), at('b', 8, l.int)]))]
    )
    const id = local.struct('s', 32, [at('p', 0, l.int), at('q', 4, l.int), at('r', 8, l.int), at('', 16, union)])
    const target = btf()
    const t = integers(target)
    target.struct('s', 48, [at('part', 40, target.struct('part', 8, [at('b', 4, t.int)]))])
    expect(outcome(local, local, { kind: 'byte_off', type: id, access: '0:3:1:1', was: 24 })).toBe('resolved 24')
    expect(outcome(local, target, { kind: 'byte_off', type: id, access: '0:3:1:1', was: 24 })).toBe('resolved 44')
    expect(outcome(local, target, { kind: 'field_exists', type: id, access: '0:3:0', was: 1 })).toBe('absent')
  })

  it('accepts a path that ends on an anonymous member', () => {
    const b = btf()
    const { int } = integers(b)
    const id = b.struct('s', 16, [at('', 8, b.struct('', 8, [at('x', 0, int)]))])
    expect(outcome(b, b, { kind: 'field_exists', type: id, access: '0:0', was: 1 })).toBe('resolved 1')
  })
})

describe('edge 38: arrays as root', () => {
  const root = (element: (b: BtfBuilder, ints: ReturnType<typeof integers>) => number, count: number) => {
    const b = btf()
    const ints = integers(b)
    return { b, id: b.typedef('arr', b.array(element(b, ints), count)) }
  }

  it('indexes a typedef of an array', () => {
    const { b, id } = root((_, { int }) => int, 4)
    expect(outcome(b, b, { kind: 'byte_off', type: id, access: '0:2', was: 8 })).toBe('resolved 8')
    expect(outcome(b, b, { kind: 'byte_off', type: id, access: '1:2', was: 24 })).toBe('resolved 24')
    expect(outcome(b, b, { kind: 'byte_off', type: id, access: '0:4', was: 16 })).toBe('failed EINVAL')
  })

  it('uses the element size of the kernel', () => {
    const { b, id } = root((_, { int }) => int, 4)
    const target = root((_, { llong }) => llong, 4)
    expect(outcome(b, target.b, { kind: 'byte_off', type: id, access: '0:2', was: 8 })).toBe('resolved 16')
  })

  it('does not match past the end of the array in the kernel', () => {
    const { b, id } = root((_, { int }) => int, 4)
    const target = root((_, { int }) => int, 2)
    expect(outcome(b, target.b, { kind: 'byte_off', type: id, access: '0:2', was: 8 })).toBe('poisoned')
    expect(outcome(b, target.b, { kind: 'field_exists', type: id, access: '0:2', was: 1 })).toBe('absent')
  })

  it('never treats a zero-length root array as flexible', () => {
    const { b, id } = root((_, { int }) => int, 0)
    expect(outcome(b, b, { kind: 'byte_off', type: id, access: '0:0', was: 0 })).toBe('failed EINVAL')
  })
})

describe.each(BYTE_ORDERS)('edge 39: flexible arrays (%s-endian)', (byteOrder) => {
  type Build = (b: BtfBuilder, int: number) => number
  const struct = (build: Build) => {
    const b = btf({ byteOrder })
    const { int } = integers(b)
    return { b, id: build(b, int) }
  }
  const trailing = (count: number, inner = 1): Build => (b, int) =>
    b.struct('s', 8, [at('n', 0, int), at('a', 4, inner === 1 ? b.array(int, count) : b.array(b.array(int, inner), count))])
  const offset = (local: Build, target: Build, access: string, was = 0) => {
    const l = struct(local)
    return outcome(l.b, struct(target).b, { kind: 'byte_off', type: l.id, access, was })
  }

  it('indexes a trailing array of length 0 without bound', () => {
    expect(offset(trailing(0), trailing(0), '0:1:5', 24)).toBe('resolved 24')
    expect(offset(trailing(0), trailing(0), '0:1:1000', 4004)).toBe('resolved 4004')
  })

  it('indexes the outer dimension of a trailing array of length 0, within the inner one', () => {
    expect(offset(trailing(0, 2), trailing(0, 2), '0:1:3:1', 32)).toBe('resolved 32')
    expect(offset(trailing(0, 2), trailing(0, 2), '0:1:3:2')).toBe('failed EINVAL')
  })

  it('does not index a zero-length array that is not last', () => {
    const middle: Build = (b, int) => b.struct('s', 8, [at('n', 0, int), at('a', 4, b.array(int, 0)), at('z', 4, int)])
    expect(offset(middle, middle, '0:1:0')).toBe('failed EINVAL')
    expect(offset(trailing(0), middle, '0:1:1', 8)).toBe('poisoned')
    expect(offset(trailing(2), middle, '0:1:0', 4)).toBe('poisoned')
  })

  it('indexes a zero-length array that is the last member of a union', () => {
    const union: Build = (b, int) => b.union('s', 4, [at('n', 0, int), at('a', 0, b.array(int, 0))])
    expect(offset(union, union, '0:1:3', 12)).toBe('resolved 12')
  })

  it('does not treat a trailing array of length 1 as flexible', () => {
    expect(offset(trailing(1), trailing(1), '0:1:1')).toBe('failed EINVAL')
    expect(offset(trailing(2), trailing(1), '0:1:1', 8)).toBe('poisoned')
  })

  it('does not index an inner dimension of length 0', () => {
    expect(offset(trailing(2, 0), trailing(2, 0), '0:1:1:0')).toBe('failed EINVAL')
  })

  it('takes a fixed array in the kernel for a flexible local one within its bounds, and the reverse', () => {
    expect(offset(trailing(0), trailing(4), '0:1:3', 16)).toBe('resolved 16')
    expect(offset(trailing(0), trailing(4), '0:1:4', 20)).toBe('poisoned')
    expect(offset(trailing(4), trailing(0), '0:1:3', 16)).toBe('resolved 16')
  })
})
