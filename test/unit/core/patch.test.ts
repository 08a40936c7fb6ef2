import { describe, expect, it } from 'vitest'
import { parseBtf } from '../../../src/core/index.js'
import { assembler, poison, type AccessSize } from '../../support/asm.js'
import { at, btf, ENCODING, integers, type BtfBuilder } from '../../support/btf-builder.js'
import { BYTE_ORDERS, concat, toHex, type ByteOrder } from '../../support/byte-writer.js'
import { SHT } from '../../support/elf-writer.js'
import { buildObject, type CoreRecord } from '../../support/object-builder.js'
import { outcome, refusal, relocateObject, relocateSteps, type Btf } from '../../support/scenario.js'
import { relocate } from '../../support/relocate.js'

type Ints = ReturnType<typeof integers>
type TypeOf = (b: BtfBuilder, ints: Ints) => number

const asm = assembler('little')

/** `struct s` with member `f` of some type at some offset. */
function holder (type: TypeOf, offset: number, byteOrder: ByteOrder = 'little') {
  const b = btf({ byteOrder })
  const ints = integers(b)
  return { b, id: b.struct('s', offset + 64, [at('f', offset, type(b, ints))]) }
}

const uint: TypeOf = (_, ints) => ints.uint

describe('edge 70: instructions that can carry a field offset', () => {
  const local = (byteOrder: ByteOrder) => holder(uint, 4, byteOrder)
  const target = (byteOrder: ByteOrder) => holder(uint, 0x124, byteOrder).b

  describe.each(BYTE_ORDERS)('%s-endian', (byteOrder) => {
    const encode = assembler(byteOrder)
    const sizes: AccessSize[] = ['b', 'h', 'w', 'dw']
    const both = (make: (off: number) => Uint8Array) => [make(4), make(0x124)] as const

    it.each([
      ...sizes.flatMap(size => [
        [`ldx ${size}`, ...both(off => encode.ldx(size, 3, 1, off))],
        [`ldx ${size}, sign-extending`, ...both(off => encode.ldxSigned(size, 3, 1, off))],
        [`stx ${size}`, ...both(off => encode.stx(size, 3, 1, off))],
        [`st ${size}`, ...both(off => encode.st(size, 3, off, -7))]
      ] as const),
      ['atomic add w', ...both(off => encode.atomic('w', 3, 1, off))],
      ['atomic exchange dw', ...both(off => encode.atomic('dw', 3, 1, off, 0xe1))],
      ['mov', ...both(value => encode.mov(9, value))],
      ['mov, 32 bits', ...both(value => encode.mov32(9, value))],
      ['add', ...both(value => encode.add(9, value))],
      ['sub', ...both(value => encode.alu('SUB', 9, value))],
      ['and, 32 bits', ...both(value => encode.alu32('AND', 9, value))],
      ['shift left', ...both(value => encode.alu('LSH', 9, value))],
      ['64-bit load', ...both(value => encode.ldImm64(9, value))]
    ] as const)('%s', (_, before, after) => {
      const { b, id } = local(byteOrder)
      const result = relocateSteps({
        local: b, target: target(byteOrder), steps: [{ kind: 'byte_off', type: id, access: '0:0', insn: before }]
      })
      expect(result.code(0)).toBe(toHex(after))
      expect(result.relocation.changedInstructions).toBe(1)
    })
  })

  it('patches the width of a byte swap, whose meaning it does not look at', () => {
    const { b, id } = holder(uint, 16)
    for (const insn of [asm.toLittleEndian(1, 16), asm.byteSwap(1, 16)]) {
      expect(outcome(b, holder(uint, 32).b, { kind: 'byte_off', type: id, access: '0:0', insn })).toBe('resolved 32')
    }
  })
})

describe('edge 71: instructions that cannot', () => {
  const present = () => ({ local: holder(uint, 0), target: holder(uint, 8).b })
  const instructions = [
    ['mov of a register', asm.movReg(1, 2)],
    ['add of a register', asm.addReg(1, 2)],
    ['byte swap to big endian', asm.toBigEndian(1, 16)],
    ['ja', asm.ja(0)],
    ['jeq', asm.jeq(1, 0, 0)],
    ['jeq, 32 bits', asm.jeq32(1, 0, 0)],
    ['call', asm.call(0)],
    ['exit', asm.exit()],
    ['load from a packet', asm.ldAbs('w', 0)]
  ] as const

  it.each(instructions)('refuses a value for %s', (_, insn) => {
    const { local, target } = present()
    expect(outcome(local.b, target, { kind: 'byte_off', type: local.id, access: '0:0', insn })).toBe('failed EINVAL')
  })

  it.each(instructions)('poisons %s all the same when there is no value', (_, insn) => {
    const { local } = present()
    expect(outcome(local.b, btf(), { kind: 'byte_off', type: local.id, access: '0:0', insn })).toBe('poisoned')
  })
})

describe('edge 72: offsets of loads and stores', () => {
  const run = (localOffset: number, targetOffset: number, insnOff = localOffset) => {
    const local = holder(uint, localOffset)
    return outcome(
      local.b, holder(uint, targetOffset).b, { kind: 'byte_off', type: local.id, access: '0:0', insn: asm.ldx('w', 2, 1, insnOff) }
    )
  }

  it('go up to 32767', () => {
    expect(run(0, 32767)).toBe('resolved 32767')
    expect(run(32767, 0)).toBe('resolved 0')
  })

  it('are refused from 32768 up', () => {
    expect(run(0, 32768)).toBe('failed ERANGE')
    expect(run(0, 1 << 20)).toBe('failed ERANGE')
  })

  it('are not limited for arithmetic', () => {
    const local = holder(uint, 0)
    expect(outcome(local.b, holder(uint, 1 << 20).b, { kind: 'byte_off', type: local.id, access: '0:0', was: 0 })).toBe('resolved 1048576')
  })

  it('must be what the object itself says', () => {
    expect(run(4, 8, 0)).toBe('mismatch EINVAL')
    expect(run(4, 4, 12)).toBe('mismatch EINVAL')
  })

  it('are compared sign-extended, so a negative one never fits', () => {
    expect(run(4, 8, -4)).toBe('mismatch EINVAL')
    expect(run(0x8000, 8, -0x8000)).toBe('mismatch EINVAL')
  })

  it('are checked against the range before the size', () => {
    const local = holder((_, { int }) => int, 0)
    const target = holder((_, { llong }) => llong, 40000)
    expect(outcome(local.b, target.b, { kind: 'byte_off', type: local.id, access: '0:0', insn: asm.ldx('w', 2, 1, 0) })).toBe(
      'failed ERANGE'
    )
  })
})

describe('edge 73: members that changed their size', () => {
  const pointer: TypeOf = b => b.ptr(0)
  const named = (name: keyof Ints): TypeOf => (_, ints) => ints[name]
  const enumOf = (size: number): TypeOf => b => b.enum('e', [['A', 1]], { size })

  const load = (local: TypeOf, target: TypeOf, insn: Uint8Array, pointerSize: 4 | 8 = 8) => {
    const l = holder(local, 0)
    const parsed: Btf = parseBtf(holder(target, 8).b.bytes(), { pointerSize })
    const result = relocateSteps({ local: l.b, target: parsed, steps: [{ kind: 'byte_off', type: l.id, access: '0:0', insn }] })
    return result.relocation.ok ? result.code(0) : result.outcomes[0]
  }
  const POISON = toHex(poison('little'))

  it.each([
    ['u32 to u64', named('uint'), named('ullong'), asm.ldx('w', 2, 1, 0), asm.ldx('dw', 2, 1, 8)],
    ['u64 to u16', named('ullong'), named('ushort'), asm.ldx('dw', 2, 1, 0), asm.ldx('h', 2, 1, 8)],
    ['u16 to u8', named('ushort'), named('uchar'), asm.ldx('h', 2, 1, 0), asm.ldx('b', 2, 1, 8)],
    ['a store of u32 to u64', named('uint'), named('ullong'), asm.stx('w', 2, 1, 0), asm.stx('dw', 2, 1, 8)],
    ['a store of a constant, u32 to u8', named('uint'), named('uchar'), asm.st('w', 2, 0, 5), asm.st('b', 2, 8, 5)],
    ['an atomic operation, u32 to u64', named('uint'), named('ullong'), asm.atomic('w', 2, 1, 0), asm.atomic('dw', 2, 1, 8)],
    ['a sign-extending load of u32 to u16', named('uint'), named('ushort'), asm.ldxSigned('w', 2, 1, 0), asm.ldxSigned('h', 2, 1, 8)],
    ['bool to u32', named('bool'), named('uint'), asm.ldx('b', 2, 1, 0), asm.ldx('w', 2, 1, 8)],
    ['character type that is signed too, to u32', (b: BtfBuilder) =>
      b.int('c', 1, { encoding: ENCODING.CHAR | ENCODING.SIGNED }), named('uint'), asm.ldx('b', 2, 1, 0), asm.ldx('w', 2, 1, 8)],
    ['an unsigned array as a whole', (b: BtfBuilder, i: Ints) =>
      b.array(i.ushort, 2), (b: BtfBuilder, i: Ints) => b.array(i.uint, 2), asm.ldx('h', 2, 1, 0), POISON]
  ] as const)('%s', (_, local, target, before, after) => {
    expect(load(local, target, before)).toBe(typeof after === 'string' ? after : toHex(after))
  })

  it('resizes an element that is accessed as an element', () => {
    const l = holder((b, i) => b.array(i.ushort, 4), 0)
    const target = holder((b, i) => b.array(i.uint, 4), 8)
    const result = relocateSteps({
      local: l.b, target: target.b, steps: [{ kind: 'byte_off', type: l.id, access: '0:0:3', insn: asm.ldx('h', 2, 1, 6) }]
    })
    expect(result.code(0)).toBe(toHex(asm.ldx('w', 2, 1, 20)))
  })

  it.each([
    ['load', asm.ldx('dw', 2, 1, 0), asm.ldx('w', 2, 1, 8)],
    ['store', asm.stx('dw', 2, 1, 0), asm.stx('w', 2, 1, 8)]
  ])('narrows a %s of a pointer for a 32-bit kernel', (_, before, after) => {
    expect(load(pointer, pointer, before, 4)).toBe(toHex(after))
  })

  it.each([
    ['s32 to s64', named('int'), named('llong'), asm.ldx('w', 2, 1, 0)],
    ['s32 to u64', named('int'), named('ullong'), asm.ldx('w', 2, 1, 0)],
    ['u32 to s64', named('uint'), named('llong'), asm.ldx('w', 2, 1, 0)],
    ['bool to s32', named('bool'), named('int'), asm.ldx('b', 2, 1, 0)],
    ['enum of 4 to 8 bytes', enumOf(4), enumOf(8), asm.ldx('w', 2, 1, 0)],
    ['float to double', (b: BtfBuilder) => b.float('float', 4), (b: BtfBuilder) => b.float('double', 8), asm.ldx('w', 2, 1, 0)],
    ['a struct', (b: BtfBuilder) => b.struct('i', 4), (b: BtfBuilder) => b.struct('i', 8), asm.ldx('w', 2, 1, 0)]
  ] as const)('poisons %s', (_, local, target, insn) => {
    expect(load(local, target, insn)).toBe(POISON)
  })

  it('leaves signed members of equal size alone, whatever their names', () => {
    expect(load(named('int'), b => b.int('long int', 4, { signed: true }), asm.ldx('w', 2, 1, 0))).toBe(toHex(asm.ldx('w', 2, 1, 8)))
    expect(load(named('int'), named('uint'), asm.ldx('w', 2, 1, 0))).toBe(toHex(asm.ldx('w', 2, 1, 8)))
  })

  it('refuses to resize to a size that no instruction has', () => {
    expect(load(named('uint'), b => b.int('odd', 3), asm.ldx('w', 2, 1, 0))).toBe('failed EINVAL')
    expect(load(named('uint'), b => b.int('u128', 16), asm.ldx('w', 2, 1, 0))).toBe('failed EINVAL')
  })

  it.each(BYTE_ORDERS)('keeps registers and immediate (%s-endian)', (byteOrder) => {
    const l = holder(uint, 0, byteOrder)
    const target = holder((_, i) => i.ullong, 8, byteOrder)
    const encode = assembler(byteOrder)
    const result = relocateSteps({
      local: l.b, target: target.b, steps: [{ kind: 'byte_off', type: l.id, access: '0:0', insn: encode.slot(0x61, 7, 8, 0, 0x12345678) }]
    })
    expect(result.code(0)).toBe(toHex(encode.slot(0x79, 7, 8, 8, 0x12345678)))
  })

  it('leaves the size alone for kinds other than the offset', () => {
    const l = holder(uint, 0)
    const result = relocateSteps({
      local: l.b,
      target: holder((_, i) => i.ullong, 8).b,
      steps: [{ kind: 'byte_sz', type: l.id, access: '0:0', insn: asm.ldx('w', 2, 1, 4) }]
    })
    expect(result.code(0)).toBe(toHex(asm.ldx('w', 2, 1, 8)))
  })
})

describe('edge 74: narrowed loads', () => {
  it('are moved while the member keeps its size', () => {
    const l = holder((_, i) => i.ullong, 0)
    expect(outcome(
      l.b, holder((_, i) => i.ullong, 8).b, { kind: 'byte_off', type: l.id, access: '0:0', insn: asm.ldx('b', 2, 1, 0) }
    )).toBe('resolved 8')
  })

  it('are refused when it does not', () => {
    const l = holder((_, i) => i.ullong, 0)
    expect(outcome(l.b, holder(uint, 8).b, { kind: 'byte_off', type: l.id, access: '0:0', insn: asm.ldx('b', 2, 1, 0) })).toBe(
      'failed EINVAL'
    )
  })
})

describe('edge 75: 64-bit loads', () => {
  const wide = (value: bigint | number, byteOrder: ByteOrder = 'little') => {
    const b = btf({ byteOrder })
    return { b, id: b.enum64('e', [['A', value]]) }
  }

  it.each(BYTE_ORDERS)('take values of more than 32 bits and negative ones (%s-endian)', (byteOrder) => {
    const encode = assembler(byteOrder)
    for (const value of [0x123456789abcdefn, -2n, 0xffffffffn, 0x80000000n]) {
      const l = wide(7, byteOrder)
      const result = relocateSteps({
        local: l.b, target: wide(value, byteOrder).b, steps: [{ kind: 'enumval_value', type: l.id, insn: encode.ldImm64(9, 7) }]
      })
      expect(result.code(0)).toBe(toHex(encode.ldImm64(9, value)))
    }
  })

  it('are compared in all 64 bits', () => {
    const l = wide(7)
    expect(outcome(l.b, l.b, { kind: 'enumval_value', type: l.id, insn: asm.ldImm64(1, 0x100000007n) })).toBe('mismatch EINVAL')
  })

  it.each([
    ['a map as source', concat(asm.slot(0x18, 1, 1, 0, 7), asm.slot(0))],
    ['an offset in the first slot', concat(asm.slot(0x18, 1, 0, 2, 7), asm.slot(0))],
    ['an opcode in the second slot', concat(asm.slot(0x18, 1, 0, 0, 7), asm.slot(0xb7))],
    ['a register in the second slot', concat(asm.slot(0x18, 1, 0, 0, 7), asm.slot(0, 1))],
    ['an offset in the second slot', concat(asm.slot(0x18, 1, 0, 0, 7), asm.slot(0, 0, 0, 1))]
  ])('are refused with %s', (_, insn) => {
    const l = wide(7)
    expect(outcome(l.b, l.b, { kind: 'enumval_value', type: l.id, insn })).toBe('failed EINVAL')
  })

  it.each(BYTE_ORDERS)('are poisoned in both slots, even when they load a map (%s-endian)', (byteOrder) => {
    const l = wide(7, byteOrder)
    const encode = assembler(byteOrder)
    const twice = toHex(concat(poison(byteOrder), poison(byteOrder)))
    for (const insn of [encode.ldImm64(1, 7), encode.ldImm64(1, 7, 1)]) {
      const result = relocateSteps({ local: l.b, target: btf({ byteOrder }), steps: [{ kind: 'enumval_value', type: l.id, insn }] })
      expect(result.code(0)).toBe(twice)
    }
  })

  it.each([['with a value', true], ['to be poisoned', false]])('are refused when the program ends within them (%s)', (_, present) => {
    const l = wide(7)
    const { relocation, outcomes } = relocateObject({
      local: l.b,
      programs: [
        { section: 'raw_tp/a', name: 'a', code: asm.ldImm64(1, 7).subarray(0, 8) },
        { section: 'raw_tp/a', name: 'b', code: concat(asm.mov(0, 0), asm.exit()) }
      ],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: l.id, kind: 'enumval_value' }]
    }, present ? l.b : btf())
    expect(outcomes).toEqual(['failed EINVAL'])
    expect(relocation.bytes).toBeUndefined()
  })
})

describe('edge 76: two records on one instruction', () => {
  const twice = (target: BtfBuilder, second: Partial<CoreRecord> = {}) => {
    const l = holder(uint, 4)
    const record = { section: 'raw_tp/a', insnOff: 0, typeId: l.id, access: '0:0', kind: 'byte_off' as const }
    return relocateObject({
      local: l.b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.mov(1, 4), asm.exit()) }],
      records: [record, { ...record, ...second }]
    }, target)
  }

  it('validates the second against what the first has written', () => {
    expect(twice(holder(uint, 4).b).outcomes).toEqual(['resolved 4', 'resolved 4'])
    expect(twice(holder(uint, 8).b).outcomes).toEqual(['resolved 8', 'mismatch EINVAL'])
  })

  it('lets the second have the last word when it is not validated', () => {
    const { object, relocation } = twice(holder(uint, 8).b, { kind: 'local_type_id', access: '0' })
    expect(relocation.ok).toBe(true)
    const start = object.section('raw_tp/a').offset
    expect(relocation.bytes?.[start + 4]).toBe(Number(relocation.records[1]?.newValue))
    expect(relocation.changedInstructions).toBe(1)
  })

  it('poisons what is already poisoned', () => {
    expect(twice(btf()).outcomes).toEqual(['poisoned', 'poisoned'])
  })
})

describe('edge 77: values that do not fit an immediate', () => {
  it('are cut to 32 bits without a word', () => {
    const make = (size: number) => {
      const b = btf()
      return { b, id: b.struct('s', size) }
    }
    const l = make(16)
    const result = relocateSteps({ local: l.b, target: make(0x80000010).b, steps: [{ kind: 'type_size', type: l.id, was: 16 }] })
    expect(result.record(0).newValue).toBe(0x80000010n)
    expect(result.code(0)).toBe('b7 01 00 00 10 00 00 80')
  })

  it('lose their upper half', () => {
    const make = (value: bigint) => {
      const b = btf()
      return { b, id: b.enum64('e', [['A', value]]) }
    }
    const l = make(1n)
    const result = relocateSteps({
      local: l.b, target: make(0x1234567800000005n).b, steps: [{ kind: 'enumval_value', type: l.id, was: 1 }]
    })
    expect(result.record(0).newValue).toBe(0x1234567800000005n)
    expect(result.code(0)).toBe('b7 01 00 00 05 00 00 00')
  })

  it('are compared sign-extended', () => {
    const b = btf()
    const id = b.enum64('e', [['A', 0xffffffffn], ['B', -1]])
    expect(outcome(b, b, { kind: 'enumval_value', type: id, access: '0', was: -1 })).toBe('mismatch EINVAL')
    expect(outcome(b, b, { kind: 'enumval_value', type: id, access: '1', was: -1 })).toBe('resolved 18446744073709551615')
  })
})

describe('edge 78: an ELF relocation on the same instruction', () => {
  const run = (offset: number) => {
    const l = holder(uint, 0)
    return relocateObject({
      local: l.b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.mov(1, 0), asm.ldImm64(2, 0), asm.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: l.id, access: '0:0', kind: 'byte_off' }],
      relocations: [{ section: 'raw_tp/a', offset }]
    }, holder(uint, 8).b)
  }

  it('is refused', () => {
    const { relocation, outcomes } = run(0)
    expect(outcomes).toEqual(['failed EINVAL'])
    expect(relocation.records[0]?.reason).not.toBe('value_mismatch')
  })

  it('must be readable', () => {
    const l = holder(uint, 0)
    for (const [entsize, size] of [[8, 16], [16, 20], [0, 16]] as const) {
      refusal('object_invalid', () => relocateObject({
        local: l.b,
        programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.mov(1, 0), asm.exit()) }],
        records: [{ section: 'raw_tp/a', insnOff: 0, typeId: l.id, access: '0:0', kind: 'byte_off' }],
        sectionsAfter: [{ name: '.relraw_tp/a', type: SHT.REL, data: new Uint8Array(size), info: 1, entsize }]
      }, holder(uint, 8).b))
    }
  })

  it('is fine on another one', () => {
    expect(run(8).outcomes).toEqual(['resolved 8'])
  })
})

describe('failures', () => {
  it('are all collected, and leave no bytes', () => {
    const b = btf()
    const { int } = integers(b)
    const id = b.struct('s', 8, [at('a', 0, int), at('b', 4, int)])
    const result = relocateSteps({
      local: b,
      target: b,
      steps: [
        { kind: 'byte_off', type: id, access: '0:9', was: 0 },
        { kind: 'byte_off', type: id, access: '0:1', was: 4 },
        { kind: 77, type: id, was: 0 },
        { kind: 'byte_off', type: id, access: '0:1', was: 3 }
      ]
    })
    expect(result.outcomes).toEqual(['failed EINVAL', 'resolved 4', 'failed EINVAL', 'mismatch EINVAL'])
    expect(result.relocation).toMatchObject({ ok: false, bytes: undefined, counts: { resolved: 1, absent: 0, poisoned: 0, failed: 3 } })
  })

  it('do not change the object that was given', () => {
    const l = holder(uint, 0)
    const object = buildObject({
      local: l.b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.mov(1, 0), asm.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: l.id, access: '0:0', kind: 'byte_off' }]
    })
    const before = object.bytes.slice()
    const relocation = relocate(object.bytes, parseBtf(holder(uint, 8).b.bytes()))
    expect(relocation.changedInstructions).toBe(1)
    expect(object.bytes).toEqual(before)
  })
})
