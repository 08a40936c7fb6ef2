import { dataView } from '../bytes/checked.js'
import { BTF_EXT_HEADER } from '../btf/layout.js'
import { findString, isValidId, textOf, typeId, type Btf, type TypeId } from '../btf/btf.js'
import { readCoreRelo, type CoreRelo } from '../btf/ext.js'
import { newWork, type Work } from '../btf/work.js'
import { relocatedOffsets, type ElfFunction } from '../elf/functions.js'
import type { ElfSection } from '../elf/sections.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { BPF_INSN } from '../insn/insn.js'
import { BPF_LD_IMM64 } from '../insn/opcodes.js'
import { searchCandidates, type CandidateLists, type Target } from './candidates.js'
import { explainAbsence, explainUnsafeAccess, type Explanation } from './explain.js'
import { errnoOf, fault, reasonOf } from './fault.js'
import { CoreReloKind, coreReloKindName, isCoreReloKind } from './kinds.js'
import { matchSpec, type Candidate } from './match-spec.js'
import { findFunction, isAutoloaded, parseObject, type BpfObject } from './object.js'
import type { OutcomeCounts, RecordOutcome, RecordStatus, Relocation, Warning } from './outcome.js'
import { patchInsn, poison, type Code } from './patch.js'
import { parseSpec, type Spec } from './spec.js'
import { calculate, type ReloValue } from './values.js'

export interface RelocateOptions {
  /** Split BTFs of modules, in the kernel's BTF id order (the order of loading). Consulted only for types that vmlinux has none of. */
  readonly modules?: readonly Btf[]
  /** Whether records without a value say why (`reason`, `detail`). True unless the caller shows them to nobody; the search for reasons costs more than that for values. */
  readonly explain?: boolean
  /** Where the patched object goes: memory of this many bytes, all zero. Ordinary memory unless given. Asked for once, also for an object that fails then. */
  readonly allocate?: (byteLength: number) => Uint8Array
}

/**
 * Relocates an object for a kernel: what libbpf does between opening and loading it, with the same result to the bit. Pure:
 * the input stays as it is, and equal inputs give equal bytes.
 *
 * Records are worked on in the file's order, because the order shows in results; those of `?` sections come last, on a copy of
 * the state, since libbpf skips them until an application asks. A record there that libbpf would refuse does not fail the
 * object: its instruction is poisoned, so that whoever enables the program gets the refusal and never an unrelocated read.
 *
 * @param target vmlinux BTF of the kernel
 * @throws AppError `object_invalid` for an object that cannot be read, `btf_invalid` for a target of the other byte order
 */
export function relocate (object: BpfObject | Uint8Array, target: Btf, options: RelocateOptions = {}): Relocation {
  const parsed = object instanceof Uint8Array ? parseObject(object) : object
  if (target.byteOrder !== parsed.elf.byteOrder) {
    throw new AppError('btf_invalid', `The object is ${parsed.elf.byteOrder}-endian, but the kernel's BTF is ${target.byteOrder}-endian.`, { byte_order: target.byteOrder })
  }
  const { records, outside } = listRecords(parsed)
  const work = newWork(LIMITS.workSteps + LIMITS.workStepsPerRecord * records.length)
  const run = startRun(parsed, { btf: target, modules: options.modules ?? [] }, work, options)
  const outcomes = new Map<LocatedRecord, RecordOutcome>()
  for (const record of records) {
    if (record.fn === undefined || isAutoloaded(record.fn)) outcomes.set(record, relocateRecord(run, record))
  }
  const optional: Run = { ...run, candidates: new Map(run.candidates), isOptional: true }
  for (const record of records) {
    if (!outcomes.has(record)) outcomes.set(record, relocateRecord(optional, record))
  }

  const ordered = records.flatMap(record => outcomes.get(record) ?? [])
  const counts = countStatuses(ordered)
  const ok = counts.failed === 0
  if (ok && parsed.ext?.coreRelo !== undefined) run.code.view.setUint32(parsed.extOffset + BTF_EXT_HEADER.coreReloLen, 0, run.code.littleEndian)
  return {
    ok,
    bytes: ok ? run.output : undefined,
    records: ordered,
    counts,
    changedInstructions: ok ? countChanges(parsed.bytes, run.output, records) : 0,
    warnings: listWarnings(parsed, ordered, outside)
  }
}

/** The state of one run over an object. */
interface Run {
  readonly object: BpfObject
  readonly target: Target
  readonly output: Uint8Array
  readonly code: Code
  readonly candidates: CandidateLists
  readonly work: Work
  /** Byte offsets, within a section, of instructions that an ELF relocation rewrites at load; by section index. */
  readonly elfRelocations: Map<number, ReadonlySet<number>>
  /** For `?` sections: failures poison. */
  readonly isOptional: boolean
  readonly explains: boolean
}

/** A CO-RE record and the code it belongs to. */
interface LocatedRecord extends CoreRelo {
  readonly sectionName: string
  /** Undefined only where the record is too broken to have one. */
  readonly fn: ElfFunction | undefined
}

function startRun (object: BpfObject, target: Target, work: Work, { explain: explains = true, allocate = byteLength => new Uint8Array(byteLength) }: RelocateOptions): Run {
  const output = allocate(object.bytes.length)
  output.set(object.bytes)
  const code = { view: dataView(output), littleEndian: object.elf.littleEndian }
  return { object, target, output, code, candidates: new Map(), work, elfRelocations: new Map(), isOptional: false, explains }
}

/**
 * All records that belong to code, in file order, and how many belong to none: the static linker leaves records of functions
 * that it dropped, and libbpf passes over them.
 */
function listRecords (object: BpfObject): { records: LocatedRecord[], outside: number } {
  const { ext, elf } = object
  const subsection = ext?.coreRelo
  const records: LocatedRecord[] = []
  let outside = 0
  if (ext === undefined || subsection === undefined) return { records, outside }
  for (const block of subsection.blocks) {
    const sections = elf.sectionsByName.get(block.sectionName) ?? []
    const section = sections[0]
    if (sections.length > 1) {
      throw new AppError('object_invalid', `The object has ${sections.length} sections named ${block.sectionName}, so that its relocations could belong to either.`, { section: block.sectionName })
    }
    for (let i = 0; i < block.count; i++) {
      const relo = readCoreRelo(ext, subsection, block, i)
      const isAligned = relo.insnOff % BPF_INSN.SIZE === 0
      const fn = isAligned && section !== undefined ? findFunction(elf, section.index, relo.insnOff) : undefined
      if (fn !== undefined || !isAligned) records.push(located(relo, block.sectionName, fn))
      else outside++
    }
  }
  return { records, outside }
}

function located ({ insnOff, typeId, accessStrOff, kind }: CoreRelo, sectionName: string, fn: ElfFunction | undefined): LocatedRecord {
  return { insnOff, typeId, accessStrOff, kind, sectionName, fn }
}

function relocateRecord (run: Run, record: LocatedRecord): RecordOutcome {
  let value: ReloValue | undefined
  try {
    if (record.fn === undefined) {
      throw fault('EINVAL', 'insn_unaligned', `A relocation of section ${record.sectionName} is at byte ${record.insnOff}, which is not the start of an instruction.`)
    }
    const resolved = resolveRecord(run, record)
    value = resolved.value
    requireNoElfRelocation(run, record.fn.section, record.insnOff)
    const { offset, end } = placeOf(record.fn, record.insnOff)
    const result = patchInsn(run.code, offset, end, value)
    return outcome(run, record, result === 'poisoned' ? 'poisoned' : resolved.isAbsent ? 'absent' : 'resolved', value, explain(run, resolved, result === 'poisoned'))
  } catch (error) {
    if (!(error instanceof AppError) || (error.code !== 'relocation_failed' && error.code !== 'btf_invalid') || reasonOf(error) === 'work_limit') throw error
    const isPoisoned = run.isOptional && record.fn !== undefined
    if (isPoisoned) poisonWhatIsThere(run, record, record.fn)
    return {
      ...outcome(run, record, isPoisoned ? 'poisoned' : 'failed', undefined, { reason: reasonOf(error) ?? 'type_id_invalid', detail: error.message }),
      oldValue: value?.local.value ?? compiledValue(run, record),
      errno: errnoOf(error)
    }
  }
}

/** What the object's own side of a failed record says, for the report; 0 where that side is what failed. */
function compiledValue (run: Run, record: LocatedRecord): bigint {
  const { btf, elf } = run.object
  if (!isValidId(btf, record.typeId) || !isCoreReloKind(record.kind) || findString(btf, record.accessStrOff) === undefined) return 0n
  try {
    const local = parseSpec(btf, record.typeId, textOf(btf, record.accessStrOff), record.kind, run.work)
    return calculate(local, local, elf.byteOrder, run.work).local.value
  } catch (error) {
    if (error instanceof AppError && reasonOf(error) !== 'work_limit') return 0n
    throw error
  }
}

/** A record's value, and the candidates it was looked for in. */
interface Resolved {
  readonly value: ReloValue
  /** Undefined for type_id_local, which looks at no kernel. */
  readonly local: Spec
  readonly candidates: readonly Candidate[]
  readonly matched: Spec | undefined
  /** An existence-like kind that answered 0 because nothing matched. */
  readonly isAbsent: boolean
}

/** libbpf's bpf_core_calc_relo_insn: candidates, spec, matches, agreement, value. */
function resolveRecord (run: Run, record: LocatedRecord): Resolved {
  const { btf } = run.object
  if (!isValidId(btf, record.typeId)) throw fault('EINVAL', 'type_id_invalid', `The relocation is of type ${record.typeId}, but the object's BTF ends at ${btf.endId - 1}.`)
  const rootId: TypeId = record.typeId
  const candidates = record.kind === CoreReloKind.TYPE_ID_LOCAL ? [] : getCandidates(run, rootId)
  if (!isCoreReloKind(record.kind)) throw fault('EINVAL', 'kind_unknown', `The relocation has kind ${record.kind}; 0 to 12 are known.`)
  if (findString(btf, record.accessStrOff) === undefined) {
    throw fault('EINVAL', 'access_malformed', `The access string is at string offset ${record.accessStrOff}, past the object's BTF strings.`)
  }
  const local = parseSpec(btf, rootId, textOf(btf, record.accessStrOff), record.kind, run.work)
  const { byteOrder } = run.object.elf
  if (record.kind === CoreReloKind.TYPE_ID_LOCAL) {
    return { value: calculate(local, local, byteOrder, run.work), local, candidates, matched: local, isAbsent: false }
  }

  const matching: Candidate[] = []
  let first: { spec: Spec, value: ReloValue } | undefined
  for (const candidate of candidates) {
    const spec = matchSpec(local, candidate, run.work)
    if (spec === undefined) continue
    const value = calculate(local, spec, byteOrder, run.work)
    if (first === undefined) first = { spec, value }
    else requireAgreement(first, { spec, value })
    matching.push(candidate)
  }
  if (first !== undefined) {
    run.candidates.set(rootId, matching)
    return { value: first.value, local, candidates, matched: first.spec, isAbsent: false }
  }
  const value = calculate(local, undefined, byteOrder, run.work)
  return { value, local, candidates, matched: undefined, isAbsent: value.target !== undefined }
}

function getCandidates (run: Run, rootId: TypeId): readonly Candidate[] {
  const known = run.candidates.get(rootId)
  if (known !== undefined) return known
  const found = searchCandidates(run.object.btf, rootId, run.target, run.work)
  run.candidates.set(rootId, found)
  return found
}

/** Several types of one name are fine as long as they say the same. Offsets are compared even where only existence was asked, as libbpf does. */
function requireAgreement (a: { spec: Spec, value: ReloValue }, b: { spec: Spec, value: ReloValue }): void {
  const ids = `types ${a.spec.rootId} and ${b.spec.rootId}`
  if (a.spec.bitOffset !== b.spec.bitOffset) {
    throw fault('EINVAL', 'ambiguous', `This kernel has several types of that name (${ids}), in which the field is at different offsets: ${a.spec.bitOffset} and ${b.spec.bitOffset} bits.`)
  }
  if (a.value.target?.value !== b.value.target?.value) {
    throw fault('EINVAL', 'ambiguous', `This kernel has several types of that name (${ids}), which give different values: ${a.value.target?.value} and ${b.value.target?.value}.`)
  }
}

/** An ELF relocation would be applied on top of ours, to bytes it does not expect. */
function requireNoElfRelocation (run: Run, section: ElfSection, insnOff: number): void {
  let offsets = run.elfRelocations.get(section.index)
  if (offsets === undefined) {
    offsets = relocatedOffsets(run.object.elf, section)
    run.elfRelocations.set(section.index, offsets)
  }
  if (offsets.has(insnOff)) throw fault('EINVAL', 'elf_relocation', 'The instruction has an ELF relocation (of a map, a variable or a call) as well as a CO-RE relocation.')
}

/** Byte offsets in the file: of the instruction, and of the end of its function. */
function placeOf (fn: ElfFunction, insnOff: number): { offset: number, end: number } {
  return { offset: fn.section.offset + insnOff, end: fn.section.offset + fn.start + fn.size }
}

/** The second half of a truncated 64-bit load cannot be poisoned; the first alone stops the verifier too. */
function poisonWhatIsThere (run: Run, record: LocatedRecord, fn: ElfFunction): void {
  const { offset, end } = placeOf(fn, record.insnOff)
  if (run.code.view.getUint8(offset) === BPF_LD_IMM64 && offset + 2 * BPF_INSN.SIZE > end) run.code.view.setUint8(offset, 0)
  poison(run.code, offset, end)
}

function explain (run: Run, resolved: Resolved, isPoisoned: boolean): Explanation | undefined {
  if (!run.explains) return undefined
  if (resolved.matched === undefined) return explainAbsence(resolved.local, resolved.candidates, run.target, run.work)
  return isPoisoned ? explainUnsafeAccess(resolved.local, resolved.matched, resolved.value) : undefined
}

function outcome (run: Run, record: LocatedRecord, status: RecordStatus, value: ReloValue | undefined, explanation: Explanation | undefined): RecordOutcome {
  const { btf } = run.object
  return {
    section: record.sectionName,
    program: record.fn?.name ?? '',
    fn: record.fn,
    instruction: Math.floor((record.insnOff - (record.fn?.start ?? 0)) / BPF_INSN.SIZE),
    insnOff: record.insnOff,
    kind: coreReloKindName(record.kind),
    typeId: typeId(record.typeId),
    accessSpec: record.accessStrOff < btf.strLen ? textOf(btf, record.accessStrOff) : '',
    status,
    oldValue: value?.local.value ?? 0n,
    newValue: status === 'resolved' || status === 'absent' ? value?.target?.value ?? null : null,
    errno: null,
    reason: explanation?.reason ?? null,
    detail: explanation?.detail ?? null
  }
}

function countStatuses (outcomes: readonly RecordOutcome[]): OutcomeCounts {
  const counts = { resolved: 0, absent: 0, poisoned: 0, failed: 0 }
  for (const { status } of outcomes) counts[status]++
  return counts
}

function countChanges (before: Uint8Array, after: Uint8Array, records: readonly LocatedRecord[]): number {
  const changed = new Set<number>()
  for (const record of records) {
    if (record.fn === undefined) continue
    const start = placeOf(record.fn, record.insnOff).offset
    const slots = before[start] === BPF_LD_IMM64 ? 2 : 1
    for (let i = start; i < start + slots * BPF_INSN.SIZE; i++) {
      if (before[i] !== after[i]) changed.add(start)
    }
  }
  return changed.size
}

function listWarnings (object: BpfObject, outcomes: readonly RecordOutcome[], outside: number): Warning[] {
  const warnings: Warning[] = []
  if (outside > 0) {
    warnings.push({ code: 'records_outside_functions', message: `${outside} relocations belong to no function and were passed over, as libbpf does; linkers leave such records of functions that they drop.` })
  }
  if (object.ext === undefined) {
    warnings.push({ code: 'no_btf_ext', message: 'The object has no .BTF.ext section, so that it has no CO-RE relocations; if its source uses CO-RE, the section was stripped.' })
  }
  if (outcomes.some(({ kind }) => kind === 'local_type_id')) {
    warnings.push({ code: 'local_type_ids', message: "The object holds ids of its own BTF types. They are right for loaders that keep the object's BTF as it is (libbpf, bpftool, aya), and wrong for one that renumbers it (cilium/ebpf) or after static linking." })
  }
  if (outcomes.some(({ kind, newValue }) => kind === 'target_type_id' && newValue !== null && newValue !== 0n)) {
    warnings.push({ code: 'target_type_ids', message: 'The object holds type ids of the BTF it was relocated for. They are right only where the running kernel has that very BTF, not a rebuilt or minimised one.' })
  }
  return warnings
}
