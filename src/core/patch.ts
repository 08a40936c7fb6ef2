import { accessSize, BPF_CALL, BPF_LD_IMM64, BPF_X, BpfClass, classOf, sizeBits } from '../insn/opcodes.js'
import { BPF_INSN, readInsn, writeInsn, type Insn } from '../insn/insn.js'
import { fault } from './fault.js'
import type { ReloValue } from './values.js'

/**
 * libbpf's mark on an instruction that has no value: a call of helper 0xbad2310 ("bad relo"), which the verifier refuses where it
 * can be reached.
 */
export const POISON_IMM = 195_896_080

/** The instructions of one section, which patching rewrites. Offsets are in bytes. */
export interface Code {
  readonly view: DataView
  readonly littleEndian: boolean
}

/** What patching did to the instruction. */
export type PatchResult = 'patched' | 'poisoned'

/**
 * Writes a relocation's value into its instruction: libbpf's bpf_core_patch_insn, in its order of checks.
 *
 * @param offset byte offset of the instruction in the view
 * @param end byte offset of the end of its function: the second slot of a 64-bit load must lie before it
 * @throws AppError `relocation_failed` where the instruction does not hold the expected value or cannot take the new one
 */
export function patchInsn (code: Code, offset: number, end: number, value: ReloValue): PatchResult {
  const insn = readInsn(code.view, offset, code.littleEndian)
  if (value.target === undefined) {
    poison(code, offset, end)
    return 'poisoned'
  }
  const newValue = value.target.value
  switch (classOf(insn.code)) {
    case BpfClass.ALU: case BpfClass.ALU64:
      if ((insn.code & BPF_X) !== 0) {
        throw fault(
          'EINVAL',
          'instruction_unsupported',
          'The instruction takes its operand from a register, so it has no immediate to patch.'
        )
      }
      expectValue(value, BigInt.asUintN(64, BigInt(insn.imm)))
      writeInsn(code.view, offset, code.littleEndian, { ...insn, imm: Number(BigInt.asIntN(32, newValue)) })
      return 'patched'
    case BpfClass.LDX: case BpfClass.ST: case BpfClass.STX:
      return patchAccess(code, offset, end, insn, value, newValue)
    case BpfClass.LD:
      patchLoadImmediate(code, offset, end, insn, value, newValue)
      return 'patched'
    default:
      throw fault(
        'EINVAL',
        'instruction_unsupported',
        `The instruction (opcode 0x${insn.code.toString(16)}) is a jump or a call, which no relocation can patch.`
      )
  }
}

/** Turns the instruction, and the second slot of a 64-bit load, into invalid calls. */
export function poison (code: Code, offset: number, end: number): void {
  const call: Insn = { code: BPF_CALL, dst: 0, src: 0, off: 0, imm: POISON_IMM }
  if (code.view.getUint8(offset + BPF_INSN.code) === BPF_LD_IMM64) {
    requireSecondSlot(offset, end)
    writeInsn(code.view, offset + BPF_INSN.SIZE, code.littleEndian, call)
  }
  writeInsn(code.view, offset, code.littleEndian, call)
}

function patchAccess (code: Code, offset: number, end: number, insn: Insn, value: ReloValue, newValue: bigint): PatchResult {
  expectValue(value, BigInt.asUintN(64, BigInt(insn.off)))
  if (newValue > 0x7fffn) {
    throw fault(
      'ERANGE',
      'value_too_big',
      `The field is at offset ${newValue} in this kernel; a load or store reaches 32767 at most.`
    )
  }
  if (value.isAccessUnsafe) {
    poison(code, offset, end)
    return 'poisoned'
  }
  const localSize = value.local.fieldSize
  const targetSize = value.target?.fieldSize ?? localSize
  let opcode = insn.code
  if (targetSize !== localSize) {
    if (accessSize(insn.code) !== localSize) {
      throw fault(
        'EINVAL',
        'access_size_mismatch',
        `The instruction accesses ${accessSize(insn.code)} bytes of a field of ${localSize}, which has ${targetSize} ` +
        'in this kernel; libbpf refuses to resize it.'
      )
    }
    const bits = sizeBits(targetSize)
    if (bits === undefined) {
      throw fault(
        'EINVAL',
        'access_size_mismatch',
        `The field has ${targetSize} bytes in this kernel, which no single load or store accesses.`
      )
    }
    opcode = (insn.code & 0xe7) | bits
  }
  writeInsn(code.view, offset, code.littleEndian, { ...insn, code: opcode, off: Number(newValue) })
  return 'patched'
}

function patchLoadImmediate (code: Code, offset: number, end: number, insn: Insn, value: ReloValue, newValue: bigint): void {
  const isLoad = insn.code === BPF_LD_IMM64 && insn.src === 0 && insn.off === 0
  if (isLoad) requireSecondSlot(offset, end)
  const second = isLoad ? readInsn(code.view, offset + BPF_INSN.SIZE, code.littleEndian) : undefined
  if (second === undefined || second.code !== 0 || second.dst !== 0 || second.src !== 0 || second.off !== 0) {
    throw fault(
      'EINVAL',
      'instruction_unsupported',
      `The instruction (opcode 0x${insn.code.toString(16)}) is no plain 64-bit immediate load.`
    )
  }
  expectValue(value, BigInt.asUintN(64, BigInt(second.imm) << 32n | BigInt(insn.imm >>> 0)))
  writeInsn(code.view, offset, code.littleEndian, { ...insn, imm: Number(BigInt.asIntN(32, newValue)) })
  writeInsn(code.view, offset + BPF_INSN.SIZE, code.littleEndian, { ...second, imm: Number(BigInt.asIntN(32, newValue >> 32n)) })
}

/** libbpf reads past the program here; we refuse. */
function requireSecondSlot (offset: number, end: number): void {
  if (offset + 2 * BPF_INSN.SIZE > end) {
    throw fault('EINVAL', 'insn_truncated', 'The 64-bit load is the last slot of its function; its second half is missing.')
  }
}

function expectValue (value: ReloValue, found: bigint): void {
  if (value.local.validate && found !== value.local.value) {
    throw fault(
      'EINVAL',
      'value_mismatch',
      `The instruction holds ${found} where the object's own types say ${value.local.value}; ` +
      'the object was changed after compilation, or was relocated before. Relocate the object that the compiler wrote.'
    )
  }
}
