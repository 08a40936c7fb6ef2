import { kindOf, memberType, type TypeId } from '../../btf/btf.js'
import { BtfKind } from '../../btf/constants.js'
import { strip } from '../../btf/resolve.js'
import { shownName, shownText } from '../../btf/shown-text.js'
import type { Work } from '../../btf/work.js'
import { describeType } from '../../core/describe.js'
import { CoreReloKind } from '../../core/kinds.js'
import { matchSpec, type Candidate } from '../../core/match-spec.js'
import type { Accessor, Spec } from '../../core/spec.js'
import { findMember, type NamedMember } from '../../members/paths.js'
import { keepSearches } from './kept-searches.js'

/** Where an access breaks off in a type of the kernel. */
export interface BrokenField {
  /** Index of the first accessor that the type does not have. */
  readonly failing: number
  /** The type of the kernel that the step is looked up in; unstripped. */
  readonly owner: TypeId
  /** Of the member that is looked up; undefined for an index. */
  readonly name: string | undefined
  /** The kernel's member of that name, which is of another type. */
  readonly there: NamedMember | undefined
  /** The struct or union that the step is looked up in, in the object's words; empty for an index. */
  readonly parent: string
}

/** Where the access breaks off, for a type of the kernel that does not have it. */
export function breakOf (local: Spec, candidate: Candidate, work: Work): BrokenField {
  let failing = 0
  let whole: Spec | undefined
  for (; failing < local.accessors.length - 1; failing++) {
    const found = matchSpec(firstSteps(local, failing + 1), candidate, work)
    if (found === undefined) break
    whole = found
  }
  const owner = whole === undefined ? candidate.id : endOf(whole)
  const offset = local.accessors[failing]?.name
  if (offset === undefined) return { failing, owner, name: undefined, there: undefined, parent: '' }
  const name = shownText(local.btf, offset)
  return { failing, owner, name, there: memberOf(candidate.btf, owner, name, work), parent: parentTypeOf(local, failing, work) }
}

const memberOf = keepSearches(findMember)

/** The access up to a step, for whether the kernel has that much. */
export function firstSteps (local: Spec, count: number): Spec {
  return { ...local, kind: CoreReloKind.FIELD_EXISTS, accessors: local.accessors.slice(0, count) }
}

/** The type that an access ends in; unstripped. */
export function endOf (spec: Spec): TypeId {
  const last = spec.accessors.at(-1)
  if (last === undefined) return spec.rootId
  return endOfStep(spec, last)
}

function endOfStep (spec: Spec, last: Accessor): TypeId {
  return last.name === undefined ? last.typeId : memberType(spec.btf, last.typeId, last.index)
}

/** The composite that the step is looked up in, in the object's words; one without a name is told by the root that it is nested in. */
function parentTypeOf (local: Spec, step: number, work: Work): string {
  // The kernel is searched for the typedef; what it stands for in the object may have another name there, or none.
  if (step === 1 && kindOf(local.btf, local.rootId) === BtfKind.TYPEDEF) return describeType(local.btf, local.rootId, true)
  const id = strip(local.btf, endOf(firstSteps(local, step)), work)
  return shownName(local.btf, id) === ''
    ? `a nested type of ${describeType(local.btf, local.rootId, true)}`
    : describeType(local.btf, id, true)
}
