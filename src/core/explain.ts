import { BtfKind } from '../btf/constants.js'
import { arrayLength, kindName, kindOf, memberType, nameOf, nameOffsetOf, textOf, type Btf, type TypeId } from '../btf/btf.js'
import { essentialName, findCandidates } from '../btf/find.js'
import { hasMemberNamed } from '../btf/members.js'
import { strip } from '../btf/resolve.js'
import { tryWithin, type Work } from '../btf/work.js'
import type { Target } from './candidates.js'
import { describeAccess, describeType } from './describe.js'
import type { Reason } from './fault.js'
import { CoreReloKind, isEnumvalKind, isFieldKind } from './kinds.js'
import { matchSpec, type Candidate } from './match-spec.js'
import type { RecordOutcome } from './outcome.js'
import type { Accessor, Spec } from './spec.js'
import type { ReloValue } from './values.js'

/** Why a record has no value from this kernel. */
export interface Explanation {
  readonly reason: Reason
  /** One sentence in the words of the program's source. */
  readonly detail: string
}

/** The kinds that two types of one name are mistaken for in practice: a typedef for its struct, a forward declaration for the definition. */
const MISTAKABLE_KINDS = [BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.TYPEDEF, BtfKind.FWD]

/**
 * Why a record has no value from the kernel: what the engine itself said of it, or what a search finds. Undefined for a record
 * that has one. A search that runs out of steps tells no more than that nothing was found.
 *
 * @param work steps of the search, none of which the relocation needs
 */
export function explainOutcome ({ reason, detail, status, resolution }: RecordOutcome, target: Target, work: Work): Explanation | undefined {
  if (reason !== null && detail !== null) return { reason, detail }
  if (resolution === undefined || (status !== 'poisoned' && status !== 'absent')) return undefined
  const { local, matched, value, candidates } = resolution
  if (matched !== undefined) return status === 'poisoned' && value !== undefined ? explainUnsafeAccess(local, matched, value) : undefined
  return tryWithin(
    () => explainAbsence(local, candidates, target, work),
    () => ({ reason: 'work_limit', detail: `This kernel has no ${describeAccess(local)}. Why was not found out, because its types nest or repeat beyond what compilers make.` })
  )
}

/** Explains why no candidate matched: from the type's name down to the first step of the access that this kernel does not have. */
function explainAbsence (local: Spec, candidates: readonly Candidate[], target: Target, work: Work): Explanation {
  const candidate = candidates[0]
  const type = describeType(local.btf, local.rootId, true)
  if (candidate === undefined) return explainMissingType(local, type, target, work)
  if (isEnumvalKind(local.kind)) {
    return { reason: 'enumerator_missing', detail: `${type} has no enumerator ${enumeratorName(local)} in this kernel.` }
  }
  if (!isFieldKind(local.kind)) {
    const what = local.kind === CoreReloKind.TYPE_MATCHES ? 'does not have everything that the object\'s declaration has' : 'is of another shape than in the object'
    return { reason: 'type_differs', detail: `${type} exists in this kernel, but ${what}.` }
  }
  return explainField(local, candidate, work)
}

/** Explains a load or store that was poisoned because the field's size changed in a way that no access can follow. */
function explainUnsafeAccess (local: Spec, matched: Spec, value: ReloValue): Explanation {
  const before = describeSized(local.btf, value.local.fieldType, value.local.fieldSize)
  const after = describeSized(matched.btf, value.target?.fieldType ?? matched.rootId, value.target?.fieldSize ?? 0)
  return {
    reason: 'access_size_unsafe',
    detail: `${describeAccess(local)} is ${before} in the object and ${after} in this kernel; only pointers and unsigned integers can be read at another size. Read it with BPF_CORE_READ_BITFIELD_PROBED or by its size from bpf_core_field_size().`
  }
}

function explainMissingType (local: Spec, type: string, target: Target, work: Work): Explanation {
  const kind = kindOf(local.btf, local.rootId)
  const name = essentialName(local.btf, nameOffsetOf(local.btf, local.rootId))
  for (const other of MISTAKABLE_KINDS) {
    if (other === kind) continue
    const found = [target.btf, ...target.modules].flatMap(btf => findCandidates(btf, other, name, btf !== target.btf, work))
    if (found.length > 0) {
      return { reason: 'type_kind_differs', detail: `This kernel has no ${type}; the name is a ${kindName(other)} there.` }
    }
  }
  return { reason: 'type_missing', detail: `This kernel has no ${type}.` }
}

function explainField (local: Spec, candidate: Candidate, work: Work): Explanation {
  const failing = firstFailingStep(local, candidate, work)
  const accessor = local.accessors[failing]
  const parent = describeAccess({ ...local, accessors: local.accessors.slice(0, failing) })
  const parentType = parentTypeOf(local, failing, work)
  if (accessor?.name === undefined) {
    return {
      reason: 'index_out_of_bounds',
      detail: `${parent} has no element ${accessor?.index ?? 0} in this kernel, or is no array of that many dimensions there.`
    }
  }
  const member = textOf(local.btf, accessor.name)
  const asExistence = { ...local, kind: CoreReloKind.FIELD_EXISTS, accessors: local.accessors.slice(0, failing) }
  const owner = matchSpec(asExistence, candidate, work)
  if (owner !== undefined && hasMemberNamed(candidate.btf, endOf(owner), member, work)) {
    return { reason: 'field_incompatible', detail: `${parentType} has a member ${member} in this kernel, but of a kind that cannot be read as ${describeMember(local.btf, accessor)}.` }
  }
  return { reason: 'field_missing', detail: `${parentType} has no member ${member} in this kernel.` }
}

/** The type that an access ends in; unstripped. */
function endOf (spec: Spec): TypeId {
  const last = spec.accessors.at(-1)
  if (last === undefined) return spec.rootId
  return last.name === undefined ? last.typeId : memberType(spec.btf, last.typeId, last.index)
}

/** Index of the first accessor that the candidate does not have. */
function firstFailingStep (local: Spec, candidate: Candidate, work: Work): number {
  for (let length = 1; length < local.accessors.length; length++) {
    if (matchSpec({ ...local, accessors: local.accessors.slice(0, length) }, candidate, work) === undefined) return length - 1
  }
  return local.accessors.length - 1
}

/** The composite that the step is looked up in, in the object's words; one without a name is told by the root that it is nested in. */
function parentTypeOf (local: Spec, step: number, work: Work): string {
  const id = strip(local.btf, endOf({ ...local, accessors: local.accessors.slice(0, step) }), work)
  return nameOf(local.btf, id) === '' ? `a nested type of ${describeType(local.btf, local.rootId, true)}` : describeType(local.btf, id, true)
}

function describeMember (btf: Btf, accessor: Accessor): string {
  const type = memberType(btf, accessor.typeId, accessor.index)
  return kindOf(btf, type) === BtfKind.ARRAY ? `an array of ${arrayLength(btf, type)}` : describeType(btf, type)
}

function describeSized (btf: Btf, id: TypeId, size: number): string {
  return `${describeType(btf, id)} (${size} bytes)`
}

function enumeratorName (local: Spec): string {
  const name = local.accessors[0]?.name
  return name === undefined ? '' : textOf(local.btf, name)
}
