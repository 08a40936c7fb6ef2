import { dataView } from '../bytes/checked.js'
import { sameBytes } from '../bytes/strings.js'
import { BTF_EXT_HEADER } from '../btf/layout.js'
import { findString, isValidId, textOf, typeId, type Btf } from '../btf/btf.js'
import { isWorkLimit, newWork, type Work } from '../btf/work.js'
import { relocatedOffsets, type ElfFunction } from '../elf/functions.js'
import type { ElfSection } from '../elf/sections.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { BPF_INSN } from '../insn/insn.js'
import { BPF_LD_IMM64 } from '../insn/opcodes.js'
import { errnoOf, fault, reasonOf } from './fault.js'
import { CoreReloKind, coreReloKindName, isCoreReloKind } from './kinds.js'
import { createIndices } from './member-index.js'
import { isAutoloaded, parseObject, type BpfObject } from './object.js'
import type { OutcomeCounts, RecordOutcome, RecordStatus, Relocation } from './outcome.js'
import { patchInsn, poison, type Code } from './patch.js'
import { collectPatches, type Patches } from './patches.js'
import { locateRecords, type LocatedRecord } from './records.js'
import { createResolver, isFault, type Attempt, type LocalSpecs, type Resolution, type Resolver } from './resolution.js'
import { parseSpec } from './spec.js'
import { calculate } from './values.js'
import { listWarnings } from './warnings.js'

export interface RelocateOptions {
  /** Split BTFs of modules, in the kernel's BTF id order (the order of loading). Consulted only for types that vmlinux has none of. */
  readonly modules?: readonly Btf[]
}

/**
 * Relocates an object for a kernel: what libbpf does between opening and loading it, with the same result to the bit, as a list
 * of patches (`applyPatches` makes the bytes of them). Pure: the input stays as it is, and equal inputs give equal patches.
 *
 * Records are worked on in the file's order, because the order shows in results; those of `?` sections come last, on a copy of
 * the state, since libbpf skips them until an application asks. A record there that libbpf would refuse does not fail the
 * object: its instruction is poisoned, so an application that enables the program gets a refusal, never an unrelocated read.
 *
 * @param target vmlinux BTF of the kernel
 * @throws AppError `object_invalid` for an object that cannot be read, `btf_invalid` for a target of the other byte order,
 *   `relocation_failed` with reason `work_limit` if the types nest or repeat more than a compiler makes them
 */
export function relocate (object: BpfObject | Uint8Array, target: Btf, options: RelocateOptions = {}): Relocation {
  const parsed = object instanceof Uint8Array ? parseObject(object) : object
  if (target.byteOrder !== parsed.elf.byteOrder) {
    throw new AppError(
      'btf_invalid',
      `The object is ${parsed.elf.byteOrder}-endian, but the kernel's BTF is ${target.byteOrder}-endian.`,
      { byte_order: target.byteOrder }
    )
  }
  const { records, outside } = locateRecords(parsed)
  const kernel = { btf: target, modules: options.modules ?? [] }
  const work = newWork(LIMITS.workSteps + LIMITS.workStepsPerRecord * records.length)
  const resolver = createResolver({
    local: parsed.btf,
    specs: localSpecs(parsed),
    target: kernel,
    byteOrder: parsed.elf.byteOrder,
    work,
    indices: createIndices()
  })
  // Instructions are rewritten in a copy, since a record sees what an earlier one made of its instruction; only differences leave.
  const scratch = new Uint8Array(parsed.bytes)
  const code = { view: dataView(scratch), littleEndian: parsed.elf.littleEndian }
  const run: Run = { object: parsed, code, resolver, work, elfRelocations: new Map(), isOptional: false }
  const outcomes = new Array<RecordOutcome>(records.length)
  const optional: LocatedRecord[] = []
  for (const record of records) {
    if (record.fn === undefined || isAutoloaded(record.fn)) outcomes[record.index] = relocateRecord(run, record)
    else optional.push(record)
  }
  const optionalRun: Run = { ...run, resolver: resolver.branch(), isOptional: true }
  for (const record of optional) outcomes[record.index] = relocateRecord(optionalRun, record)

  const counts = countStatuses(outcomes)
  const ok = counts.failed === 0
  return {
    ok,
    patches: ok ? patchesOf(parsed, scratch, records) : undefined,
    records: outcomes,
    counts,
    changedInstructions: ok ? countChanges(parsed, scratch, records) : 0,
    warnings: listWarnings(parsed, outcomes, outside),
    target: kernel
  }
}

const knownSpecs = new WeakMap<BpfObject, LocalSpecs>()

function localSpecs (object: BpfObject): LocalSpecs {
  let specs = knownSpecs.get(object)
  if (specs === undefined) knownSpecs.set(object, specs = new Map())
  return specs
}

/** The state of one run over an object. */
interface Run {
  readonly object: BpfObject
  readonly code: Code
  readonly resolver: Resolver
  readonly work: Work
  /** Byte offsets, within a section, of instructions that an ELF relocation rewrites at load; by section index. */
  readonly elfRelocations: Map<number, ReturnType<typeof relocatedOffsets>>
  /** For `?` sections: failures poison. */
  readonly isOptional: boolean
}

function relocateRecord (run: Run, record: LocatedRecord): RecordOutcome {
  let attempt: Attempt | undefined
  try {
    if (record.fn === undefined) {
      throw fault(
        'EINVAL',
        'insn_unaligned',
        `A relocation of section ${record.sectionName} is at byte ${record.insnOff}, which is not the start of an instruction.`
      )
    }
    attempt = resolveRecord(run, record)
    const value = attempt.resolution?.value
    if (value === undefined) throw attempt.error ?? new AppError('internal_error', 'A relocation has neither a value nor an error.')
    requireNoElfRelocation(run, record.fn.section, record.insnOff)
    const { offset, end } = placeOf(record.fn, record.insnOff)
    const result = patchInsn(run.code, offset, end, value)
    const status = result === 'poisoned' ? 'poisoned' : attempt.isAbsent ? 'absent' : 'resolved'
    return outcome(run, record, status, attempt.resolution, undefined)
  } catch (error) {
    if (!isFault(error)) throw error
    const isPoisoned = run.isOptional && record.fn !== undefined
    if (isPoisoned) poisonWhatIsThere(run, record, record.fn)
    return outcome(run, record, isPoisoned ? 'poisoned' : 'failed', attempt?.resolution, error)
  }
}

/** libbpf's bpf_core_calc_relo_insn: candidates and spec, in its order of checks; the rest is the resolver's. */
function resolveRecord (run: Run, record: LocatedRecord): Attempt {
  const { btf } = run.object
  const { typeId: rootId, accessStrOff, kind } = record
  if (!isValidId(btf, rootId)) {
    throw fault(
      'EINVAL',
      'type_id_invalid',
      `The relocation is of type ${rootId}, but the object's BTF ends at ${btf.endId - 1}.`
    )
  }
  if (!isCoreReloKind(kind) || accessStrOff >= btf.strLen) {
    if (kind !== CoreReloKind.TYPE_ID_LOCAL) run.resolver.candidatesOf(rootId)
    if (!isCoreReloKind(kind)) throw fault('EINVAL', 'kind_unknown', `The relocation has kind ${kind}; 0 to 12 are known.`)
    throw fault('EINVAL', 'access_malformed', `The access string is at string offset ${accessStrOff}, past the object's BTF strings.`)
  }
  return run.resolver.resolve({ rootId, accessStrOff, kind, record: record.index })
}

/** What the object's own side of a failed record says, for the report; 0 where that side is what failed. */
function compiledValue (run: Run, record: LocatedRecord): bigint {
  const { btf, elf } = run.object
  if (!isValidId(btf, record.typeId) || !isCoreReloKind(record.kind) || findString(btf, record.accessStrOff) === undefined) return 0n
  try {
    const local = parseSpec(btf, record.typeId, textOf(btf, record.accessStrOff), record.kind, run.work)
    return calculate(local, local, elf.byteOrder, run.work).local.value
  } catch (error) {
    if (error instanceof AppError && !isWorkLimit(error)) return 0n
    throw error
  }
}

/** An ELF relocation would be applied on top of ours, to bytes it does not expect. */
function requireNoElfRelocation (run: Run, section: ElfSection, insnOff: number): void {
  let offsets = run.elfRelocations.get(section.index)
  if (offsets === undefined) {
    offsets = relocatedOffsets(run.object.elf, section)
    run.elfRelocations.set(section.index, offsets)
  }
  if (offsets.has(insnOff)) {
    throw fault(
      'EINVAL',
      'elf_relocation',
      'The instruction has an ELF relocation (of a map, a variable or a call) as well as a CO-RE relocation.'
    )
  }
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

function outcome (
  run: Run,
  record: LocatedRecord,
  status: RecordStatus,
  resolution: Resolution | undefined,
  error: AppError | undefined
): RecordOutcome {
  const value = resolution?.value
  return {
    section: record.sectionName,
    program: record.fn?.name ?? '',
    fn: record.fn,
    instruction: record.instruction,
    insnOff: record.insnOff,
    kind: coreReloKindName(record.kind),
    typeId: typeId(record.typeId),
    accessSpec: record.accessSpec,
    status,
    oldValue: value !== undefined ? value.local.value : error === undefined ? 0n : compiledValue(run, record),
    newValue: status === 'resolved' || status === 'absent' ? value?.target?.value ?? null : null,
    errno: error === undefined ? null : errnoOf(error),
    reason: error === undefined ? null : reasonOf(error) ?? 'type_id_invalid',
    detail: error?.message ?? null,
    resolution
  }
}

function countStatuses (outcomes: readonly RecordOutcome[]): OutcomeCounts {
  const counts = { resolved: 0, absent: 0, poisoned: 0, failed: 0 }
  for (const { status } of outcomes) counts[status]++
  return counts
}

/** The slots of all records, and the words of `.BTF.ext`'s header after which no loader relocates again. */
function patchesOf (object: BpfObject, scratch: Uint8Array, records: readonly LocatedRecord[]): Patches {
  const places = new Uint32Array(2 * records.length + 1)
  let count = 0
  for (const { fn, insnOff } of records) {
    if (fn === undefined) continue
    const { offset, end } = placeOf(fn, insnOff)
    places[count++] = offset
    if (object.bytes[offset] === BPF_LD_IMM64 && offset + 2 * BPF_INSN.SIZE <= end) places[count++] = offset + BPF_INSN.SIZE
  }
  if (object.ext?.coreRelo !== undefined) {
    dataView(scratch).setUint32(object.extOffset + BTF_EXT_HEADER.coreReloLen, 0, object.elf.littleEndian)
    places[count++] = object.extOffset + BTF_EXT_HEADER.coreReloOff
  }
  return collectPatches(object.bytes, scratch, places.subarray(0, count))
}

/** Instructions that are not what they were. Several records may be on one. */
function countChanges ({ bytes }: BpfObject, scratch: Uint8Array, records: readonly LocatedRecord[]): number {
  const starts = new Uint32Array(records.length)
  let count = 0
  for (const { fn, insnOff } of records) {
    if (fn === undefined) continue
    const start = placeOf(fn, insnOff).offset
    const length = (bytes[start] === BPF_LD_IMM64 ? 2 : 1) * BPF_INSN.SIZE
    if (!sameBytes(bytes, start, scratch, start, length)) starts[count++] = start
  }
  const changed = starts.subarray(0, count).sort()
  return changed.reduce((total, start, i) => start === changed[i - 1] ? total : total + 1, 0)
}
