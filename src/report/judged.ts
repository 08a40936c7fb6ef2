import type { Btf } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { findCandidates, nameBytesOf } from '../btf/find.js'
import { newWork } from '../btf/work.js'
import { dataView } from '../bytes/checked.js'
import { BPF_INSN, writeInsn } from '../insn/insn.js'
import { BPF_CALL } from '../insn/opcodes.js'
import type { BpfObject } from '../core/object.js'
import type { RecordOutcome, Relocation } from '../core/outcome.js'
import { PATCH_SIZE, type Patches } from '../core/patches.js'
import { POISON_IMM } from '../core/patch.js'
import { judge, type JudgeOptions, type Judgement } from '../verdict/index.js'
import { LIMITS } from '../limits.js'
import { hasUnknownOpcode } from './reasons/remarks.js'

/**
 * The verdict about a relocation. An instruction that got a size which the verifier does not know is refused where it is
 * reached, as a poisoned one is; so it is judged as one.
 */
export function judgeRelocation (object: BpfObject, relocation: Relocation, options: JudgeOptions = {}): Judgement {
  if (relocation.patches === undefined || !hasUnknownOpcodes(object, relocation)) return judge(object, relocation, options)
  const bad = new Set(relocation.records.filter(record => hasUnknownOpcode(record, object)))
  return judge(object, {
    ...relocation,
    patches: poisoned(object, relocation.patches, bad),
    records: relocation.records.map(record => bad.has(record) ? { ...record, status: 'poisoned', newValue: null } : record),
    counts: { ...relocation.counts, resolved: relocation.counts.resolved - bad.size, poisoned: relocation.counts.poisoned + bad.size }
  }, options)
}

/** Whether some instruction got a size with which no verifier knows it. */
function hasUnknownOpcodes (object: BpfObject, { records }: Relocation): boolean {
  return records.some(record => hasUnknownOpcode(record, object))
}

/**
 * Whether a kernel has a function or variable, by its BTF. Not to be found there says nothing: modules that were not asked with
 * have more. Each name is searched once.
 */
export function kernelSymbols (btfs: readonly Btf[]): (name: string) => boolean | undefined {
  const known = new Map<string, boolean | undefined>()
  return name => {
    if (!known.has(name)) known.set(name, btfs.some(btf => hasSymbol(btf, name)) ? true : undefined)
    return known.get(name)
  }
}

type HasKernelSymbol = ReturnType<typeof kernelSymbols>

/** The same question, and whether it has been asked: of what is in BTF by name, layouts of types say nothing. */
export function noteAsked (has: HasKernelSymbol): { readonly has: HasKernelSymbol, readonly wasAsked: () => boolean } {
  let wasAsked = false
  return {
    has (name) {
      wasAsked = true
      return has(name)
    },
    wasAsked: () => wasAsked
  }
}

function hasSymbol (btf: Btf, name: string): boolean {
  const wanted = nameBytesOf(name)
  return SYMBOL_KINDS.some(kind => findCandidates(btf, kind, wanted, btf.base !== undefined, newWork(MAX_STEPS)).length > 0)
}

const SYMBOL_KINDS = [BtfKind.FUNC, BtfKind.VAR]
/** Enough for a pass over the largest BTF. */
const MAX_STEPS = LIMITS.btfTypes

function poisoned (object: BpfObject, patches: Patches, records: ReadonlySet<RecordOutcome>): Patches {
  const after = patches.after.slice()
  const view = dataView(after)
  const offsets = new Set([...records].flatMap(({ fn, insnOff }) => fn === undefined ? [] : [fn.section.offset + insnOff]))
  patches.offsets.forEach((offset, i) => {
    if (offsets.has(offset) && PATCH_SIZE === BPF_INSN.SIZE) {
      const poison = { code: BPF_CALL, dst: 0, src: 0, off: 0, imm: POISON_IMM }
      writeInsn(view, i * PATCH_SIZE, object.elf.littleEndian, poison)
    }
  })
  return { ...patches, after }
}
