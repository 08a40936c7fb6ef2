import { isEnum, kindFlagOf, kindOf, memberType } from '../../btf/btf.js'
import { strip } from '../../btf/resolve.js'
import { describeAccess } from '../../core/describe.js'
import { CoreReloKind } from '../../core/kinds.js'
import type { RecordOutcome } from '../../core/outcome.js'
import type { Resolution } from '../../core/resolution.js'
import { BpfClass, classOf } from '../../insn/opcodes.js'
import type { ReasonContext } from './context.js'
import { bothSigns, heldValue, instructionOf } from './instruction.js'
import type { Explanation } from './reason.js'

/** The largest offset that a load or store has room for. */
const MAX_OFFSET = 0x7fffn

/** The instruction does not hold what the object's own types say: what it holds, and why, where that can be told. */
export function explainMismatch (record: RecordOutcome, resolution: Resolution, context: ReasonContext): Explanation | undefined {
  const expected = resolution.value?.local.value
  const held = heldValue(context.object, record)
  if (expected === undefined || held === undefined) return undefined
  return {
    reason: 'value_mismatch',
    detail: `The instruction holds ${bothSigns(held)} where the object's own types say ${bothSigns(expected)} ` +
      `for ${describeAccess(resolution.local)}. ${causeOf(record, resolution, held, expected, context)}`,
    suggestions: []
  }
}

function causeOf (record: RecordOutcome, { local }: Resolution, held: bigint, expected: bigint, { object, work }: ReasonContext): string {
  if (held === expected) return 'Another relocation of the same instruction changed it.'
  const insn = instructionOf(object, record)
  const isAccess = insn !== undefined && [BpfClass.LDX, BpfClass.ST, BpfClass.STX].some(accessing => classOf(insn.code) === accessing)
  const isCut = expected > MAX_OFFSET && BigInt.asIntN(16, expected) === BigInt.asIntN(64, held)
  if (local.kind === CoreReloKind.FIELD_BYTE_OFFSET && isAccess && isCut) {
    return `The compiler cut the offset to 16 bits: a load or store reaches ${MAX_OFFSET} at most. ` +
      'Declare the struct in the program without what lies before the field, since CO-RE needs only the name.'
  }
  const last = local.accessors.at(-1)
  if (local.kind === CoreReloKind.FIELD_SIGNED && last?.name !== undefined && held === 1n && expected === 0n) {
    const type = strip(local.btf, memberType(local.btf, last.typeId, last.index), work)
    if (isEnum(kindOf(local.btf, type)) && !kindFlagOf(local.btf, type)) {
      return 'clang 14 and older say "signed" of such an enum here and leave it out of its BTF. ' +
        'Compile with clang 15 or newer, or declare the field as an int.'
    }
  }
  if (local.kind === CoreReloKind.ENUMVAL_VALUE && BigInt.asUintN(32, held) === BigInt.asUintN(32, expected)) {
    return 'The compiler takes the enumerator as unsigned, libbpf reads all 32-bit enumerators as signed, ' +
      'so that none of 2147483648 and more can be relocated. ' +
      'Give the enum an enumerator that needs 64 bits, or use a constant.'
  }
  return 'The object was changed after it was compiled, or is relocated already.'
}
