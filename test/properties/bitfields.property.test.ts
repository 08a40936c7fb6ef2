import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assembler } from '../support/asm.js'
import { at, bitsAt, btf } from '../support/btf-builder.js'
import { BYTE_ORDERS, type ByteOrder } from '../support/byte-writer.js'
import { runs } from '../support/property-runs.js'
import { relocateSteps } from '../support/scenario.js'

/** The bits of a field, by the definition of where BTF says they are: from the low end of the bytes, or from the high end. */
function fieldBits (memory: Uint8Array, start: number, width: number, byteOrder: ByteOrder): bigint {
  let value = 0n
  for (let i = 0; i < width; i++) {
    const bit = start + i
    const byte = memory[bit >> 3] ?? 0
    if (byteOrder === 'little') value |= BigInt((byte >> (bit & 7)) & 1) << BigInt(i)
    else value = (value << 1n) | BigInt((byte >> (7 - (bit & 7))) & 1)
  }
  return value
}

function load (memory: Uint8Array, offset: number, size: number, byteOrder: ByteOrder): bigint {
  const bytes = Array.from(memory.subarray(offset, offset + size))
  if (byteOrder === 'little') bytes.reverse()
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

describe('bitfields', () => {
  it('are what a load and two shifts with the relocated numbers read', () => {
    const field = fc.record({
      size: fc.constantFrom(1, 2, 4, 8),
      signed: fc.boolean(),
      start: fc.nat(300),
      width: fc.integer({ min: 1, max: 64 }),
      memory: fc.uint8Array({ minLength: 64, maxLength: 64 }),
      byteOrder: fc.constantFrom(...BYTE_ORDERS)
    })
    fc.assert(fc.property(field, ({ size, signed, start, width, memory, byteOrder }) => {
      const local = btf({ byteOrder })
      const type = local.struct('s', 8, [at('f', 0, local.int('int', 4))])
      const target = btf({ byteOrder })
      target.struct('s', 64, [bitsAt('f', start, width, target.int('t', size, { signed }))])
      const asm = assembler(byteOrder)
      const { relocation, outcomes } = relocateSteps({
        local,
        target,
        steps: [
          { kind: 'byte_off', type, access: '0:0', was: 0 },
          { kind: 'byte_sz', type, access: '0:0', was: 4 },
          { kind: 'lshift_u64', type, access: '0:0', insn: asm.mov(1, 32) },
          { kind: 'rshift_u64', type, access: '0:0', insn: asm.mov(1, 32) },
          { kind: 'signed', type, access: '0:0', was: 0 }
        ]
      })
      if (!relocation.ok) {
        const crossesEightBytes = Math.floor(start / 64) !== Math.floor((start + width - 1) / 64)
        expect(outcomes).toEqual(Array(5).fill('failed E2BIG'))
        expect(crossesEightBytes).toBe(true)
        return
      }
      const [offset, bytes, left, right, sign] = relocation.records.map(record => Number(record.newValue))
      expect([1, 2, 4, 8]).toContain(bytes)
      expect((offset ?? NaN) % (bytes ?? NaN)).toBe(0)
      const shifted = BigInt.asUintN(64, load(memory, offset ?? 0, bytes ?? 0, byteOrder) << BigInt(left ?? 0))
      const wanted = fieldBits(memory, start, width, byteOrder)
      expect(shifted >> BigInt(right ?? 0)).toBe(wanted)
      expect(sign).toBe(Number(signed))
    }), runs(100))
  })
})
