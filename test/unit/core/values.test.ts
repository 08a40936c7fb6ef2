import { describe, expect, it } from 'vitest'
import { assembler } from '../../support/asm.js'
import { at, bitsAt, btf, ENCODING, integers, type BtfBuilder, type Enumerator, type Member } from '../../support/btf-builder.js'
import { BYTE_ORDERS, type ByteOrder } from '../../support/byte-writer.js'
import { outcome, relocateSteps } from '../../support/scenario.js'

type Ints = ReturnType<typeof integers>
type Build = (b: BtfBuilder, ints: Ints) => Member

const FIELD_KINDS = ['byte_off', 'byte_sz', 'field_exists', 'signed', 'lshift_u64', 'rshift_u64'] as const
type FieldValues = Partial<Record<typeof FIELD_KINDS[number], number>>

const little = assembler('little')

function holder (field: Build, byteOrder: ByteOrder = 'little') {
  const b = btf({ byteOrder })
  const ints = integers(b)
  return { b, id: b.struct('s', 64, [field(b, ints)]) }
}

/** All six field values of member `f` when the kernel has it as `target`. The local values must be given for validation. */
function fieldValues (local: Build, localValues: FieldValues, target: Build, byteOrder: ByteOrder = 'little') {
  const l = holder(local, byteOrder)
  const t = holder(target, byteOrder)
  const kinds = FIELD_KINDS.filter(kind => localValues[kind] !== undefined)
  const { relocation, outcomes } = relocateSteps({
    local: l.b,
    target: t.b,
    steps: kinds.map(kind => ({ kind, type: l.id, access: '0:0', was: localValues[kind] ?? 0 }))
  })
  relocation.records.forEach((record, i) => expect(record.oldValue, kinds[i]).toBe(BigInt(localValues[kinds[i] ?? 'signed'] ?? -1)))
  return Object.fromEntries(kinds.map((kind, i) => [kind, outcomes[i]]))
}

const plainInt: Build = (_, { uint }) => at('f', 0, uint)
const PLAIN_INT = { byte_off: 0, byte_sz: 4, field_exists: 1, signed: 0, lshift_u64: 32, rshift_u64: 32 }

const resolved = (values: FieldValues) => Object.fromEntries(Object.entries(values).map(([kind, value]) => [kind, `resolved ${value}`]))

describe('edge 48: bitfields', () => {
  const bitfield = (bits: number, size: number, type: keyof Ints = 'uint'): Build => (_, ints) => bitsAt('f', bits, size, ints[type])

  it.each([
    ['one bit', bitfield(5, 1), { byte_off: 0, byte_sz: 4, field_exists: 1, signed: 0, lshift_u64: 58, rshift_u64: 63 }],
    [
      'one bit in the second word', bitfield(37, 1), { byte_off: 4, byte_sz: 4, field_exists: 1, signed: 0, lshift_u64: 58, rshift_u64: 63 }
    ],
    [
      'one that straddles a 4-byte unit', bitfield(28, 8),
      { byte_off: 0, byte_sz: 8, field_exists: 1, signed: 0, lshift_u64: 28, rshift_u64: 56 }
    ],
    [
      'one that straddles a later 4-byte unit', bitfield(92, 8, 'int'),
      { byte_off: 8, byte_sz: 8, field_exists: 1, signed: 1, lshift_u64: 28, rshift_u64: 56 }
    ],
    [
      'a byte that straddles', bitfield(6, 4, 'uchar'),
      { byte_off: 0, byte_sz: 2, field_exists: 1, signed: 0, lshift_u64: 54, rshift_u64: 60 }
    ],
    [
      'a byte that needs two doublings', bitfield(15, 2, 'uchar'),
      { byte_off: 0, byte_sz: 4, field_exists: 1, signed: 0, lshift_u64: 47, rshift_u64: 62 }
    ],
    ['60 bits at bit 4', bitfield(4, 60, 'ullong'), { byte_off: 0, byte_sz: 8, field_exists: 1, signed: 0, lshift_u64: 0, rshift_u64: 4 }],
    [
      'a whole 64-bit unit', bitfield(64, 64, 'ullong'),
      { byte_off: 8, byte_sz: 8, field_exists: 1, signed: 0, lshift_u64: 0, rshift_u64: 0 }
    ]
  ] as const)('%s', (_, target, values) => {
    expect(fieldValues(plainInt, PLAIN_INT, target)).toEqual(resolved(values))
  })

  it('refuses 61 bits at bit 4, whatever is asked about them but existence', () => {
    const values = fieldValues(plainInt, PLAIN_INT, bitfield(4, 61, 'ullong'))
    expect(values).toEqual({
      byte_off: 'failed E2BIG',
      byte_sz: 'failed E2BIG',
      field_exists: 'resolved 1',
      signed: 'failed E2BIG',
      lshift_u64: 'failed E2BIG',
      rshift_u64: 'failed E2BIG'
    })
  })

  it('refuses them in the object as well', () => {
    const local = holder(bitfield(4, 61, 'ullong'))
    expect(outcome(local.b, holder(plainInt).b, { kind: 'byte_off', type: local.id, access: '0:0', was: 0 })).toBe('failed E2BIG')
  })

  it.each([[60, 8], [60, 40], [124, 5]])('refuses what crosses an 8-byte boundary (bit %i, %i bits)', (bit, size) => {
    expect(fieldValues(plainInt, { byte_off: 0 }, bitfield(bit, size))).toEqual({ byte_off: 'failed E2BIG' })
  })

  it('looks through the qualifiers of the storage type', () => {
    expect(fieldValues(plainInt, PLAIN_INT, (b, { ushort }) => bitsAt('f', 19, 3, b.const(b.typedef('u16', ushort)))))
      .toEqual(resolved({ byte_off: 2, byte_sz: 2, field_exists: 1, signed: 0, lshift_u64: 58, rshift_u64: 61 }))
  })

  it('accepts enum storage', () => {
    const local: Build = b => at('f', 0, b.enum('e', [['A', 1]]))
    expect(fieldValues(local, { byte_off: 0, lshift_u64: 32, signed: 0 }, b =>
      bitsAt('f', 33, 2, b.enum('e', [['A', 1]], { signed: true }))))
      .toEqual(resolved({ byte_off: 4, lshift_u64: 61, signed: 1 }))
  })

  it.each([
    ['pointer', (b: BtfBuilder) => b.ptr(0)],
    ['zero-sized int', (b: BtfBuilder) => b.int('none', 0)],
    ['struct', (b: BtfBuilder) => b.struct('storage', 4)],
    ['void', () => 0]
  ])('refuses a bitfield of %s type', (_, type) => {
    const local = holder(b => bitsAt('f', 0, 1, type(b)))
    expect(outcome(local.b, local.b, { kind: 'byte_off', type: local.id, access: '0:0', was: 0 })).toBe('failed EINVAL')
  })
})

describe('edge 49: bitfield on one side only', () => {
  const bitfield: Build = (_, { uint }) => bitsAt('f', 36, 4, uint)
  const bitfieldValues = { byte_off: 4, byte_sz: 4, field_exists: 1, signed: 0, lshift_u64: 56, rshift_u64: 60 }
  const plain: Build = (_, { uint }) => at('f', 8, uint)
  const plainValues = { byte_off: 8, byte_sz: 4, field_exists: 1, signed: 0, lshift_u64: 32, rshift_u64: 32 }

  it('computes all six values for a bitfield that became plain, and the reverse', () => {
    expect(fieldValues(bitfield, bitfieldValues, plain)).toEqual(resolved(plainValues))
    expect(fieldValues(plain, plainValues, bitfield)).toEqual(resolved(bitfieldValues))
  })

  it.each([
    ['bitfield to plain', bitfield, plain, 4], ['plain to bitfield', plain, bitfield, 8]
  ] as const)('poisons a load when it changed from %s', (_, from, to, off) => {
    const local = holder(from)
    for (const insn of [little.ldx('w', 2, 1, off), little.stx('w', 2, 1, off), little.st('w', 2, off, 7)]) {
      expect(outcome(local.b, holder(to).b, { kind: 'byte_off', type: local.id, access: '0:0', insn })).toBe('poisoned')
    }
  })

  it('patches a load between two bitfields and leaves its size', () => {
    const local = holder(bitfield)
    const { outcomes } = relocateSteps({
      local: local.b,
      target: holder((_, { ullong }) => bitsAt('f', 130, 3, ullong)).b,
      steps: [{ kind: 'byte_off', type: local.id, access: '0:0', insn: little.ldx('w', 2, 1, 4) }]
    })
    expect(outcomes).toEqual(['resolved 16'])
  })

  it('does not validate offset, size and left shift of a local bitfield, but its sign and right shift', () => {
    const local = holder(bitfield)
    const wrong = (kind: typeof FIELD_KINDS[number]) => outcome(local.b, local.b, { kind, type: local.id, access: '0:0', was: 99 })
    expect(FIELD_KINDS.map(wrong)).toEqual([
      'resolved 4', 'resolved 4', 'mismatch EINVAL', 'mismatch EINVAL', 'resolved 56', 'mismatch EINVAL'
    ])
  })

  it('validates all six values of a plain member', () => {
    const local = holder(plain)
    for (const kind of FIELD_KINDS) {
      expect(outcome(local.b, local.b, { kind, type: local.id, access: '0:0', was: 99 })).toBe('mismatch EINVAL')
    }
  })
})

describe('edge 50: left shift and byte order', () => {
  it.each([
    ['uchar', 58, 59],
    ['ushort', 50, 59],
    ['uint', 34, 59],
    ['ullong', 2, 59]
  ] as const)('counts from the top of the storage unit in a big-endian object (%s)', (type, big, littleEndian) => {
    const target: Build = (_, ints) => bitsAt('f', 2, 3, ints[type])
    expect(fieldValues(plainInt, { lshift_u64: 32 }, target, 'big')).toEqual({ lshift_u64: `resolved ${big}` })
    expect(fieldValues(plainInt, { lshift_u64: 32 }, target, 'little')).toEqual({ lshift_u64: `resolved ${littleEndian}` })
  })

  it.each([
    ['uchar', 1, 56], ['ushort', 2, 48], ['uint', 4, 32], ['ullong', 8, 0]
  ] as const)('is the same in both orders for a plain %s', (type, size, shift) => {
    for (const byteOrder of BYTE_ORDERS) {
      expect(fieldValues(plainInt, { byte_sz: 4, lshift_u64: 32, rshift_u64: 32 }, (_, ints) => at('f', 8, ints[type]), byteOrder))
        .toEqual(resolved({ byte_sz: size, lshift_u64: shift, rshift_u64: shift }))
    }
  })

  it('takes account of a doubled storage unit', () => {
    expect(fieldValues(plainInt, { lshift_u64: 32 }, (_, { uint }) => bitsAt('f', 28, 8, uint), 'big')).toEqual({
      lshift_u64: 'resolved 28'
    })
    expect(fieldValues(plainInt, { lshift_u64: 32 }, (_, { uchar }) => bitsAt('f', 15, 2, uchar), 'big')).toEqual({
      lshift_u64: 'resolved 47'
    })
  })
})

describe('edge 51: sign of a field', () => {
  it.each([
    ['int', (_: BtfBuilder, { int }: Ints) => int, 1],
    ['unsigned int', (_: BtfBuilder, { uint }: Ints) => uint, 0],
    ['signed char', (_: BtfBuilder, { char }: Ints) => char, 1],
    ['character that is also signed', (b: BtfBuilder) => b.int('char', 1, { encoding: ENCODING.CHAR | ENCODING.SIGNED }), 1],
    ['character', (b: BtfBuilder) => b.int('char', 1, { encoding: ENCODING.CHAR }), 0],
    ['bool', (_: BtfBuilder, { bool }: Ints) => bool, 0],
    ['enum', (b: BtfBuilder) => b.enum('e', [['A', -1]]), 0],
    ['signed enum', (b: BtfBuilder) => b.enum('e', [['A', -1]], { signed: true }), 1],
    ['64-bit enum', (b: BtfBuilder) => b.enum64('e', [['A', 1]]), 0],
    ['signed 64-bit enum', (b: BtfBuilder) => b.enum64('e', [['A', -1]], { signed: true }), 1],
    ['typedef of const int', (b: BtfBuilder, { int }: Ints) => b.typedef('t', b.const(int)), 1],
    ['pointer', (b: BtfBuilder) => b.ptr(0), 0],
    ['array of int', (b: BtfBuilder, { int }: Ints) => b.array(int, 2), 0],
    ['struct', (b: BtfBuilder) => b.struct('inner', 4), 0],
    ['float', (b: BtfBuilder) => b.float('float', 4), 0]
  ] as const)('%s', (_, type, signed) => {
    const field: Build = (b, ints) => at('f', 0, type(b, ints))
    expect(fieldValues(field, { signed }, field)).toEqual({ signed: `resolved ${signed}` })
  })

  it('comes from the kernel', () => {
    expect(fieldValues(plainInt, { signed: 0 }, (_, { llong }) => at('f', 0, llong))).toEqual({ signed: 'resolved 1' })
  })

  it.each([
    'signed', 'lshift_u64', 'rshift_u64'
  ] as const)('is not defined for a struct or an array element as a whole, nor is %s', (kind) => {
    const local = holder((b, { int }) => at('f', 0, b.array(int, 4)))
    for (const access of ['0', '0:0:1']) {
      expect(outcome(local.b, local.b, { kind, type: local.id, access, was: 0 })).toBe('failed EINVAL')
    }
  })
})

describe('edge 52: shifts of a 16-byte field', () => {
  const wide: Build = b => at('f', 0, b.int('__int128', 16, { signed: true }))

  it('wrap in 32 bits on the side of the kernel', () => {
    expect(fieldValues(plainInt, { lshift_u64: 32, rshift_u64: 32, byte_sz: 4 }, wide))
      .toEqual({ lshift_u64: 'resolved 4294967232', rshift_u64: 'resolved 4294967232', byte_sz: 'resolved 16' })
  })

  it('fail validation in the object, whose immediate is sign-extended', () => {
    const local = holder(wide)
    expect(outcome(local.b, local.b, { kind: 'rshift_u64', type: local.id, access: '0:0', was: -64 })).toBe('mismatch EINVAL')
  })
})

describe('edge 53: byte sizes', () => {
  it.each([
    ['an array', (b: BtfBuilder, { int }: Ints) => at('f', 0, b.array(int, 5)), 20],
    ['an array of arrays', (b: BtfBuilder, { int }: Ints) => at('f', 0, b.array(b.array(int, 5), 3)), 60],
    ['a flexible array', (b: BtfBuilder, { int }: Ints) => at('f', 0, b.array(int, 0)), 0],
    ['a pointer', (b: BtfBuilder) => at('f', 0, b.ptr(0)), 8],
    ['a struct', (b: BtfBuilder) => at('f', 0, b.struct('inner', 40)), 40],
    ['a bitfield', (_: BtfBuilder, { ushort }: Ints) => bitsAt('f', 3, 2, ushort), 2],
    ['a bitfield that straddles', (_: BtfBuilder, { ushort }: Ints) => bitsAt('f', 15, 2, ushort), 4]
  ])('%s', (_, field, size) => {
    expect(fieldValues(field, { byte_sz: size }, field)).toEqual({ byte_sz: `resolved ${size}` })
  })

  it('an array element, whole rows included', () => {
    const local = holder((b, { int }) => at('f', 0, b.array(b.array(int, 5), 3)))
    const target = holder((b, { llong }) => at('f', 0, b.array(b.array(llong, 5), 3)))
    expect(outcome(local.b, target.b, { kind: 'byte_sz', type: local.id, access: '0:0:1', was: 20 })).toBe('resolved 40')
    expect(outcome(local.b, target.b, { kind: 'byte_sz', type: local.id, access: '0:0:1:2', was: 4 })).toBe('resolved 8')
  })

  it('a struct as a whole', () => {
    const local = holder(plainInt)
    expect(outcome(local.b, local.b, { kind: 'byte_sz', type: local.id, access: '0', was: 64 })).toBe('resolved 64')
  })

  it('of a member without a size is an error', () => {
    const local = holder(b => at('f', 0, b.fwd('opaque')))
    expect(outcome(local.b, local.b, { kind: 'byte_sz', type: local.id, access: '0:0', was: 0 })).toBe('failed EINVAL')
    expect(outcome(local.b, local.b, { kind: 'byte_off', type: local.id, access: '0:0', was: 0 })).toBe('failed EINVAL')
    expect(outcome(local.b, local.b, { kind: 'field_exists', type: local.id, access: '0:0', was: 1 })).toBe('resolved 1')
  })
})

describe('edge 54: existence of fields', () => {
  it('of an array element depends on the length in the kernel', () => {
    const local = holder((b, { int }) => at('f', 0, b.array(int, 8)))
    const target = holder((b, { int }) => at('f', 0, b.array(int, 4)))
    const exists = (access: string) => outcome(local.b, target.b, { kind: 'field_exists', type: local.id, access, was: 1 })
    expect(['0:0', '0:0:3', '0:0:4'].map(exists)).toEqual(['resolved 1', 'resolved 1', 'absent'])
  })

  it('is false when the parent of a nested field is missing', () => {
    const make = (parent: string) => {
      const b = btf()
      const inner = b.struct('inner', 4, [at('x', 0, integers(b).int)])
      return { b, id: b.struct('s', 8, [at(parent, 0, inner)]) }
    }
    const local = make('parent')
    expect(outcome(local.b, make('renamed').b, { kind: 'field_exists', type: local.id, access: '0:0:0', was: 1 })).toBe('absent')
  })

  it('is ambiguous when two candidates have the field at different offsets, though both have it', () => {
    const target = btf()
    const { int } = integers(target)
    target.struct('s', 8, [at('f', 0, int)])
    target.struct('s___other', 8, [at('f', 4, int)])
    const local = holder(plainInt)
    expect(outcome(local.b, target, { kind: 'field_exists', type: local.id, access: '0:0', was: 1 })).toBe('failed EINVAL')
  })

  it('of the struct itself asks only for a candidate', () => {
    const local = holder(plainInt)
    const target = btf()
    target.struct('s', 0)
    expect(outcome(local.b, target, { kind: 'field_exists', type: local.id, access: '0', was: 1 })).toBe('resolved 1')
    expect(outcome(local.b, btf(), { kind: 'field_exists', type: local.id, access: '0', was: 1 })).toBe('absent')
  })
})

describe('edge 55: enumerators', () => {
  type Values = readonly Enumerator[]
  interface Shape { values: Values, wide?: boolean, signed?: boolean, name?: string }

  const enumeration = ({ values, wide, signed, name }: Shape) => {
    const b = btf()
    const options = { signed: signed === true }
    return { b, id: wide === true ? b.enum64(name ?? 'e', values, options) : b.enum(name ?? 'e', values, options) }
  }
  const value = (local: Shape, target: Shape, compiled: bigint) => {
    const l = enumeration(local)
    return outcome(l.b, enumeration(target).b, { kind: 'enumval_value', type: l.id, access: '0', insn: little.ldImm64(1, compiled) })
  }
  const exists = (local: Shape, target: Shape) => {
    const l = enumeration(local)
    return outcome(l.b, enumeration(target).b, { kind: 'enumval_exists', type: l.id, access: '0', was: 1 })
  }
  const U64 = (signed: bigint) => BigInt.asUintN(64, signed)

  it('take the value of the kernel', () => {
    expect(value({ values: [['A', 1]] }, { values: [['B', 5], ['A', 77]] }, 1n)).toBe('resolved 77')
  })

  it('are found under any flavor of their name, on either side', () => {
    expect(value({ values: [['A___old', 1]] }, { values: [['A', 7]] }, 1n)).toBe('resolved 7')
    expect(value({ values: [['A', 1]] }, { values: [['A___new', 7]] }, 1n)).toBe('resolved 7')
    expect(value({ values: [['A___old', 1]] }, { values: [['A___new', 7]] }, 1n)).toBe('resolved 7')
  })

  it('take the first of several flavors in one enum', () => {
    expect(value({ values: [['A', 1]] }, { values: [['A___x', 3], ['A', 4]] }, 1n)).toBe('resolved 3')
  })

  it('do not exist and have no value when the name is gone', () => {
    expect(exists({ values: [['A', 1]] }, { values: [['AB', 1]] })).toBe('absent')
    expect(value({ values: [['A', 1]] }, { values: [['AB', 1]] }, 1n)).toBe('poisoned')
    expect(exists({ values: [['A', 1]] }, { values: [['A', 9]] })).toBe('resolved 1')
  })

  it('sign-extend 32-bit values whether the enum is signed or not', () => {
    for (const signed of [false, true]) {
      expect(value({ values: [['A', 1]] }, { values: [['A', -5]], signed }, 1n)).toBe(`resolved ${U64(-5n)}`)
      expect(value({ values: [['A', 1]] }, { values: [['A', 0x80000000]], signed }, 1n)).toBe(`resolved ${U64(-0x80000000n)}`)
      expect(value({ values: [['A', -5]], signed }, { values: [['A', 2]] }, U64(-5n))).toBe('resolved 2')
    }
  })

  it('refuse an unsigned 32-bit value from 2^31 up in a 64-bit load', () => {
    expect(value({ values: [['A', 0x80000000]] }, { values: [['A', 1]] }, 0x80000000n)).toBe('mismatch EINVAL')
  })

  it('carry 64-bit values whole', () => {
    expect(value({ values: [['A', 0x100000001n]], wide: true }, { values: [['A', 0x1ffffffffn]], wide: true }, 0x100000001n)).toBe(
      `resolved ${0x1ffffffffn}`
    )
    expect(value({ values: [['A', -2]], wide: true, signed: true }, { values: [['A', -202]], wide: true, signed: true }, U64(-2n))).toBe(
      `resolved ${U64(-202n)}`
    )
    expect(value(
      { values: [['A', 0xffffffffffffffffn]], wide: true }, { values: [['A', 0x8000000000000000n]], wide: true }, 0xffffffffffffffffn
    ))
      .toBe(`resolved ${0x8000000000000000n}`)
  })

  it('mix 32-bit and 64-bit enums', () => {
    expect(value({ values: [['A', 1]] }, { values: [['A', 0xffffffffn]], wide: true }, 1n)).toBe(`resolved ${0xffffffffn}`)
    expect(value({ values: [['A', 0xffffffffn]], wide: true }, { values: [['A', -1]] }, 0xffffffffn)).toBe(`resolved ${U64(-1n)}`)
  })

  it('are ambiguous when two flavors of the enum differ, unless only existence is asked', () => {
    const target = btf()
    target.enum('e', [['A', 1]])
    target.enum('e___x', [['A', 2]])
    const local = enumeration({ values: [['A', 1]] })
    expect(outcome(local.b, target, { kind: 'enumval_value', type: local.id, access: '0', insn: little.ldImm64(1, 1) })).toBe(
      'failed EINVAL'
    )
    expect(outcome(local.b, target, { kind: 'enumval_exists', type: local.id, access: '0', was: 1 })).toBe('resolved 1')
  })

  it('have an old value even when they are poisoned', () => {
    const l = enumeration({ values: [['A', 41]] })
    const { record } = relocateSteps({ local: l.b, target: btf(), steps: [{ kind: 'enumval_value', type: l.id, access: '0', was: 41 }] })
    expect(record(0)).toMatchObject({ oldValue: 41n, newValue: null, status: 'poisoned' })
  })
})
