import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject } from '../../../src/core/index.js'
import { assembler, poison } from '../../support/asm.js'
import { btf } from '../../support/btf-builder.js'
import { BYTE_ORDERS, concat, toHex, type ByteOrder } from '../../support/byte-writer.js'
import { fooSpec, localFoo, richLocal, richObject, richTarget, targetFoo } from '../../support/corpus.js'
import { buildObject, type BuiltObject, type ExtPart } from '../../support/object-builder.js'
import { explain, outcomeOf, relocateObject, type Relocation } from '../../support/scenario.js'
import { relocate } from '../../support/relocate.js'

const ORDERS_OF_PARTS: ReadonlyArray<readonly ExtPart[]> = [
  ['func_info', 'line_info', 'core_relo'],
  ['core_relo', 'func_info', 'line_info'],
  ['func_info', 'core_relo', 'line_info']
]

function relocateRich (byteOrder: ByteOrder) {
  const object = richObject(byteOrder)
  return { object, relocation: relocate(object.bytes, parseBtf(richTarget(byteOrder).bytes())) }
}

/** Offsets of the bytes in which the relocated object differs from the original. */
function differences (object: BuiltObject, relocation: Relocation): number[] {
  const after = relocation.bytes ?? new Uint8Array()
  return Array.from(object.bytes.keys()).filter(i => object.bytes[i] !== after[i])
}

/** File offsets that a relocation may change: the instructions of its records, and core_relo_len. */
function allowed (object: BuiltObject, relocation: Relocation): Set<number> {
  const offsets = new Set<number>()
  const allow = (start: number, count: number) => { for (let i = 0; i < count; i++) offsets.add(start + i) }
  allow(object.coreReloLenOffset, 4)
  for (const record of relocation.records) {
    const start = object.section(record.section).offset + record.insnOff
    allow(start, object.bytes[start] === 0x18 ? 16 : 8)
  }
  return offsets
}

describe.each(BYTE_ORDERS)('edge 79: the relocated %s-endian object', (byteOrder) => {
  it('has every kind of outcome in this test', () => {
    const { relocation } = relocateRich(byteOrder)
    expect(relocation.ok).toBe(true)
    expect(relocation.counts.resolved).toBeGreaterThan(10)
    expect(relocation.counts.absent).toBe(1)
    expect(relocation.counts.poisoned).toBe(1)
    expect(relocation.records).toHaveLength(20)
  })

  it('differs from the original in patched instructions and the length of core_relo only', () => {
    const { object, relocation } = relocateRich(byteOrder)
    const may = allowed(object, relocation)
    expect(differences(object, relocation).filter(offset => !may.has(offset))).toEqual([])
    expect(relocation.bytes?.length).toBe(object.bytes.length)
  })

  it('has an empty core_relo, at its old offset and behind a full header', () => {
    const { object, relocation } = relocateRich(byteOrder)
    const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset + object.section('.BTF.ext').offset)
    const little = byteOrder === 'little'
    const before = view(object.bytes)
    const after = view(relocation.bytes ?? new Uint8Array())
    expect(before.getUint32(28, little)).toBeGreaterThan(0)
    expect(after.getUint32(28, little)).toBe(0)
    for (const offset of [0, 4, 8, 12, 16, 20, 24]) expect(after.getUint32(offset)).toBe(before.getUint32(offset))
  })

  it('has no records and is left as it is when relocated again', () => {
    const { relocation } = relocateRich(byteOrder)
    const bytes = relocation.bytes ?? new Uint8Array()
    for (const target of [richTarget(byteOrder), targetFoo(byteOrder), btf({ byteOrder })]) {
      const again = relocate(bytes, parseBtf(target.bytes()))
      expect(again).toMatchObject({
        ok: true, records: [], changedInstructions: 0, counts: { resolved: 0, absent: 0, poisoned: 0, failed: 0 }
      })
      expect(again.bytes).toEqual(bytes)
    }
  })

  it('counts the instructions that changed', () => {
    const { object, relocation } = relocateRich(byteOrder)
    const changed = new Set(differences(object, relocation).filter(offset => {
      const distance = offset - object.coreReloLenOffset
      return distance < 0 || distance >= 4
    }).map(offset => {
      const record = relocation.records.find(({ section, insnOff }) => {
        const start = object.section(section).offset + insnOff
        return offset >= start && offset < start + (object.bytes[start] === 0x18 ? 16 : 8)
      })
      return `${record?.section} ${record?.insnOff}`
    }))
    expect(relocation.changedInstructions).toBe(changed.size)
  })

  it('is the original with an emptied core_relo when the target is its own BTF', () => {
    const object = richObject(byteOrder)
    const relocation = relocate(object.bytes, parseBtf(richLocal(byteOrder).bytes()))
    expect(relocation).toMatchObject({ ok: true, changedInstructions: 0 })
    expect(relocation.records.map(outcomeOf).filter(outcome => !outcome.startsWith('resolved'))).toEqual([])
    const may = new Set([0, 1, 2, 3].map(i => object.coreReloLenOffset + i))
    expect(differences(object, relocation).filter(offset => !may.has(offset))).toEqual([])
  })
})

describe('edge 79: other shapes', () => {
  it('leaves an object without records byte for byte', () => {
    const { object, relocation } = relocateObject({ ...fooSpec(), records: [] }, targetFoo())
    expect(relocation.bytes).toEqual(object.bytes)
  })

  it('gives new bytes, not the ones it was given', () => {
    const object = buildObject({ ...fooSpec(), records: [] })
    const { bytes } = relocate(object.bytes, parseBtf(targetFoo().bytes()))
    bytes?.fill(0)
    expect(object.bytes[0]).toBe(0x7f)
  })

  it('reads an object that lies somewhere in a larger buffer', () => {
    const object = buildObject(fooSpec())
    const padded = concat(new Uint8Array(13), object.bytes, new Uint8Array(7))
    const target = targetFoo().bytes()
    const paddedTarget = concat(new Uint8Array(3), target)
    const relocation = relocate(padded.subarray(13, 13 + object.bytes.length), parseBtf(paddedTarget.subarray(3)))
    expect(relocation.bytes).toEqual(relocate(object.bytes, parseBtf(target)).bytes)
  })

  it('empties core_relo of a header that is longer than 32 bytes', () => {
    const { object, relocation } = relocateObject(fooSpec('little', { ext: { hdrLen: 48, headerFill: 0x77 } }), targetFoo())
    expect(relocation.changedInstructions).toBe(1)
    const may = allowed(object, relocation)
    expect(differences(object, relocation).filter(offset => !may.has(offset))).toEqual([])
  })
})

describe('edge 80: place of core_relo in .BTF.ext', () => {
  it.each(ORDERS_OF_PARTS.map(order => [order.join(', '), order] as const))('may be any: %s', (_, order) => {
    const { object, relocation, outcomes } = relocateObject(fooSpec('little', { ext: { order } }), targetFoo())
    expect(outcomes).toEqual(['resolved 12'])
    const may = allowed(object, relocation)
    expect(differences(object, relocation).filter(offset => !may.has(offset))).toEqual([])
  })
})

describe('edge 81: local type ids', () => {
  it('are written and their records dropped like the others', () => {
    const asm = assembler('little')
    const { b, foo } = localFoo()
    const { object, relocation, outcomes } = relocateObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.ldImm64(1, foo), asm.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: foo, kind: 'local_type_id' }]
    }, targetFoo())
    expect(outcomes).toEqual([`resolved ${foo}`])
    expect(relocation.changedInstructions).toBe(0)
    expect(toHex(relocation.bytes?.slice(object.coreReloLenOffset, object.coreReloLenOffset + 4) ?? new Uint8Array())).toBe('00 00 00 00')
  })
})

describe('edge 82: determinism', () => {
  it.each(BYTE_ORDERS)('gives the same bytes and records every time (%s-endian)', (byteOrder) => {
    const object = richObject(byteOrder)
    const target = parseBtf(richTarget(byteOrder).bytes())
    const parsed = parseObject(object.bytes)
    const first = relocate(object.bytes, target)
    for (const again of [
      relocate(object.bytes, target), relocate(parsed, target), relocate(parsed, target),
      relocate(object.bytes, parseBtf(richTarget(byteOrder).bytes()))
    ]) {
      expect(again.bytes).toEqual(first.bytes)
      expect(again.records).toEqual(first.records)
    }
  })

  it('does not carry pruning from one object to the next', () => {
    const { b, foo } = localFoo()
    const asm = assembler('little')
    const object = (access: string, value: number) => buildObject({
      local: b,
      programs: [{ section: 'raw_tp/a', name: 'a', code: concat(asm.mov(1, value), asm.exit()) }],
      records: [{ section: 'raw_tp/a', insnOff: 0, typeId: foo, access, kind: 'byte_off' }]
    }).bytes
    const target = targetFoo()
    const int = target.int('int', 4, { signed: true })
    target.struct('foo___2', 4, [{ name: 'y', type: int, bits: 0 }])
    const parsed = parseBtf(target.bytes())
    expect(relocate(object('0:0', 0), parsed).records.map(outcomeOf)).toEqual(['resolved 8'])
    expect(relocate(object('0:1', 4), parsed).records.map(outcomeOf)).toEqual(['failed EINVAL'])
  })
})

describe('records', () => {
  it('carry where they are and what they ask, in file order', () => {
    const asm = assembler('little')
    const { b, foo } = localFoo()
    const { relocation } = relocateObject({
      local: b,
      programs: [
        { section: '?tp/b', name: 'beta', code: concat(asm.mov(1, 4), asm.exit()) },
        { section: 'tp/a', name: 'alpha', code: concat(asm.mov(0, 0), asm.ldx('w', 2, 1, 0), asm.exit()) }
      ],
      records: [
        { section: '?tp/b', insnOff: 0, typeId: foo, access: '0:1', kind: 'byte_off' },
        { section: 'tp/a', insnOff: 8, typeId: foo, access: '0:0', kind: 'byte_off' }
      ]
    }, targetFoo())
    expect(relocation.records).toMatchObject([
      {
        section: '?tp/b',
        program: 'beta',
        instruction: 0,
        insnOff: 0,
        kind: 'byte_off',
        typeId: foo,
        accessSpec: '0:1',
        oldValue: 4n,
        newValue: 12n,
        errno: null
      },
      {
        section: 'tp/a',
        program: 'alpha',
        instruction: 1,
        insnOff: 8,
        kind: 'byte_off',
        typeId: foo,
        accessSpec: '0:0',
        oldValue: 0n,
        newValue: 8n,
        errno: null
      }
    ])
  })

  it('of a resolved relocation have neither reason nor errno', () => {
    const { relocation } = relocateRich('little')
    for (const record of relocation.records.filter(({ status }) => status === 'resolved')) {
      expect(record).toMatchObject({ errno: null, reason: null })
    }
  })

  it('of a poisoned one say why', () => {
    const { relocation, object } = relocateRich('little')
    const record = relocation.records.find(({ status }) => status === 'poisoned')
    expect(record === undefined ? undefined : explain(object, relocation, record)).toMatchObject({
      reason: expect.any(String), detail: expect.any(String)
    })
    const start = object.section(record?.section ?? '').offset + (record?.insnOff ?? 0)
    expect(toHex(relocation.bytes?.slice(start, start + 8) ?? new Uint8Array())).toBe(toHex(poison('little')))
  })
})
