import {
  arrayElement, arrayIndexType, arrayLength, isComposite, isEnum, isModifierOrTypedef, kindOf, memberType, ownerOf, paramType,
  referencedType, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { strip } from '../btf/resolve.js'
import { step, type Work } from '../btf/work.js'
import type { Spec } from '../core/index.js'

/** What is kept of one type. Members, or enumerators, by their place in the kernel's type. */
export interface KeptType {
  readonly elements: Set<number>
  /** Ways in which the types below it were followed already; see `Depth`. */
  readonly followed: Set<Depth>
}

/**
 * How far from a type others are kept:
 * - `value`: through typedefs, qualifiers, arrays and prototypes; a pointer becomes one to void. What fields need.
 * - `pointers`: through pointers too, composites without their members. What type_exists, type_size and target_type_id compare.
 * - `match`: members and enumerators too. What type_matches compares.
 * - `match behind a pointer`: the same, composites without their members.
 */
export type Depth = 'value' | 'pointers' | 'match' | 'match behind a pointer'

/** The types of a kernel that a smaller BTF has. */
export interface KeptTypes {
  /** By the BTF that has the type's record: vmlinux, or a module. */
  readonly byOwner: ReadonlyMap<Btf, ReadonlyMap<TypeId, KeptType>>
  keep(btf: Btf, id: TypeId, depth: Depth): void
  /** Keeps what a field's access goes through: each member on its way, and the type of the last. */
  keepAccess(spec: Spec): void
  /** Keeps an enumeration with the enumerator that was found. */
  keepEnumerator(spec: Spec): void
}

/** @param work bounds the walks, which throw AppError `relocation_failed` (`work_limit`) past it */
export function createKeptTypes (work: Work): KeptTypes {
  const byOwner = new Map<Btf, Map<TypeId, KeptType>>()

  const keptOf = (btf: Btf, id: TypeId): KeptType => {
    const owner = ownerOf(btf, id)
    let types = byOwner.get(owner)
    if (types === undefined) byOwner.set(owner, types = new Map())
    let kept = types.get(id)
    if (kept === undefined) types.set(id, kept = { elements: new Set(), followed: new Set() })
    return kept
  }

  const keep = (btf: Btf, root: TypeId, rootDepth: Depth): void => {
    const pending: Array<readonly [TypeId, Depth]> = [[root, rootDepth]]
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const [id, depth] = next
      if (id === 0) continue
      step(work)
      const kept = keptOf(btf, id)
      if (kept.followed.has(depth)) continue
      kept.followed.add(depth)
      for (const below of typesBelow(btf, id, depth, kept)) pending.push(below)
    }
  }

  const keepMember = (btf: Btf, composite: TypeId, index: number): TypeId => {
    const type = memberType(btf, composite, index)
    keptOf(btf, composite).elements.add(index)
    keep(btf, type, 'value')
    return type
  }
  /** An array of no elements may be read past its end where it is its composite's last member, and must not become that. */
  const isEmptyArray = (btf: Btf, id: TypeId): boolean => {
    const type = strip(btf, id, work)
    return kindOf(btf, type) === BtfKind.ARRAY && arrayLength(btf, type) === 0
  }

  return {
    byOwner,
    keep,
    keepAccess (spec) {
      const { btf } = spec
      let current = spec.rootId
      keep(btf, current, 'value')
      for (const index of spec.raw.slice(1)) {
        current = strip(btf, current, work)
        if (isComposite(kindOf(btf, current))) {
          const member = keepMember(btf, current, index)
          if (isEmptyArray(btf, member)) keepMember(btf, current, vlenOf(btf, current) - 1)
          current = member
        } else {
          current = arrayElement(btf, current)
          keep(btf, current, 'value')
        }
      }
    },
    keepEnumerator (spec) {
      keep(spec.btf, spec.rootId, 'value')
      const [enumerator] = spec.accessors
      if (enumerator !== undefined) keptOf(spec.btf, enumerator.typeId).elements.add(enumerator.index)
    }
  }
}

function * typesBelow (btf: Btf, id: TypeId, depth: Depth, { elements }: KeptType): Generator<readonly [TypeId, Depth]> {
  const kind = kindOf(btf, id)
  if (isModifierOrTypedef(kind)) {
    yield [referencedType(btf, id), depth]
  } else if (kind === BtfKind.PTR) {
    if (depth === 'pointers') yield [referencedType(btf, id), depth]
    if (depth === 'match' || depth === 'match behind a pointer') yield [referencedType(btf, id), 'match behind a pointer']
  } else if (kind === BtfKind.ARRAY) {
    yield [arrayElement(btf, id), depth]
    yield [arrayIndexType(btf, id), 'value']
  } else if (kind === BtfKind.FUNC_PROTO) {
    yield [referencedType(btf, id), depth]
    for (let i = 0; i < vlenOf(btf, id); i++) yield [paramType(btf, id, i), depth]
  } else if (isEnum(kind)) {
    if (depth === 'match' || depth === 'match behind a pointer') for (let i = 0; i < vlenOf(btf, id); i++) elements.add(i)
  } else if (isComposite(kind) && depth === 'match') {
    for (let i = 0; i < vlenOf(btf, id); i++) {
      elements.add(i)
      yield [memberType(btf, id, i), 'match']
    }
  }
}
