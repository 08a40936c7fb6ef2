import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBtf, parseObject } from '../../src/core/index.js'
import { AppError, type ErrorCode } from '../../src/errors.js'
import { concat, type ByteOrder } from '../support/byte-writer.js'
import { richObject, richTarget, validBtf, validObjects } from '../support/corpus.js'
import { runs } from '../support/property-runs.js'
import { checkInvariants } from '../support/scenario.js'
import { relocate } from '../support/relocate.js'

type Damage =
  | { readonly do: 'flip', readonly at: number, readonly bits: number }
  | { readonly do: 'word', readonly at: number, readonly value: number }
  | { readonly do: 'cut', readonly at: number }
  | { readonly do: 'insert', readonly at: number, readonly bytes: Uint8Array }
  | { readonly do: 'remove', readonly at: number, readonly count: number }
  | { readonly do: 'copy', readonly at: number, readonly from: number, readonly count: number }

const place = fc.nat(1_000_000)
const interesting = fc.oneof(
  fc.constantFrom(0, 1, 4, 8, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff, 0xffffff, 0x04ffffff), fc.nat(64), fc.nat(0xffffffff)
)

const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('flip' as const), at: place, bits: fc.integer({ min: 1, max: 255 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('word' as const), at: place, value: interesting }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), at: place }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('insert' as const), at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }) })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), at: place, count: fc.integer({ min: 1, max: 16 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('copy' as const), at: place, from: place, count: fc.integer({ min: 1, max: 24 }) }) }
)

const damages = fc.array(damage, { minLength: 1, maxLength: 4 })

function applyOne (whole: Uint8Array, one: Damage): Uint8Array {
  if (whole.length === 0) return whole
  const at = one.at % whole.length
  const copy = whole.slice()
  switch (one.do) {
    case 'flip':
      copy[at] = (copy[at] ?? 0) ^ one.bits
      return copy
    case 'word': {
      const word = at & ~3
      if (word + 4 <= copy.length) new DataView(copy.buffer).setUint32(word, one.value, true)
      return copy
    }
    case 'cut': return whole.slice(0, at)
    case 'insert': return concat(whole.subarray(0, at), one.bytes, whole.subarray(at))
    case 'remove': return concat(whole.subarray(0, at), whole.subarray(Math.min(whole.length, at + one.count)))
    case 'copy': {
      const from = one.from % whole.length
      copy.set(whole.subarray(from, Math.min(from + one.count, whole.length)).subarray(0, whole.length - at), at)
      return copy
    }
  }
}

function apply (bytes: Uint8Array, list: readonly Damage[]): Uint8Array {
  return list.reduce(applyOne, bytes)
}

/** Runs `action`; anything but success or an AppError of these codes fails the test. */
function onlyRefuses (codes: readonly ErrorCode[], action: () => void): void {
  try {
    action()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    expect(codes).toContain(error.code)
    expect(structuredClone(error.toJSON().details)).toEqual(error.details)
  }
}

const targets: Record<ByteOrder, ReturnType<typeof parseBtf>> = {
  little: parseBtf(richTarget('little').bytes()),
  big: parseBtf(richTarget('big').bytes())
}
const objects: Record<ByteOrder, ReturnType<typeof parseObject>> = {
  little: parseObject(richObject('little').bytes),
  big: parseObject(richObject('big').bytes)
}

describe('damaged input', () => {
  it('in objects is refused or relocated, never anything else', () => {
    fc.assert(fc.property(fc.constantFrom(...validObjects()), damages, ({ object }, list) => {
      const bytes = apply(object.bytes, list)
      const before = bytes.slice()
      onlyRefuses(['object_invalid', 'btf_invalid', 'relocation_failed', 'too_large'], () => {
        const relocation = relocate(bytes, targets[object.byteOrder])
        checkInvariants({ bytes }, relocation)
        if (relocation.bytes !== undefined) expect(relocate(relocation.bytes, targets[object.byteOrder]).records).toEqual([])
      })
      expect(bytes).toEqual(before)
    }), runs(40))
  })

  it('in the types and records of objects, where it hurts most', () => {
    fc.assert(fc.property(fc.constantFrom('little' as const, 'big' as const), fc.constantFrom(
      '.BTF', '.BTF.ext', '.symtab'
    ), fc.array(fc.record({ at: place, value: interesting }), { minLength: 1, maxLength: 3 }), (byteOrder, name, words) => {
      const object = richObject(byteOrder)
      const section = object.section(name)
      const bytes = object.bytes.slice()
      const view = new DataView(bytes.buffer, section.offset, section.size)
      for (const { at, value } of words) view.setUint32((at % (section.size >> 2)) * 4, value, byteOrder === 'little')
      onlyRefuses(['object_invalid', 'btf_invalid', 'relocation_failed', 'too_large'], () => {
        checkInvariants({ bytes }, relocate(bytes, targets[byteOrder]))
      })
    }), runs(40))
  })

  it('in kernel BTF is refused, or relocated against', () => {
    fc.assert(fc.property(fc.constantFrom(...validBtf()), damages, ({ name, bytes }, list) => {
      const damaged = apply(bytes, list)
      const before = damaged.slice()
      onlyRefuses(['btf_invalid', 'relocation_failed', 'too_large'], () => {
        const parsed = parseBtf(damaged)
        const object = objects[name.endsWith('big') ? 'big' : 'little']
        checkInvariants(object, relocate(object, parsed))
      })
      expect(damaged).toEqual(before)
    }), runs(40))
  })

  it('in single words of kernel types, which mostly stays well-formed', () => {
    fc.assert(fc.property(fc.constantFrom(
      'little' as const, 'big' as const
    ), fc.array(fc.record({ at: place, value: fc.oneof(interesting, fc.nat(60)) }), { minLength: 1, maxLength: 3 }), (byteOrder, words) => {
      const bytes = richTarget(byteOrder).bytes()
      const view = new DataView(bytes.buffer)
      const typeLen = view.getUint32(12, byteOrder === 'little')
      for (const { at, value } of words) view.setUint32(24 + (at % (typeLen >> 2)) * 4, value, byteOrder === 'little')
      onlyRefuses(['btf_invalid', 'relocation_failed', 'too_large'], () => {
        checkInvariants(objects[byteOrder], relocate(objects[byteOrder], parseBtf(bytes)))
      })
    }), runs(40))
  })
})
