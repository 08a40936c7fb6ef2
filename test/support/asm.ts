import { ByteWriter, concat, type ByteOrder } from './byte-writer.js'

export type AccessSize = 'b' | 'h' | 'w' | 'dw'

const SIZE_BITS: Record<AccessSize, number> = { w: 0x00, h: 0x08, b: 0x10, dw: 0x18 }
const CLASS = { LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const
const MODE = { ABS: 0x20, MEM: 0x60, MEMSX: 0x80, ATOMIC: 0xc0 } as const
const ALU = {
  ADD: 0x00, SUB: 0x10, MUL: 0x20, DIV: 0x30, OR: 0x40, AND: 0x50, LSH: 0x60, RSH: 0x70, XOR: 0xa0, MOV: 0xb0, ARSH: 0xc0, END: 0xd0
} as const
const SOURCE_X = 0x08

export type AluOperation = keyof typeof ALU

/** Encodes one eBPF instruction slot. `imm` may be signed or unsigned. */
export function encode (byteOrder: ByteOrder, opcode: number, dst: number, src: number, off: number, imm: number): Uint8Array {
  const registers = byteOrder === 'little' ? (src << 4) | dst : (dst << 4) | src
  return new ByteWriter(byteOrder).u8(opcode).u8(registers).u16(off).u32(imm).finish()
}

/** Instruction encoders for one byte order, named after the BPF mnemonics. */
export function assembler (byteOrder: ByteOrder) {
  const slot = (opcode: number, dst = 0, src = 0, off = 0, imm = 0) => encode(byteOrder, opcode, dst, src, off, imm)
  return {
    slot,
    ldx: (size: AccessSize, dst: number, src: number, off: number) => slot(CLASS.LDX | MODE.MEM | SIZE_BITS[size], dst, src, off),
    ldxSigned: (size: AccessSize, dst: number, src: number, off: number) => slot(CLASS.LDX | MODE.MEMSX | SIZE_BITS[size], dst, src, off),
    st: (size: AccessSize, dst: number, off: number, imm: number) => slot(CLASS.ST | MODE.MEM | SIZE_BITS[size], dst, 0, off, imm),
    stx: (size: AccessSize, dst: number, src: number, off: number) => slot(CLASS.STX | MODE.MEM | SIZE_BITS[size], dst, src, off),
    atomic: (size: AccessSize, dst: number, src: number, off: number, imm = 0) =>
      slot(CLASS.STX | MODE.ATOMIC | SIZE_BITS[size], dst, src, off, imm),
    ldAbs: (size: AccessSize, imm: number) => slot(MODE.ABS | SIZE_BITS[size], 0, 0, 0, imm),
    ldImm64: (dst: number, value: number | bigint, src = 0) => {
      const wide = BigInt.asUintN(64, BigInt(value))
      return concat(slot(0x18, dst, src, 0, Number(wide & 0xffffffffn)), slot(0, 0, 0, 0, Number(wide >> 32n)))
    },
    mov: (dst: number, imm: number) => slot(CLASS.ALU64 | ALU.MOV, dst, 0, 0, imm),
    mov32: (dst: number, imm: number) => slot(CLASS.ALU | ALU.MOV, dst, 0, 0, imm),
    movReg: (dst: number, src: number) => slot(CLASS.ALU64 | ALU.MOV | SOURCE_X, dst, src),
    add: (dst: number, imm: number) => slot(CLASS.ALU64 | ALU.ADD, dst, 0, 0, imm),
    addReg: (dst: number, src: number) => slot(CLASS.ALU64 | ALU.ADD | SOURCE_X, dst, src),
    alu: (operation: AluOperation, dst: number, imm: number) => slot(CLASS.ALU64 | ALU[operation], dst, 0, 0, imm),
    alu32: (operation: AluOperation, dst: number, imm: number) => slot(CLASS.ALU | ALU[operation], dst, 0, 0, imm),
    toLittleEndian: (dst: number, bits: number) => slot(CLASS.ALU | ALU.END, dst, 0, 0, bits),
    toBigEndian: (dst: number, bits: number) => slot(CLASS.ALU | ALU.END | SOURCE_X, dst, 0, 0, bits),
    byteSwap: (dst: number, bits: number) => slot(CLASS.ALU64 | ALU.END, dst, 0, 0, bits),
    call: (helper: number) => slot(0x85, 0, 0, 0, helper),
    exit: () => slot(0x95),
    ja: (off: number) => slot(0x05, 0, 0, off),
    jeq: (dst: number, imm: number, off: number) => slot(0x15, dst, 0, off, imm),
    jeq32: (dst: number, imm: number, off: number) => slot(0x16, dst, 0, off, imm)
  }
}

/** What libbpf writes over an instruction that has no value: a call of a helper that does not exist. */
export function poison (byteOrder: ByteOrder): Uint8Array {
  return Uint8Array.from(byteOrder === 'little'
    ? [0x85, 0, 0, 0, 0x10, 0x23, 0xad, 0x0b]
    : [0x85, 0, 0, 0, 0x0b, 0xad, 0x23, 0x10])
}

export interface Slot {
  readonly opcode: number
  readonly registers: number
  readonly off: number
  readonly imm: number
}

/** One slot with `off` and `imm` read as signed numbers. */
export function decode (byteOrder: ByteOrder, bytes: Uint8Array, offset = 0): Slot {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 8)
  const little = byteOrder === 'little'
  return { opcode: view.getUint8(0), registers: view.getUint8(1), off: view.getInt16(2, little), imm: view.getInt32(4, little) }
}

/** The 64-bit immediate of a two-slot load, unsigned. */
export function decodeImm64 (byteOrder: ByteOrder, bytes: Uint8Array): bigint {
  const low = BigInt.asUintN(32, BigInt(decode(byteOrder, bytes).imm))
  const high = BigInt.asUintN(32, BigInt(decode(byteOrder, bytes, 8).imm))
  return (high << 32n) | low
}
