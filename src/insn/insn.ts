/**
 * One instruction slot.
 *
 *     struct bpf_insn { __u8 code; __u8 dst_reg:4, src_reg:4; __s16 off; __s32 imm; };
 *
 * off and imm are in the object's byte order. The register byte keeps dst in the low nibble in little-endian objects and in
 * the high one in big-endian objects.
 */
export const BPF_INSN = { code: 0, regs: 1, off: 2, imm: 4, SIZE: 8 } as const

export interface Insn {
  readonly code: number
  readonly dst: number
  readonly src: number
  readonly off: number
  readonly imm: number
}

/** Reads the slot at a byte offset of `view`. */
export function readInsn (view: DataView, offset: number, littleEndian: boolean): Insn {
  const regs = view.getUint8(offset + BPF_INSN.regs)
  return {
    code: view.getUint8(offset + BPF_INSN.code),
    dst: littleEndian ? regs & 0xf : regs >> 4,
    src: littleEndian ? regs >> 4 : regs & 0xf,
    off: view.getInt16(offset + BPF_INSN.off, littleEndian),
    imm: view.getInt32(offset + BPF_INSN.imm, littleEndian)
  }
}

export function writeInsn (view: DataView, offset: number, littleEndian: boolean, insn: Insn): void {
  view.setUint8(offset + BPF_INSN.code, insn.code)
  view.setUint8(offset + BPF_INSN.regs, littleEndian ? insn.dst | insn.src << 4 : insn.dst << 4 | insn.src)
  view.setInt16(offset + BPF_INSN.off, insn.off, littleEndian)
  view.setInt32(offset + BPF_INSN.imm, insn.imm, littleEndian)
}
