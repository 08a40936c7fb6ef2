import { describe, expect, it } from 'vitest'
import { applyPatches, listPatches, parseBtf, relocate } from '../../../src/core/index.js'
import { assembler } from '../../support/asm.js'
import { at, btf, integers } from '../../support/btf-builder.js'
import { BYTE_ORDERS, toHex, type ByteOrder } from '../../support/byte-writer.js'
import { richObject, richTarget } from '../../support/corpus.js'
import { refusal, relocateSteps } from '../../support/scenario.js'

const asm = assembler('little')

function relocateRich (byteOrder: ByteOrder) {
  const object = richObject(byteOrder)
  const relocation = relocate(object.bytes, parseBtf(richTarget(byteOrder).bytes()))
  if (relocation.patches === undefined) throw new Error('the object was not relocated')
  return { object, patches: relocation.patches, relocation }
}

/** Structs of ints, 4 bytes each. */
function structs (...layout: ReadonlyArray<readonly [name: string, members: readonly string[]]>) {
  const b = btf()
  const { int } = integers(b)
  const ids = layout.map(([name, members]) => b.struct(name, members.length * 4, members.map((member, i) => at(member, i * 4, int))))
  return { b, ids }
}

describe.each(BYTE_ORDERS)('the patches of a %s-endian object', (byteOrder) => {
  it('are in the order of the file, 8 bytes each, and each changes something', () => {
    const { object, patches } = relocateRich(byteOrder)
    const offsets = [...patches.offsets]
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b))
    for (const { offset, before, after } of listPatches(patches)) {
      expect(toHex(before)).toBe(toHex(object.bytes.subarray(offset, offset + 8)))
      expect(toHex(after)).not.toBe(toHex(before))
    }
  })

  it('empty the CO-RE part with a patch of its own', () => {
    const { object, patches } = relocateRich(byteOrder)
    const last = listPatches(patches).find(({ offset }) => offset === object.coreReloLenOffset - 4)
    expect(last?.after.subarray(0, 4)).toEqual(last?.before.subarray(0, 4))
    expect([...last?.after.subarray(4) ?? []]).toEqual([0, 0, 0, 0])
  })

  it('leave nothing to patch for the kernel in what they make', () => {
    const { object, patches } = relocateRich(byteOrder)
    const again = relocate(applyPatches(object.bytes, patches), parseBtf(richTarget(byteOrder).bytes()))
    expect(again.patches?.offsets).toHaveLength(0)
  })

  it('fit no other object', () => {
    const { object, patches } = relocateRich(byteOrder)
    const other = object.bytes.slice()
    const offset = patches.offsets[1] ?? 0
    other[offset + 7] = 0x5a
    expect(refusal('object_invalid', () => applyPatches(other, patches)).details).toEqual({ offset })
    refusal('object_invalid', () => applyPatches(object.bytes.subarray(0, 64), patches))
  })
})

it('makes the result in the memory that the caller gives', () => {
  const { object, patches } = relocateRich('little')
  const shared = applyPatches(object.bytes, patches, length => new Uint8Array(new SharedArrayBuffer(length)))
  expect(shared.buffer).toBeInstanceOf(SharedArrayBuffer)
  expect(Buffer.from(shared).equals(applyPatches(object.bytes, patches))).toBe(true)
})

describe('what a record matched', () => {
  it('is told by type ids and members on both sides', () => {
    const local = structs(['foo', ['b']])
    const target = structs(['other', ['x']], ['foo', ['a', 'b']])
    const { record } = relocateSteps({
      local: local.b, target: target.b, steps: [{ kind: 'byte_off', type: local.ids[0] ?? 0, access: '0:0' }]
    })
    expect(record(0).resolution).toMatchObject({
      local: { rootId: local.ids[0], accessors: [{ index: 0 }, { typeId: local.ids[0], index: 0 }], bitOffset: 0 },
      matched: { rootId: target.ids[1], accessors: [{ index: 0 }, { typeId: target.ids[1], index: 1 }], bitOffset: 32 },
      candidates: [{ id: target.ids[1] }],
      pruned: []
    })
  })

  it('is one thing for equal records, and another once the candidates are fewer', () => {
    const local = structs(['foo', ['x', 'b']])
    const target = structs(['foo', ['a', 'b']], ['foo___2', ['b', 'x']], ['foo___3', ['b', 'x']])
    const [foo = 0] = local.ids
    const exists = { kind: 'type_exists', type: foo, was: 1 } as const
    const { record } = relocateSteps({
      local: local.b, target: target.b, steps: [exists, exists, { kind: 'byte_off', type: foo, access: '0:0' }, exists, exists]
    })
    expect(record(1).resolution).toBe(record(0).resolution)
    expect(record(3).resolution).not.toBe(record(0).resolution)
    expect(record(4).resolution).toBe(record(3).resolution)
    expect(record(3).resolution?.candidates).toHaveLength(2)
  })

  it('names the record that ruled a type out, where a later one would have needed it', () => {
    const local = structs(['e1000_adapter', ['gotcl_old', 'ptp_delta']])
    const target = structs(['e1000_adapter', ['gotcl_old']], ['e1000_adapter', ['ptp_delta']])
    const [adapter = 0] = local.ids
    const { record, outcomes } = relocateSteps({
      local: local.b,
      target: target.b,
      steps: [
        { kind: 'type_exists', type: adapter, was: 1 }, { kind: 'byte_off', type: adapter, access: '0:0' },
        { kind: 'byte_off', type: adapter, access: '0:1', was: 4 }
      ]
    })
    expect(outcomes).toEqual(['resolved 1', 'resolved 0', 'poisoned'])
    expect(record(2)).toMatchObject({
      reason: null,
      resolution: { matched: undefined, candidates: [{ id: target.ids[0] }], pruned: [{ candidate: { id: target.ids[1] }, by: 1 }] }
    })
  })

  it('is not lost where libbpf refuses: the access is there, without a value', () => {
    const local = structs(['foo', ['b']])
    const target = structs(['foo', ['b']], ['foo___2', ['a', 'b']])
    const { record } = relocateSteps({
      local: local.b, target: target.b, steps: [{ kind: 'byte_off', type: local.ids[0] ?? 0, access: '0:0', insn: asm.ldx('w', 1, 2, 0) }]
    })
    expect(record(0)).toMatchObject({
      status: 'failed',
      reason: 'ambiguous',
      resolution: { local: { rootId: local.ids[0] }, matched: undefined, value: undefined, candidates: target.ids.map(id => ({ id })) }
    })
  })
})
