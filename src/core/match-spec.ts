import {
  arrayElement, arrayLength, enumeratorNameOffset, isComposite, isEmptyString, isEnum, kindOf, memberBitOffset, memberNameOffset,
  memberType, sameStrings, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { essentialName, sameName } from '../btf/find.js'
import { resolveSize, strip } from '../btf/resolve.js'
import { step, type Work } from '../btf/work.js'
import { LIMITS } from '../limits.js'
import { fieldsAreCompatible, typesAreCompatible, typesMatch, type Sides } from './compat.js'
import { errnoName, fault } from './fault.js'
import { CoreReloKind, isEnumvalKind, isFieldKind } from './kinds.js'
import { wholeName, type Indices } from './member-index.js'
import { bitsOf, isFlexibleArray, type Accessor, type Spec } from './spec.js'

/** A target type of the right name, not yet chosen: in vmlinux, or in the module that `btf` is. */
export interface Candidate {
  readonly btf: Btf
  readonly id: TypeId
}

interface SearchedSides extends Sides {
  readonly indices: Indices | undefined
}

/**
 * Resolves what the local spec means in a candidate: libbpf's bpf_core_spec_match. Undefined where the candidate does not
 * have it.
 *
 * @param indices of the run, where a type may be searched often
 * @throws AppError `relocation_failed` where libbpf's answer is an error and not "no match"
 */
export function matchSpec (local: Spec, candidate: Candidate, work: Work, indices?: Indices): Spec | undefined {
  const sides: SearchedSides = { local: local.btf, target: candidate.btf, work, indices }
  if (isFieldKind(local.kind)) {
    const state = matchFields(local, candidate, sides)
    return state === undefined ? undefined : found(local, candidate, state)
  }
  if (isEnumvalKind(local.kind)) {
    const accessor = matchEnumerator(local, candidate, sides)
    return accessor === undefined ? undefined : found(local, candidate, { raw: [accessor.index], accessors: [accessor], bitOffset: 0 })
  }
  const isMatch = local.kind === CoreReloKind.TYPE_MATCHES
    ? typesMatch(sides, local.rootId, candidate.id)
    : typesAreCompatible(sides, local.rootId, candidate.id)
  return isMatch ? found(local, candidate, { raw: [], accessors: [], bitOffset: 0 }) : undefined
}

function found (local: Spec, candidate: Candidate, { raw, accessors, bitOffset }: Pick<Spec, 'raw' | 'accessors' | 'bitOffset'>): Spec {
  return { btf: candidate.btf, kind: local.kind, rootId: candidate.id, raw, accessors, bitOffset }
}

function matchEnumerator (local: Spec, candidate: Candidate, sides: SearchedSides): Accessor | undefined {
  const enumId = strip(candidate.btf, candidate.id, sides.work)
  const wanted = local.accessors[0]?.name
  if (wanted === undefined || !isEnum(kindOf(candidate.btf, enumId))) return undefined
  const name = essentialName(local.btf, wanted, sides.work)
  const known = sides.indices?.enumeratorsOf(candidate.btf, enumId, sides.work)
  if (known !== undefined) {
    const index = known.find(name, sides.work)
    return index === undefined ? undefined : { typeId: enumId, index, name: enumeratorNameOffset(candidate.btf, enumId, index) }
  }
  for (let index = 0; index < vlenOf(candidate.btf, enumId); index++) {
    step(sides.work)
    const offset = enumeratorNameOffset(candidate.btf, enumId, index)
    if (sameName(name, essentialName(candidate.btf, offset, sides.work))) return { typeId: enumId, index, name: offset }
  }
  return undefined
}

/** The target spec while it is built. Mutable, because libbpf's search leaves traces in it that must be reproduced. */
interface MatchState {
  readonly raw: number[]
  readonly accessors: Accessor[]
  bitOffset: number
  /** Where the walk is: the type that the next accessor is looked up in. */
  current: TypeId
}

function matchFields (local: Spec, candidate: Candidate, sides: SearchedSides): MatchState | undefined {
  const state: MatchState = { raw: [], accessors: [], bitOffset: 0, current: candidate.id }
  const { target } = sides
  for (const [i, accessor] of local.accessors.entries()) {
    state.current = strip(target, state.current, sides.work)
    if (accessor.name !== undefined) {
      const wanted = {
        nameOffset: accessor.name,
        type: memberType(local.btf, accessor.typeId, accessor.index),
        cost: costOfName(local.btf, accessor.name)
      }
      if (!findMember(sides, state, wanted)) return undefined
      continue
    }
    if (i > 0) {
      if (kindOf(target, state.current) !== BtfKind.ARRAY) return undefined
      const isFlexible = isFlexibleArray(target, state.accessors.at(-1), state.current)
      if (!isFlexible && accessor.index >= arrayLength(target, state.current)) return undefined
      state.current = strip(target, arrayElement(target, state.current), sides.work)
    }
    if (state.raw.length === LIMITS.accessSpecLength) throw tooLong()
    state.accessors.push({ typeId: state.current, index: accessor.index, name: undefined })
    state.raw.push(accessor.index)
    // libbpf keeps this size in an int, so that one of 2 GiB or more reads as an error too.
    const size = resolveSize(target, state.current) | 0
    if (size < 0) {
      throw fault(
        errnoName(size),
        'size_unknown',
        `A candidate type (id ${state.current}) has no size in this kernel, only a forward declaration or no definition; ` +
        'libbpf refuses the object for it.'
      )
    }
    state.bitOffset = (state.bitOffset + bitsOf(accessor.index, size)) >>> 0
  }
  return state
}

interface WantedMember {
  /** In the local BTF's strings. */
  readonly nameOffset: number
  readonly type: TypeId
  /** Steps of one comparison with its name. */
  readonly cost: number
}

/** searchMember by the index of the composite, where there is one and the order of its members cannot matter. */
function findMember (sides: SearchedSides, state: MatchState, wanted: WantedMember): boolean {
  const { local, target, work } = sides
  const index = isComposite(kindOf(target, state.current)) ? sides.indices?.membersOf(target, state.current, work) : undefined
  // Where a walk could reach the longest spec, it has to say where: before the member, or after one that does not fit.
  const isShort = index !== undefined && state.raw.length + 2 * index.depth + 1 < LIMITS.accessSpecLength
  const found = isShort ? index.find(wholeName(local, wanted.nameOffset), work) : 'several'
  if (found === 'several') return searchMember(sides, state, state.current, wanted)
  if (found === undefined) return false
  const type = memberType(target, found.owner, found.index)
  if (!fieldsAreCompatible(sides, wanted.type, type)) return false
  state.bitOffset = (state.bitOffset + found.bits) >>> 0
  state.raw.push(...found.path)
  state.accessors.push({ typeId: found.owner, index: found.index, name: found.nameOffset })
  state.current = type
  return true
}

/**
 * Finds a member by name, looking through anonymous ones: libbpf's bpf_core_match_member. The first member of that name
 * decides, fitting or not.
 *
 * A known mistake of libbpf is kept, because a node that relocates by itself would see its result: where a name is found
 * inside an anonymous member but does not fit, the anonymous member's offset and index stay in the state, and the search goes
 * on with its siblings. Only BTF in which one struct has two members of one name can show it.
 */
function searchMember (sides: Sides, state: MatchState, composite: TypeId, wanted: WantedMember): boolean {
  const { target } = sides
  const id = strip(target, composite, sides.work)
  if (!isComposite(kindOf(target, id))) return false
  const count = vlenOf(target, id)
  for (let index = 0; index < count; index++) {
    step(sides.work, wanted.cost)
    if (state.raw.length === LIMITS.accessSpecLength) throw tooLong()
    const nameOffset = memberNameOffset(target, id, index)
    const isAnonymous = isEmptyString(target, nameOffset)
    if (!isAnonymous && !sameStrings(sides.local, wanted.nameOffset, target, nameOffset)) continue
    const bits = memberBitOffset(target, id, index)
    state.bitOffset = (state.bitOffset + bits) >>> 0
    state.raw.push(index)
    if (!isAnonymous) {
      const type = memberType(target, id, index)
      if (!fieldsAreCompatible(sides, wanted.type, type)) return false
      state.accessors.push({ typeId: id, index, name: nameOffset })
      state.current = type
      return true
    }
    if (searchMember(sides, state, memberType(target, id, index), wanted)) return true
    state.bitOffset = (state.bitOffset - bits) >>> 0
    state.raw.pop()
  }
  return false
}

function costOfName (btf: Btf, nameOffset: number): number {
  return 1 + Math.floor(wholeName(btf, nameOffset).length / LIMITS.bytesPerStep)
}

function tooLong () {
  return fault(
    'E2BIG',
    'spec_too_long',
    `The field lies more than ${LIMITS.accessSpecLength} accesses deep in this kernel's type, which libbpf refuses.`
  )
}
