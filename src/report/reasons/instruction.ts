import type { BpfObject } from '../../core/object.js'
import type { RecordOutcome } from '../../core/outcome.js'
import { BPF_INSN, readInsn, type Insn } from '../../insn/insn.js'
import { BPF_LD_IMM64, BpfClass, classOf } from '../../insn/opcodes.js'

/** The record's instruction as the compiler left it. Undefined where the record has none. */
export function instructionOf (object: BpfObject, { fn, insnOff }: RecordOutcome): Insn | undefined {
  return fn === undefined ? undefined : readInsn(object.elf.view, fn.section.offset + insnOff, object.elf.littleEndian)
}

/** The value that a relocation would replace, as u64: an immediate, or the offset of a load or store. */
export function heldValue (object: BpfObject, record: RecordOutcome): bigint | undefined {
  const insn = instructionOf(object, record)
  if (insn === undefined || record.fn === undefined) return undefined
  switch (classOf(insn.code)) {
    case BpfClass.ALU: case BpfClass.ALU64:
      return BigInt.asUintN(64, BigInt(insn.imm))
    case BpfClass.LDX: case BpfClass.ST: case BpfClass.STX:
      return BigInt.asUintN(64, BigInt(insn.off))
    case BpfClass.LD: {
      const second = record.insnOff + BPF_INSN.SIZE
      if (insn.code !== BPF_LD_IMM64 || second + BPF_INSN.SIZE > record.fn.start + record.fn.size) return undefined
      const high = readInsn(object.elf.view, record.fn.section.offset + second, object.elf.littleEndian).imm
      return BigInt.asUintN(64, BigInt(high) << 32n | BigInt(insn.imm >>> 0))
    }
    default:
      return undefined
  }
}

/** A u64 as people read it: with its signed reading, where that is another. */
export function bothSigns (value: bigint): string {
  const signed = BigInt.asIntN(64, value)
  return signed === value ? String(value) : `${value} (signed ${signed})`
}
