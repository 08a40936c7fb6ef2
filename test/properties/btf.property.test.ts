import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  enumeratorValue, kindFlagOf, kindOf, memberBitfieldSize, memberBitOffset, memberNameOffset, memberType, nameOffsetOf, textOf, typeId,
  vlenOf
} from '../../src/btf/btf.js'
import { parseBtf } from '../../src/core/index.js'
import { btf, KIND, type BtfBuilder, type Member } from '../support/btf-builder.js'
import { BYTE_ORDERS } from '../support/byte-writer.js'
import { runs } from '../support/property-runs.js'

const name = fc.string({ unit: fc.constantFrom('a', 'b', 'Z', '_', '9', ' ', 'é', '界'), maxLength: 12 })

interface RandomType {
  readonly kind: number
  readonly name: string
  readonly refs: readonly number[]
  readonly numbers: readonly number[]
  readonly flag: boolean
}

const randomType: fc.Arbitrary<RandomType> = fc.record({
  kind: fc.constantFrom(...Object.values(KIND).filter(kind => kind !== KIND.VOID && kind !== KIND.FUNC)),
  name,
  refs: fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 }),
  numbers: fc.array(fc.nat(0xffffff), { minLength: 3, maxLength: 6 }),
  flag: fc.boolean()
})

/** Adds the type, with its references folded into ids from 0 to `last`. */
function add (b: BtfBuilder, type: RandomType, last: number): {
  vlen: number
  flag: boolean
  members?: Member[]
  values?: Array<[string, bigint]>
} {
  const refs = type.refs.map(ref => ref % (last + 1))
  const ref = refs[0] ?? 0
  const number = type.numbers[0] ?? 0
  const members = refs.map((member, i): Member =>
    ({ name: `${type.name}${i}`, type: member, bits: type.numbers[i] ?? 0, ...(type.flag ? { bitfield: i } : {}) }))
  switch (type.kind) {
    case KIND.INT: b.int(type.name, number % 17, { encoding: number % 8 }); break
    case KIND.ARRAY: b.array(ref, number, refs.at(-1) ?? 0); break
    case KIND.STRUCT: case KIND.UNION:
      b[type.kind === KIND.STRUCT ? 'struct' : 'union'](type.name, number, members, type.flag)
      return { vlen: members.length, flag: type.flag, members }
    case KIND.ENUM: {
      const values = type.numbers.map((value, i): [string, bigint] => [`V${i}`, BigInt(type.flag ? -value : value)])
      b.enum(type.name, values, { signed: type.flag })
      return { vlen: values.length, flag: type.flag, values }
    }
    case KIND.ENUM64: {
      const values = type.numbers.map((value, i): [string, bigint] => [`V${i}`, BigInt(value) * 0x123456789abn])
      b.enum64(type.name, values, { signed: type.flag })
      return { vlen: values.length, flag: type.flag, values }
    }
    case KIND.FWD: b.fwd(type.name, type.flag ? 'union' : 'struct'); return { vlen: 0, flag: type.flag }
    case KIND.FUNC_PROTO: b.funcProto(ref, refs.map((param, i) => [`p${i}`, param])); return { vlen: refs.length, flag: false }
    case KIND.VAR: b.var(type.name, ref); break
    case KIND.DATASEC: b.datasec(
      type.name, number, refs.map((variable, i) => [variable, i * 8, 8])
    ); return { vlen: refs.length, flag: false }
    case KIND.FLOAT: b.float(type.name, number); break
    case KIND.DECL_TAG: b.declTag(type.name, ref, -1, type.flag); return { vlen: 0, flag: type.flag }
    case KIND.TYPE_TAG: b.typeTag(type.name, ref, type.flag); return { vlen: 0, flag: type.flag }
    default: b.raw({ kind: type.kind, name: type.name, sizeOrType: ref })
  }
  return { vlen: 0, flag: false }
}

const isNamed = (kind: number) => kind !== KIND.ARRAY && kind !== KIND.FUNC_PROTO

describe('random BTF', () => {
  it('is read back as it was written', () => {
    fc.assert(fc.property(fc.array(
      randomType, { maxLength: 30 }
    ), fc.constantFrom(...BYTE_ORDERS), fc.constantFrom(24, 32, 40), (types, byteOrder, hdrLen) => {
      const b = btf({ byteOrder })
      const facts = types.map(type => add(b, type, types.length))
      const parsed = parseBtf(b.bytes({ hdrLen }))
      expect(parsed.endId).toBe(types.length + 1)
      expect(parsed.byteOrder).toBe(byteOrder)
      types.forEach((type, i) => {
        const id = typeId(i + 1)
        const fact = facts[i]
        expect(kindOf(parsed, id)).toBe(type.kind)
        expect(textOf(parsed, nameOffsetOf(parsed, id))).toBe(isNamed(type.kind) ? type.name : '')
        expect(vlenOf(parsed, id)).toBe(fact?.vlen)
        expect(kindFlagOf(parsed, id)).toBe(fact?.flag)
        fact?.members?.forEach((member, m) => {
          expect(textOf(parsed, memberNameOffset(parsed, id, m))).toBe(member.name)
          expect(memberType(parsed, id, m)).toBe(member.type)
          expect(memberBitOffset(parsed, id, m)).toBe(member.bits)
          expect(memberBitfieldSize(parsed, id, m)).toBe(member.bitfield ?? 0)
        })
        fact?.values?.forEach(([, value], v) => expect(enumeratorValue(parsed, id, v)).toBe(BigInt.asUintN(64, value)))
      })
    }), runs(100))
  })

  it('splits anywhere into a base and a module that read the same', () => {
    fc.assert(fc.property(fc.array(
      randomType, { minLength: 1, maxLength: 20 }
    ), fc.nat(20), fc.constantFrom(...BYTE_ORDERS), (types, cut, byteOrder) => {
      const border = cut % (types.length + 1)
      const base = btf({ byteOrder })
      types.slice(0, border).forEach(type => add(base, type, border))
      const split = btf({ base })
      types.slice(border).forEach(type => add(split, type, types.length))
      const parsed = parseBtf(split.bytes(), { base: parseBtf(base.bytes()) })
      expect(parsed.startId).toBe(border + 1)
      types.forEach((type, i) => {
        const id = typeId(i + 1)
        expect(kindOf(parsed, id)).toBe(type.kind)
        expect(textOf(parsed, nameOffsetOf(parsed, id))).toBe(isNamed(type.kind) ? type.name : '')
      })
    }), runs(70))
  })
})
