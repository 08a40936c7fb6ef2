import type { ByteOrder } from '../bytes/byte-order.js'
import { sourceLines } from '../btf/line-info.js'
import { newWork } from '../btf/work.js'
import { symbolsReferencedBy, type ElfFunction } from '../elf/functions.js'
import { BPF_INSN, readInsn } from '../insn/insn.js'
import { isSubprogramCall } from '../insn/opcodes.js'
import { describeRecord } from './describe.js'
import type { DescribedProgram, DescribedRelocation } from './described.js'
import { explainOutcome, type Explanation } from './explain.js'
import { kernelBtfNeeds } from './kernel-btf.js'
import type { BpfObject } from './object.js'
import type { OutcomeCounts, RecordOutcome, RecordStatus, Relocation, Warning } from './outcome.js'
import type { Resolution } from './resolution.js'

/** A u64 in JSON: a number where JavaScript holds it exactly, otherwise its decimal digits. */
export type JsonU64 = number | string

/**
 * Whether the kernel's verifier will take a program as far as relocation goes: `loads` when nothing was poisoned, `fails` when
 * a poisoned instruction can be reached, `unknown` when that cannot be told.
 */
export type Verdict = 'loads' | 'fails' | 'unknown'

/** The part of the report that follows from the object and the BTF alone; the service adds hashes, the kernel and the engine. */
export interface RelocationReport {
  readonly byte_order: ByteOrder
  readonly changed_instructions: number
  readonly verdict: Verdict
  readonly counts: OutcomeCounts
  readonly programs: readonly ReportProgram[]
  readonly relocations: readonly ReportRelocation[]
  readonly warnings: readonly Warning[]
}

export interface ReportProgram extends DescribedProgram {
  readonly verdict: Verdict
  /** Why the verdict is what it is, where it is not `loads`. */
  readonly verdict_reason: string | null
}

export interface ReportRelocation extends DescribedRelocation {
  readonly program: string
  readonly status: RecordStatus
  /** Whether a poisoned instruction can be reached; null where that is not known, or where nothing is poisoned. */
  readonly reachable: boolean | null
  readonly old: JsonU64
  readonly new: JsonU64 | null
  readonly reason: string | null
  readonly detail: string | null
  readonly suggestions: readonly string[]
}

/** Puts a relocation's outcome into the words of the program's source. Pure; costs about as much as the relocation. */
export function describeRelocation (object: BpfObject, relocation: Relocation): RelocationReport {
  const lineOf = sourceLines(object.ext, object.btf)
  const needsOf = kernelBtfNeeds(object)
  const verdicts = programVerdicts(object, relocation)
  const explain = explanations(relocation)
  return {
    byte_order: object.elf.byteOrder,
    changed_instructions: relocation.changedInstructions,
    verdict: overallVerdict(relocation),
    counts: relocation.counts,
    programs: object.elf.functions.map(fn => ({
      name: fn.name,
      section: fn.section.name,
      ...verdicts(fn),
      needs_kernel_btf: needsOf(fn),
      relocations: relocation.records.filter(record => record.fn === fn).length
    })),
    relocations: relocation.records.map(record => ({
      program: record.program,
      section: record.section,
      instruction: record.instruction,
      kind: record.kind,
      ...describeRecord(object.btf, record),
      access_spec: record.accessSpec,
      source: lineOf(record.section, record.insnOff) ?? null,
      status: record.status,
      reachable: null,
      old: toJson(record.oldValue),
      new: record.newValue === null ? null : toJson(record.newValue),
      ...explain(record),
      suggestions: []
    })),
    warnings: relocation.warnings
  }
}

/** Reasons on a budget of their own. Equal records have one resolution, and one explanation. */
function explanations ({ target }: Relocation): (record: RecordOutcome) => Pick<ReportRelocation, 'reason' | 'detail'> {
  const work = newWork()
  const known = new Map<Resolution, Explanation | undefined>()
  return record => {
    const { resolution, reason, detail } = record
    if (reason !== null || resolution === undefined || (resolution.matched !== undefined && record.status !== 'poisoned')) return { reason, detail }
    if (!known.has(resolution)) known.set(resolution, explainOutcome(record, target, work))
    const found = known.get(resolution)
    return { reason: found?.reason ?? null, detail: found?.detail ?? null }
  }
}

/** The verdict over all programs. Until reachability is known, a poisoned instruction leaves it open. */
export function overallVerdict (relocation: Relocation): Verdict {
  if (relocation.counts.failed > 0) return 'fails'
  return relocation.counts.poisoned > 0 ? 'unknown' : 'loads'
}

function programVerdicts (object: BpfObject, relocation: Relocation): (fn: ElfFunction) => Pick<ReportProgram, 'verdict' | 'verdict_reason'> {
  const poisoned = new Set(relocation.records.filter(isPoisoned).map(record => record.fn))
  const hasPoisonedSubprogram = [...poisoned].some(fn => fn?.section.name === '.text')
  return fn => {
    if (poisoned.has(fn)) {
      return { verdict: 'unknown', verdict_reason: 'It has a poisoned instruction; whether that can be reached is not known.' }
    }
    if (hasPoisonedSubprogram && callsSubprogram(object, fn)) {
      return { verdict: 'unknown', verdict_reason: 'It calls functions of .text, one of which has a poisoned instruction; whether that can be reached is not known.' }
    }
    return { verdict: 'loads', verdict_reason: null }
  }
}

function isPoisoned (record: RecordOutcome): boolean { return record.status === 'poisoned' }

/** Calls within one section are in the instruction; calls into .text, and callbacks that live there, are ELF relocations. */
function callsSubprogram (object: BpfObject, fn: ElfFunction): boolean {
  const refersToText = symbolsReferencedBy(object.elf, fn).some(symbol => object.elf.sections[symbol.sectionIndex]?.name === '.text')
  if (refersToText) return true
  for (let at = fn.start; at < fn.start + fn.size; at += BPF_INSN.SIZE) {
    if (isSubprogramCall(readInsn(object.elf.view, fn.section.offset + at, object.elf.littleEndian))) return true
  }
  return false
}

function toJson (value: bigint): JsonU64 {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString()
}
