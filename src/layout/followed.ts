import {
  getString, isComposite, isEmptyString, kindOf, lengthOf, memberNameOffset, memberType, nameOffsetOf, referencedType, typeId, vlenOf,
  type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { strip } from '../btf/resolve.js'
import { newWork, step, type Work } from '../btf/work.js'
import { sameBytes } from '../bytes/strings.js'
import type { FollowedMember } from './format.js'

/** Members that are passed to find those that are followed. The largest struct of a kernel has some hundreds. */
const STEPS = 20_000

interface Follower {
  /** Not 0 by the first byte of the names of composites that may have followed members. Nearly all others have another. */
  readonly initials: Uint8Array
  /**
   * The composites that followed members of a composite point to, in the order of the members.
   *
   * @throws AppError `relocation_failed` with reason `work_limit`, `btf_invalid`: for types that cannot be walked
   */
  readonly follow: (composite: number) => readonly TypeId[]
}

export function createFollower (btf: Btf, followed: readonly FollowedMember[]): Follower {
  const wanted = new Map<string, { readonly type: Uint8Array, readonly members: Uint8Array[] }>()
  for (const { type, member } of followed) {
    const entry = wanted.get(type) ?? { type: toBytes(type), members: [] }
    entry.members.push(toBytes(member))
    wanted.set(type, entry)
  }
  const entries = [...wanted.values()]
  const initials = new Uint8Array(256)
  for (const { type: [initial = 0] } of entries) initials[initial] = 1
  return {
    initials,
    follow (composite) {
      const id = typeId(composite)
      const nameOffset = nameOffsetOf(btf, id)
      for (const { type, members } of entries) {
        if (!hasName(btf, nameOffset, type)) continue
        const work = newWork(STEPS)
        return typesOfMembers(btf, id, members, work).flatMap(member => pointeeOf(btf, member, work) ?? [])
      }
      return NOTHING
    }
  }
}

const NOTHING: readonly TypeId[] = []

function toBytes (name: string): Uint8Array { return Uint8Array.from(name, character => character.charCodeAt(0)) }

function hasName (btf: Btf, nameOffset: number, name: Uint8Array): boolean {
  const place = getString(btf, nameOffset)
  return sameBytes(place.bytes, place.offset, name, 0, name.length) && lengthOf(place) === name.length
}

/** Types of the members of those names, anonymous members looked through, in their order. */
function typesOfMembers (btf: Btf, id: TypeId, names: readonly Uint8Array[], work: Work): TypeId[] {
  const found: TypeId[] = []
  for (let i = 0; i < vlenOf(btf, id); i++) {
    step(work)
    const nameOffset = memberNameOffset(btf, id, i)
    const type = memberType(btf, id, i)
    if (!isEmptyString(btf, nameOffset)) {
      if (names.some(name => hasName(btf, nameOffset, name))) found.push(type)
      continue
    }
    const inner = strip(btf, type, work)
    if (isComposite(kindOf(btf, inner))) found.push(...typesOfMembers(btf, inner, names, work))
  }
  return found
}

/** The composite that a pointer leads to. */
function pointeeOf (btf: Btf, type: TypeId, work: Work): TypeId | undefined {
  const pointer = strip(btf, type, work)
  if (kindOf(btf, pointer) !== BtfKind.PTR) return undefined
  const pointee = strip(btf, referencedType(btf, pointer), work)
  return isComposite(kindOf(btf, pointee)) ? pointee : undefined
}
