import { memberBitfieldSize } from '../../btf/btf.js'
import { CoreReloKind } from '../../core/kinds.js'
import type { BpfObject } from '../../core/object.js'
import type { RecordOutcome } from '../../core/outcome.js'
import type { Spec } from '../../core/spec.js'
import { BpfClass, BpfMode, classOf, modeOf, sizeBits } from '../../insn/opcodes.js'
import { sizesOf } from './fields.js'
import { instructionOf } from './instruction.js'
import type { Explanation } from './reason.js'

/** Atomics that the verifier takes at 1 and 2 bytes too, from Linux 6.15 on. */
const LOAD_ACQUIRE = 0x100
const STORE_RELEASE = 0x110

/** Whether some record tells the place of a bitfield's bits, as BPF_CORE_READ_BITFIELD() makes the compiler do. */
export type HasShifts = (record: RecordOutcome) => boolean

/** What is wrong; what to write instead is for whoever tells it. */
export type Remark = Pick<Explanation, 'reason' | 'detail'>

/** Whether `remarkOn` could have something to say: cheap, since it is asked of every record. */
export function needsRemark ({ status, resolution }: RecordOutcome): boolean {
  if (status !== 'resolved' || resolution?.matched === undefined || resolution.local.kind !== CoreReloKind.FIELD_BYTE_OFFSET) return false
  const { value } = resolution
  return value?.target !== undefined && (value.local.fieldSize !== value.target.fieldSize || value.target.fieldSize === 0)
}

/**
 * What is wrong with a record that has a value. libbpf patches the instruction all the same, and so do we; but the verifier does
 * not know the instruction any more, or it reads something else than the program means.
 */
export function remarkOn (record: RecordOutcome, object: BpfObject, hasShifts: HasShifts): Remark | undefined {
  const { status, resolution } = record
  if (status !== 'resolved' || resolution?.matched === undefined) return undefined
  if (resolution.local.kind !== CoreReloKind.FIELD_BYTE_OFFSET) return undefined
  const { local, matched, value } = resolution
  const what = unknownOpcode(record, object)
  if (what !== undefined) {
    return {
      reason: 'opcode_invalid',
      detail: `${sizesOf(local, matched)}. libbpf gives the instruction that size, which makes it ${what}.`
    }
  }
  const bits = bitfieldBits(matched)
  if (bits === undefined || hasShifts(record)) return undefined
  const isSamePlace = bitfieldBits(local) !== undefined &&
    bitsInLoad(local, value?.local.value) === bitsInLoad(matched, value?.target?.value)
  if (isSamePlace) return undefined
  return {
    reason: 'bitfield_read_plainly',
    detail: `${sizesOf(local, matched)}. The program reads it ` +
      `${bitfieldBits(local) === undefined ? 'as a plain field' : 'at the bits that it has in the object'}, ` +
      'so that it gets a wrong value, as it would from libbpf.'
  }
}

/** Whether the instruction got a size with which no verifier knows it. */
export function hasUnknownOpcode (record: RecordOutcome, object: BpfObject): boolean {
  return needsRemark(record) && unknownOpcode(record, object) !== undefined
}

/** What a load or store is after it got another size; undefined where the verifier knows it. */
function unknownOpcode (record: RecordOutcome, object: BpfObject): string | undefined {
  const value = record.resolution?.value
  const size = value?.target?.fieldSize ?? 0
  const insn = size === value?.local.fieldSize || sizeBits(size) === undefined ? undefined : instructionOf(object, record)
  if (insn === undefined) return undefined
  const isLoad = classOf(insn.code) === BpfClass.LDX
  // Loads that extend the sign are there from cpu v4 on; those of 8 bytes have no sign to extend.
  if (isLoad && modeOf(insn.code) === BpfMode.MEMSX && size === 8) {
    return 'a sign-extending load of 8 bytes, an opcode that no verifier knows'
  }
  const isAtomic = classOf(insn.code) === BpfClass.STX && modeOf(insn.code) === BpfMode.ATOMIC &&
    insn.imm !== LOAD_ACQUIRE && insn.imm !== STORE_RELEASE
  return isAtomic && size < 4 ? `an atomic operation on ${size === 1 ? 'one byte' : `${size} bytes`}, which no verifier allows` : undefined
}

/** Width of the bitfield that an access ends in. */
function bitfieldBits ({ btf, accessors }: Spec): number | undefined {
  const last = accessors.at(-1)
  if (last?.name === undefined) return undefined
  const bits = memberBitfieldSize(btf, last.typeId, last.index)
  return bits === 0 ? undefined : bits
}

/** Which bits of what is loaded the field has. */
function bitsInLoad (spec: Spec, byteOffset: bigint | undefined): string {
  return `${spec.bitOffset - Number(byteOffset ?? 0n) * 8} ${bitfieldBits(spec) ?? 0}`
}
