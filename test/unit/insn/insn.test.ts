import { describe, expect, it } from 'vitest'
import { readInsn, writeInsn } from '../../../src/insn/insn.js'
import { accessSize, BpfClass, classOf, isSubprogramCall, sizeBits } from '../../../src/insn/opcodes.js'
import { assembler, type AccessSize } from '../../support/asm.js'
import { BYTE_ORDERS, concat, fromHex, toHex } from '../../support/byte-writer.js'

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

describe('instruction slots', () => {
  it.each([
    ['little', '61 13 f0 04 00 00 00 80', { code: 0x61, dst: 3, src: 1, off: 0x4f0, imm: -0x80000000 }],
    ['big', '61 31 04 f0 80 00 00 00', { code: 0x61, dst: 3, src: 1, off: 0x4f0, imm: -0x80000000 }],
    ['little', '7b a9 f8 ff ff ff ff ff', { code: 0x7b, dst: 9, src: 10, off: -8, imm: -1 }],
    ['big', '7b 9a ff f8 ff ff ff ff', { code: 0x7b, dst: 9, src: 10, off: -8, imm: -1 }]
  ] as const)('in %s-endian order: %s', (byteOrder, hex, insn) => {
    const bytes = fromHex(hex)
    expect(readInsn(view(bytes), 0, byteOrder === 'little')).toEqual(insn)
    const written = new Uint8Array(8)
    writeInsn(view(written), 0, byteOrder === 'little', insn)
    expect(toHex(written)).toBe(hex)
  })

  it.each(BYTE_ORDERS)('read what an assembler wrote, at any offset (%s-endian)', (byteOrder) => {
    const asm = assembler(byteOrder)
    const bytes = concat(asm.mov(1, 7), asm.stx('h', 9, 4, -512), asm.exit())
    expect(readInsn(view(bytes), 8, byteOrder === 'little')).toEqual({ code: 0x6b, dst: 9, src: 4, off: -512, imm: 0 })
  })
})

describe('opcodes', () => {
  const asm = assembler('little')
  const opcode = (insn: Uint8Array) => insn[0] ?? -1

  it('tell their class', () => {
    expect([
      asm.ldImm64(1, 1), asm.ldx('w', 1, 2, 0), asm.st('w', 1, 0, 0), asm.stx('w', 1, 2, 0), asm.mov32(1, 1), asm.ja(1), asm.jeq32(1, 0, 0),
      asm.mov(1, 1)
    ].map(opcode).map(classOf))
      .toEqual([BpfClass.LD, BpfClass.LDX, BpfClass.ST, BpfClass.STX, BpfClass.ALU, BpfClass.JMP, BpfClass.JMP32, BpfClass.ALU64])
  })

  it.each([
    ['b', 1], ['h', 2], ['w', 4], ['dw', 8]
  ] as ReadonlyArray<readonly [AccessSize, number]>)('tell that %s accesses %i bytes, and back', (size, bytes) => {
    for (const insn of [
      asm.ldx(size, 1, 2, 0), asm.ldxSigned(size, 1, 2, 0), asm.st(size, 1, 0, 0), asm.stx(size, 1, 2, 0), asm.atomic(size, 1, 2, 0)
    ]) {
      expect(accessSize(opcode(insn))).toBe(bytes)
      expect(opcode(insn) & 0x18).toBe(sizeBits(bytes))
    }
  })

  it('have no size bits for other widths', () => {
    for (const bytes of [0, 3, 5, 16, -1]) expect(sizeBits(bytes)).toBeUndefined()
  })

  it('tell calls within the object from calls of helpers', () => {
    expect(isSubprogramCall({ code: 0x85, src: 1 })).toBe(true)
    expect(isSubprogramCall({ code: 0x85, src: 0 })).toBe(false)
    expect(isSubprogramCall({ code: 0x95, src: 1 })).toBe(false)
  })
})
