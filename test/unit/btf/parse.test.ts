import { describe, expect, it } from 'vitest'
import { parseBtf } from '../../../src/core/index.js'
import { at, btf, integers, KIND, layoutOfKnownKinds, type BtfBuilder, type BtfLayoutOptions } from '../../support/btf-builder.js'
import { BYTE_ORDERS, concat, overwrite, type ByteOrder } from '../../support/byte-writer.js'
import { fooSpec, localFoo, targetFoo } from '../../support/corpus.js'
import { btfElf, elf } from '../../support/elf-writer.js'
import { buildObject } from '../../support/object-builder.js'
import { outcome, refusal } from '../../support/scenario.js'
import { relocate } from '../../support/relocate.js'

const bytesOf = (options: BtfLayoutOptions, byteOrder: ByteOrder = 'little') => targetFoo(byteOrder).bytes(options)

/** Relocates the small object against this BTF: proof that its types and names are read. */
function relocatesFoo (bytes: Uint8Array, byteOrder: ByteOrder = 'little') {
  const relocation = relocate(buildObject(fooSpec(byteOrder)).bytes, parseBtf(bytes))
  expect(relocation.records.map(record => record.newValue)).toEqual([12n])
}

function refused (bytes: Uint8Array) {
  return refusal('btf_invalid', () => parseBtf(bytes))
}

describe('edge 21: header and strings', () => {
  describe.each(BYTE_ORDERS)('%s-endian', (byteOrder) => {
    it.each([24, 28, 32, 36, 64])('accepts a header of %i bytes', (hdrLen) => {
      relocatesFoo(bytesOf({ hdrLen }, byteOrder), byteOrder)
    })

    it('tolerates bytes that it does not know at the end of the header', () => {
      const bytes = bytesOf({ hdrLen: 40 }, byteOrder)
      bytes.fill(0xee, 32, 40)
      relocatesFoo(bytes, byteOrder)
    })

    it.each([0, 8, 20, 23])('refuses a header that says it has %i bytes', (hdrLen) => {
      refused(overwrite(bytesOf({}, byteOrder), 4, 4, hdrLen, byteOrder))
    })

    it('refuses a header longer than the data', () => {
      refused(overwrite(bytesOf({}, byteOrder), 4, 4, 0x10000, byteOrder))
    })

    it('accepts bytes after the strings', () => {
      relocatesFoo(bytesOf({ trailing: new Uint8Array(5).fill(0xff) }, byteOrder), byteOrder)
    })

    it('accepts a gap between types and strings', () => {
      const b = targetFoo(byteOrder)
      const whole = b.bytes()
      const typeLen = new DataView(whole.buffer).getUint32(12, byteOrder === 'little')
      const spread = concat(whole.subarray(0, 24 + typeLen), new Uint8Array(8), whole.subarray(24 + typeLen))
      relocatesFoo(overwrite(spread, 16, 4, typeLen + 8, byteOrder), byteOrder)
    })

    it('does not look at version and flags', () => {
      relocatesFoo(bytesOf({ version: 7, flags: 3 }, byteOrder), byteOrder)
    })
  })

  it.each([0, 1, 2, 23])('refuses data of %i bytes', (length) => {
    refused(bytesOf({}).subarray(0, length))
  })

  it('refuses another magic number', () => {
    refused(bytesOf({ magic: 0xeb9e }))
  })

  it('refuses strings whose last byte is not NUL', () => {
    refused(bytesOf({ strings: Uint8Array.of(0, 0x61, 0x62) }))
  })

  it('refuses strings whose first byte is not NUL', () => {
    refused(bytesOf({ strings: Uint8Array.of(0x61, 0) }))
  })

  it('refuses an empty string section', () => {
    refused(btf().bytes({ strings: new Uint8Array() }))
  })

  it('refuses strings that end past the data', () => {
    refused(bytesOf({ strLen: 0x1000 }))
  })

  it('refuses a string offset and length whose sum overflows 32 bits', () => {
    refused(bytesOf({ strOff: 0xfffffff0, strLen: 0x20 }))
  })

  it('refuses types that come after the strings', () => {
    refused(bytesOf({ stringsFirst: true }))
  })

  it('refuses types that reach into the strings', () => {
    const b = targetFoo()
    const typeLen = new DataView(b.bytes().buffer).getUint32(12, true)
    refused(b.bytes({ typeLen: typeLen + 4 }))
  })

  it('refuses an unaligned type offset', () => {
    refused(bytesOf({ typeOff: 2 }))
  })

  it('accepts BTF without any type', () => {
    expect(() => parseBtf(btf().bytes())).not.toThrow()
  })
})

describe('edge 22: truncated types', () => {
  it('refuses a last type whose tail is cut off', () => {
    const b = targetFoo()
    const typeLen = new DataView(b.bytes().buffer).getUint32(12, true)
    for (let cut = 4; cut < 48; cut += 4) refused(b.bytes({ typeLen: typeLen - cut }))
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])('refuses %i bytes left over after the last type', (left) => {
    refused(bytesOf({ afterTypes: new Uint8Array(left) }))
  })
})

describe('edge 23: kinds that only the layout section knows', () => {
  const withKind20 = (byteOrder: ByteOrder = 'little', vlen = 0, tail: number[] = []) => {
    const b = btf({ byteOrder })
    b.raw({ name: 'novelty', kind: 20, vlen, tail })
    const { int, llong } = integers(b)
    b.struct('foo', 16, [at('added', 0, llong), at('x', 8, int), at('y', 12, int)])
    return b
  }

  it('refuses kind 20 without a layout section', () => {
    refused(withKind20().bytes())
  })

  it('steps over kind 20 with one', () => {
    relocatesFoo(withKind20('little', 3, [7, 1, 2, 3]).bytes({ layout: layoutOfKnownKinds([4, 4]) }))
  })

  it('refuses kind 20 in big-endian BTF, as libbpf does on a little-endian machine', () => {
    refused(withKind20('big').bytes({ layout: layoutOfKnownKinds([0, 0]) }))
  })

  it('reads big-endian BTF with a layout section and known kinds', () => {
    relocatesFoo(bytesOf({ layout: layoutOfKnownKinds() }, 'big'), 'big')
  })

  it('refuses kind 20 when the layout ends before it', () => {
    refused(withKind20().bytes({ layout: layoutOfKnownKinds() }))
  })

  it.each([[2, 0], [4, 6], [0, 1]] as const)('refuses layout sizes %i and %i, which are not multiples of 4', (infoSize, elementSize) => {
    refused(withKind20().bytes({ layout: layoutOfKnownKinds([infoSize, elementSize]) }))
  })

  it('refuses a kind whose described size runs past the types', () => {
    refused(withKind20('little', 0xffffff).bytes({ layout: layoutOfKnownKinds([0, 252]) }))
  })

  it('takes the built-in size of a known kind over what the layout says', () => {
    const layout = layoutOfKnownKinds()
    layout[KIND.INT] = [8, 0]
    relocatesFoo(bytesOf({ layout }))
  })

  it('gives kind 20 no size and no compatibility', () => {
    const target = btf()
    const novelty = target.raw({ name: 'novelty', kind: 20 })
    target.typedef('alias', novelty)
    const parsed = parseBtf(target.bytes({ layout: layoutOfKnownKinds([0, 0]) }))
    const local = btf()
    const alias = local.typedef('alias', integers(local).int)
    expect(outcome(local, parsed, { kind: 'type_exists', type: alias, was: 1 })).toBe('absent')
  })

  it.each([
    ['offset is unaligned', { layoutOff: 2 }],
    ['starts inside the types', { layoutOff: 0 }],
    ['reaches into the strings', { layoutLen: 0x1000 }],
    ['has a length that is not a multiple of 4', { layoutLen: 6 }]
  ])('refuses a layout section that %s', (_, options) => {
    refused(bytesOf({ layout: layoutOfKnownKinds(), ...options }))
  })

  it('accepts a split BTF that relies on the layout of its base', () => {
    const base = withKind20()
    const module = btf({ base })
    module.raw({ name: 'another novelty', kind: 20 })
    const parsedBase = parseBtf(base.bytes({ layout: layoutOfKnownKinds([0, 0]) }))
    expect(() => parseBtf(module.bytes(), { base: parsedBase })).not.toThrow()
  })
})

describe('edge 24: stored void', () => {
  const withVoid = () => {
    const b = btf()
    b.raw({ kind: KIND.VOID })
    const { int, llong } = integers(b)
    b.struct('foo', 16, [at('added', 0, llong), at('x', 8, int), at('y', 12, int)])
    return b
  }

  it('accepts a kind-0 record that the layout describes', () => {
    relocatesFoo(withVoid().bytes({ layout: layoutOfKnownKinds() }))
  })

  it('refuses it without a layout', () => {
    refused(withVoid().bytes())
  })
})

describe('edge 25: wide member counts', () => {
  it.each(BYTE_ORDERS)('reads a struct of 70,000 members (%s-endian)', (byteOrder) => {
    const large = (extra: number) => {
      const b = btf({ byteOrder })
      const { char } = integers(b)
      const members = Array.from({ length: 70_000 }, (_, i) => at(i === 69_999 ? 'last' : 'other', i + extra, char))
      return { b, id: b.struct('large', 70_000 + extra, members) }
    }
    const local = large(0)
    expect(outcome(local.b, large(8).b, { kind: 'byte_off', type: local.id, access: '0:69999', was: 69_999 })).toBe('resolved 70007')
  })

  it('reads a kind above 31 as a kind, not as part of a smaller one', () => {
    const b = targetFoo()
    b.raw({ kind: 32 + KIND.PTR })
    refused(b.bytes())
  })
})

describe('edge 26: references out of range', () => {
  const FAR = 5000
  type Corruption = readonly [what: string, add: (b: BtfBuilder, int: number) => void]
  const corruptions: Corruption[] = [
    ['pointer', b => b.ptr(FAR)],
    ['typedef', b => b.typedef('t', FAR)],
    ['volatile', b => b.volatile(FAR)],
    ['const', b => b.const(FAR)],
    ['restrict', b => b.restrict(FAR)],
    ['type tag', b => b.typeTag('t', FAR)],
    ['declaration tag', b => b.declTag('t', FAR)],
    ['variable', b => b.var('v', FAR)],
    ['array element', (b, int) => b.array(FAR, 1, int)],
    ['array index', (b, int) => b.array(int, 1, FAR)],
    ['struct member', b => b.struct('s', 4, [at('m', 0, FAR)])],
    ['union member', b => b.union('u', 4, [at('m', 0, FAR)])],
    ['function', b => b.func('f', FAR)],
    ['parameter', b => b.funcProto(0, [['p', FAR]])],
    ['section variable', b => b.datasec('.data', 4, [[FAR, 0, 4]])],
    ['function that is no prototype', (b, int) => b.func('f', int)],
    ['function without prototype', b => b.func('f', 0)],
    ['type name', b => b.raw({ kind: KIND.STRUCT, nameOff: FAR })],
    ['member name', (b, int) => b.raw({ kind: KIND.STRUCT, name: 's', vlen: 1, tail: [FAR, int, 0] })],
    ['enumerator name', b => b.raw({ kind: KIND.ENUM, name: 'e', vlen: 1, sizeOrType: 4, tail: [FAR, 0] })],
    ['64-bit enumerator name', b => b.raw({ kind: KIND.ENUM64, name: 'e', vlen: 1, sizeOrType: 8, tail: [FAR, 0, 0] })],
    ['parameter name', (b, int) => b.raw({ kind: KIND.FUNC_PROTO, vlen: 1, tail: [FAR, int] })],
    ['name of an integer', b => b.raw({ kind: KIND.INT, nameOff: FAR, sizeOrType: 4, tail: [32] })]
  ]

  it.each(corruptions)('refuses a bad %s', (_, add) => {
    const b = btf()
    add(b, integers(b).int)
    const error = refused(b.bytes())
    expect(JSON.stringify({ ...error.details, message: error.message })).toMatch(/\d/)
  })

  it('refuses a type id one past the last', () => {
    const b = btf()
    b.ptr(2)
    refused(b.bytes())
  })

  it('accepts void wherever a type may stand', () => {
    const b = btf()
    b.ptr(0)
    b.struct('s', 0, [at('m', 0, 0)])
    b.array(0, 1, 0)
    b.funcProto(0, [['', 0]])
    expect(() => parseBtf(b.bytes())).not.toThrow()
  })

  it('accepts a forward reference', () => {
    const b = btf()
    b.ptr(2)
    b.struct('s', 8, [at('self', 0, 1)])
    expect(() => parseBtf(b.bytes())).not.toThrow()
  })

  it('accepts a prototype with a bad return type, and fails only the relocation that walks it', () => {
    const make = (result: number) => {
      const b = btf()
      return { b, id: b.typedef('fn', b.ptr(b.funcProto(result))) }
    }
    const local = make(0)
    expect(outcome(local.b, make(FAR).b, { kind: 'type_exists', type: local.id, was: 1 })).toBe('failed EINVAL')
    const other = localFoo()
    const target = targetFoo()
    target.funcProto(FAR)
    expect(outcome(other.b, target, { kind: 'byte_off', type: other.foo, access: '0:1', was: 4 })).toBe('resolved 12')
  })
})

describe('edge 27: cycles', () => {
  const typedefCycle = () => {
    const b = btf()
    const first = b.nextId
    b.typedef('loop', first + 1)
    b.typedef('loop2', first)
    return { b, id: first }
  }

  const constCycle = () => {
    const b = btf()
    const alias = b.nextId
    b.typedef('loop', alias + 1)
    b.const(alias + 2)
    b.volatile(alias + 1)
    return { b, id: alias }
  }

  it.each([
    ['typedef', typedefCycle], ['const', constCycle]
  ] as const)('refuses a relocation that walks a %s cycle in the object', (_, make) => {
    const { b, id } = make()
    const target = btf()
    target.typedef('loop', integers(target).int)
    for (const kind of ['type_exists', 'type_size', 'type_matches'] as const) {
      expect(outcome(b, target, { kind, type: id, was: 1 })).toBe('failed EINVAL')
    }
    expect(outcome(b, target, { kind: 'field_exists', type: id, access: '0', was: 1 })).toBe('failed EINVAL')
  })

  it.each([
    ['typedef', typedefCycle], ['const', constCycle]
  ] as const)('refuses a relocation that walks a %s cycle in the kernel', (_, make) => {
    const local = btf()
    const alias = local.typedef('loop', integers(local).int)
    for (const kind of ['type_exists', 'type_size', 'type_matches'] as const) {
      expect(outcome(local, make().b, { kind, type: alias, was: kind === 'type_size' ? 4 : 1 })).toBe('failed EINVAL')
    }
    expect(outcome(local, make().b, { kind: 'field_exists', type: alias, access: '0', was: 1 })).toBe('failed EINVAL')
  })

  it('does not mind a cycle that no relocation walks', () => {
    const { b, foo } = localFoo()
    const target = targetFoo()
    target.typedef('loop', target.nextId)
    expect(outcome(b, target, { kind: 'byte_off', type: foo, access: '0:1', was: 4 })).toBe('resolved 12')
  })

  it('refuses a relocation that compares arrays of themselves', () => {
    const make = () => {
      const b = btf()
      const self = b.nextId
      b.array(self, 1)
      return { b, id: b.struct('holder', 8, [at('a', 0, self)]) }
    }
    const { b, id } = make()
    expect(outcome(b, make().b, { kind: 'field_exists', type: id, access: '0:0', was: 1 })).toBe('failed EINVAL')
    expect(outcome(b, make().b, { kind: 'byte_off', type: id, access: '0:0', was: 0 })).toBe('failed EINVAL')
  })

  it('stops at 64 levels in a struct that contains itself without a name', () => {
    const { b, foo } = localFoo()
    const target = btf()
    const self = target.nextId
    target.struct('foo', 8, [at('', 0, self)])
    expect(outcome(b, target, { kind: 'byte_off', type: foo, access: '0:1', was: 4 })).toBe('failed E2BIG')
  })

  it('matches a struct that contains itself by value no deeper than 32 levels', () => {
    const make = () => {
      const b = btf()
      const self = b.nextId
      b.struct('self', 8, [at('inner', 0, self)])
      return { b, id: self }
    }
    const { b, id } = make()
    expect(outcome(b, make().b, { kind: 'type_matches', type: id, was: 1 })).toBe('failed EINVAL')
    expect(outcome(b, make().b, { kind: 'byte_off', type: id, access: '0:0:0:0', was: 0 })).toBe('resolved 0')
  })
})

describe('edge 30: pointer size of the target', () => {
  const local = () => {
    const b = btf()
    const s = b.struct('s', 16, [at('p', 0, b.ptr(0)), at('after', 8, integers(b).int)])
    return { b, s }
  }
  const target = (long?: readonly [name: string, size: number]) => {
    const b = btf()
    if (long !== undefined) b.int(long[0], long[1])
    b.struct('s', 8, [at('p', 0, b.ptr(0)), at('after', 4, integers(b).int)])
    return b
  }
  const pointerSize = (parsed: ReturnType<typeof parseBtf>) => {
    const { b, s } = local()
    return outcome(b, parsed, { kind: 'byte_sz', type: s, access: '0:0', was: 8 })
  }

  it.each([
    'long', 'long int', 'int long', 'unsigned long', 'long unsigned', 'unsigned long int', 'unsigned int long',
    'long unsigned int', 'long int unsigned', 'int unsigned long', 'int long unsigned'
  ])('is the size of an int named "%s"', (name) => {
    expect(pointerSize(parseBtf(target([name, 4]).bytes()))).toBe('resolved 4')
    expect(pointerSize(parseBtf(target([name, 8]).bytes()))).toBe('resolved 8')
  })

  it.each(['long long', 'unsigned long long', 'Long', 'long  int', 'longer'])('is not taken from an int named "%s"', (name) => {
    expect(pointerSize(parseBtf(target([name, 4]).bytes()))).toBe('resolved 8')
  })

  it('is 8 when nothing tells', () => {
    expect(pointerSize(parseBtf(target().bytes()))).toBe('resolved 8')
  })

  it('skips a long that is neither 4 nor 8 bytes wide', () => {
    const b = btf()
    b.int('long', 2)
    b.int('unsigned long', 4)
    b.struct('s', 8, [at('p', 0, b.ptr(0))])
    expect(pointerSize(parseBtf(b.bytes()))).toBe('resolved 4')
  })

  it('can be given', () => {
    expect(pointerSize(parseBtf(target().bytes(), { pointerSize: 4 }))).toBe('resolved 4')
    expect(pointerSize(parseBtf(target(['long', 4]).bytes(), { pointerSize: 8 }))).toBe('resolved 8')
  })

  it('follows the class of an ELF file', () => {
    expect(pointerSize(parseBtf(btfElf({ btf: target().bytes(), elfClass: 32 })))).toBe('resolved 4')
    expect(pointerSize(parseBtf(btfElf({ btf: target(['long', 4]).bytes(), elfClass: 64 })))).toBe('resolved 8')
  })

  it('is always 8 in the object', () => {
    const b = btf()
    b.int('long', 4)
    const pointer = b.typedef('p_t', b.ptr(0))
    expect(outcome(b, parseBtf(b.bytes(), { pointerSize: 8 }), { kind: 'type_size', type: pointer, was: 8 })).toBe('resolved 8')
  })
})

describe('edge 31: attributes in pointer chains', () => {
  it.each([false, true])('looks through type tags, with kind_flag %s', (kindFlag) => {
    const local = btf()
    const l = integers(local)
    const s = local.struct('s', 8, [at('p', 0, local.ptr(local.const(l.int)))])
    const alias = local.typedef('p_t', local.ptr(local.ptr(l.int)))
    const target = btf()
    const t = integers(target)
    target.struct('s', 16, [at('p', 8, target.typeTag('user', target.ptr(target.typeTag('rcu', t.int, kindFlag)), kindFlag))])
    target.typedef('p_t', target.typeTag('percpu', target.ptr(target.typeTag('user', target.ptr(t.int), kindFlag)), kindFlag))
    target.declTag('note', s, 0, kindFlag)
    expect(outcome(local, target, { kind: 'byte_off', type: s, access: '0:0', was: 0 })).toBe('resolved 8')
    expect(outcome(local, target, { kind: 'type_matches', type: alias, was: 1 })).toBe('resolved 1')
  })
})

describe('edge 32: sizes', () => {
  const chain = (depth: number) => {
    const b = btf()
    let id = integers(b).int
    for (let i = 1; i < depth; i++) id = b.typedef(`t${i}`, id)
    return { b, id: depth === 0 ? id : b.typedef('chain', id) }
  }

  it('reports a target array whose size overflows 32 bits as E2BIG', () => {
    const make = (inner: number) => {
      const b = btf()
      const { int } = integers(b)
      return { b, id: b.struct('s', 16, [at('a', 0, b.array(b.array(int, inner), 2))]) }
    }
    const local = make(2)
    expect(outcome(local.b, make(0x40000000).b, { kind: 'field_exists', type: local.id, access: '0:0:0', was: 1 })).toBe('failed E2BIG')
  })

  it('refuses a local array whose size overflows 32 bits', () => {
    const b = btf()
    const { int } = integers(b)
    const id = b.typedef('huge', b.array(b.array(int, 0x10000), 0x10000))
    expect(outcome(b, b, { kind: 'type_size', type: id })).toMatch(/^failed (E2BIG|EINVAL)$/)
  })

  it('resolves a size through 31 typedefs and no more', () => {
    const short = chain(31)
    expect(outcome(short.b, short.b, { kind: 'type_size', type: short.id, was: 4 })).toBe('resolved 4')
    for (const depth of [32, 33]) {
      const long = chain(depth)
      expect(outcome(long.b, long.b, { kind: 'type_size', type: long.id, was: 4 })).toBe('failed EINVAL')
    }
  })

  it('gives an array with a zero dimension size 0', () => {
    const make = (count: number) => {
      const b = btf()
      const { int } = integers(b)
      return { b, id: b.struct('s', 8, [at('a', 0, b.array(b.array(int, 0), count)), at('z', 0, int)]) }
    }
    const local = make(3)
    expect(outcome(local.b, make(5).b, { kind: 'byte_sz', type: local.id, access: '0:0', was: 0 })).toBe('resolved 0')
  })
})

describe('raw BTF and ELF', () => {
  it.each(BYTE_ORDERS)('takes .BTF out of a %s-endian ELF file', (byteOrder) => {
    relocatesFoo(btfElf({ btf: targetFoo(byteOrder).bytes(), byteOrder }), byteOrder)
  })

  it('refuses an ELF file without .BTF', () => {
    refused(elf({ sections: [{ name: '.text', data: new Uint8Array(8) }] }).bytes)
  })

  it('refuses what is neither', () => {
    refused(new TextEncoder().encode('<!doctype html><title>404 Not Found</title>'))
    refused(new Uint8Array())
    refused(new Uint8Array(4096))
  })
})
