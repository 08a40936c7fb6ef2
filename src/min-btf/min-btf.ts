import { isComposite, kindOf, nameOf, nameOffsetOf, typeId, type Btf, type TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { essentialName, findCandidates } from '../btf/find.js'
import { isNameOfLong, parseRawBtf } from '../btf/parse.js'
import { newWork, type Work } from '../btf/work.js'
import { listPatches, matchSpec, relocate, type BpfObject, type Relocation, type Resolution, type Spec } from '../core/index.js'
import { CoreReloKind, isEnumvalKind, isFieldKind } from '../core/kinds.js'
import { isFault } from '../core/resolution.js'
import { AppError } from '../errors.js'
import { BPF_INSN } from '../insn/insn.js'
import { LIMITS } from '../limits.js'
import { createKeptTypes, type KeptTypes } from './kept-types.js'
import { writeBtf } from './write-btf.js'

export interface MinimiseOptions {
  /** Split BTFs of modules, in the kernel's BTF id order. What is needed of them goes into the one BTF. */
  readonly modules?: readonly Btf[]
  /** What errors call the objects, in their order. */
  readonly names?: readonly string[]
}

/**
 * The smallest BTF with which objects relocate to the same bytes as with the kernel's whole one, for loaders that take a BTF
 * instead of the kernel's (libbpf's btf_custom_path): what `bpftool gen min_core_btf` makes, without its limits (modules, both byte
 * orders, type tags, forward declarations). Its result is relocated against before it is returned.
 *
 * Type ids that an object asks for (target_type_id) are those of the new BTF, and mean nothing to a kernel.
 *
 * @returns raw BTF in the kernel's byte order
 * @throws AppError `relocation_failed` where libbpf would refuse an object for this kernel; `object_invalid`, `btf_invalid`
 */
export function minimiseBtf (objects: readonly BpfObject[], target: Btf, { modules = [], names = [] }: MinimiseOptions = {}): Uint8Array {
  const relocations = objects.map((object, i) => {
    const name = names[i] ?? `Object ${i}`
    const relocation = relocateNamed(object, target, modules, name)
    requireRelocated(relocation, name)
    return { object, relocation }
  })
  // Several types of one name are rare, and only the first is needed unless a later record narrows the candidates.
  for (const which of ['first', 'every'] as const) {
    const bytes = keepAndWrite(relocations.map(({ relocation }) => relocation), { btf: target, modules }, which)
    const btf = parseRawBtf(bytes, { pointerSize: target.pointerSize })
    if (relocations.every(({ object, relocation }) => isSame(relocation, relocate(object, btf)))) return bytes
  }
  if (modules.length === 0) return new Uint8Array(target.bytes) // a slice of a Buffer would be a view
  throw new AppError('relocation_failed',
    'No single BTF gives these objects what the kernel and its modules give them: they have types of one name that differ. ' +
    'Relocate the objects for the kernel instead.')
}

/** @throws AppError what `relocate` throws, with the object named: of several, one may have another byte order than the kernel */
function relocateNamed (object: BpfObject, target: Btf, modules: readonly Btf[], name: string): Relocation {
  try {
    return relocate(object, target, { modules })
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw new AppError(error.code, `${name}: ${error.message}`, { ...error.details, object: name }, { cause: error })
  }
}

/** @throws AppError `relocation_failed` */
function requireRelocated ({ ok, records, counts }: Relocation, name: string): void {
  if (ok) return
  const failed = records.find(({ status }) => status === 'failed')
  const place = failed === undefined ? '' : ` (${failed.program}, instruction ${failed.instruction}: ${failed.detail ?? ''})`
  throw new AppError('relocation_failed',
    `${name} cannot be relocated for this kernel: ${counts.failed} of ${records.length} relocations ` +
    `${counts.failed === 1 ? 'has' : 'have'} no answer that libbpf would take${place}.`,
    { object: name, counts })
}

function keepAndWrite (relocations: readonly Relocation[], target: Relocation['target'], which: 'first' | 'every'): Uint8Array {
  const records = relocations.flatMap(relocation => relocation.records)
  const work = newWork(LIMITS.workSteps + LIMITS.workStepsPerRecord * records.length)
  const kept = createKeptTypes(work)
  for (const resolution of new Set(records.map(({ resolution }) => resolution))) {
    if (resolution === undefined || resolution.local.kind === CoreReloKind.TYPE_ID_LOCAL) continue
    if (resolution.matched !== undefined) keepMatched(kept, resolution.matched)
    if (which === 'every') keepCandidates(kept, resolution, work)
  }
  const { btf, modules } = target
  const write = (): Uint8Array => writeBtf({ kept, owners: [btf, ...modules], isNameless: hidesBehindVmlinux(btf, records, work) })
  const bytes = write()
  if (parseRawBtf(bytes).pointerSize === btf.pointerSize) return bytes
  const long = findLong(btf)
  if (long === undefined) return bytes
  kept.keep(btf, long, 'value')
  return write()
}

function keepMatched (kept: KeptTypes, spec: Spec): void {
  if (isFieldKind(spec.kind)) kept.keepAccess(spec)
  else if (isEnumvalKind(spec.kind)) kept.keepEnumerator(spec)
  else kept.keep(spec.btf, spec.rootId, spec.kind === CoreReloKind.TYPE_MATCHES ? 'match' : 'pointers')
}

/**
 * Keeps what each candidate has of an access. For whole types also of those that do not fit, since a pointer to void could fit
 * where the pointer that it stands for does not.
 */
function keepCandidates (kept: KeptTypes, { local, candidates }: Resolution, work: Work): void {
  const isWholeType = !isFieldKind(local.kind) && !isEnumvalKind(local.kind)
  for (const candidate of candidates) {
    const matched = tryMatch(() => matchSpec(local, candidate, work))
    if (matched !== undefined) keepMatched(kept, matched)
    else if (isWholeType) kept.keep(candidate.btf, candidate.id, local.kind === CoreReloKind.TYPE_MATCHES ? 'match' : 'pointers')
  }
}

/** A candidate on which libbpf ends with an error is none. */
function tryMatch (match: () => Spec | undefined): Spec | undefined {
  try {
    return match()
  } catch (error) {
    if (isFault(error)) return undefined
    throw error
  }
}

/**
 * Modules' types are searched only for names that vmlinux does not have. In one BTF a module's type of such a name would be found
 * too; where it is only part of another type, its name is not needed.
 */
function hidesBehindVmlinux (vmlinux: Btf, records: Relocation['records'], work: Work): (btf: Btf, id: TypeId) => boolean {
  const roots = records.flatMap(({ resolution }) => resolution?.candidates ?? []).filter(candidate => candidate.btf !== vmlinux)
  return (btf, id) => {
    if (btf === vmlinux || roots.some(root => root.btf === btf && root.id === id)) return false
    const kind = kindOf(btf, id)
    const offset = nameOffsetOf(btf, id)
    return isComposite(kind) && offset !== 0 && findCandidates(vmlinux, kind, essentialName(btf, offset, work), false, work).length > 0
  }
}

/** The integer by which readers of raw BTF learn how long a pointer is: libbpf's determine_ptr_size. */
function findLong (btf: Btf): TypeId | undefined {
  for (let id = typeId(1); id < btf.endId; id = typeId(id + 1)) {
    if (kindOf(btf, id) === BtfKind.INT && isNameOfLong(nameOf(btf, id))) return id
  }
  return undefined
}

/** Whether two relocations of one object are the same, apart from ids of the kernel's types. */
function isSame (a: Relocation, b: Relocation): boolean {
  if (a.records.length !== b.records.length || !a.records.every((record, i) => record.status === b.records[i]?.status)) return false
  const ids = new Set(a.records.flatMap(({ kind, fn, insnOff }) => {
    if (kind !== 'target_type_id' || fn === undefined) return []
    const offset = fn.section.offset + insnOff
    return [offset, offset + BPF_INSN.SIZE]
  }))
  const list = ({ patches }: Relocation): string[] => patches === undefined
    ? []
    : listPatches(patches).filter(({ offset }) => !ids.has(offset)).map(({ offset, after }) => `${offset}:${after.join()}`)
  const [first, second] = [list(a), list(b)]
  return first.length === second.length && first.every((patch, i) => patch === second[i])
}
