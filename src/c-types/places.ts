import { kindOf, isEnum, memberBitfieldSize, nameOf, referencedType, type Btf, type TypeId } from '../btf/btf.js'
import { resolveSize, strip } from '../btf/resolve.js'
import { newWork, tryWithin, type Work } from '../btf/work.js'
import { LIMITS } from '../limits.js'
import { NEAR, nearNames } from '../members/near.js'
import { findNested, findPath, findPathAlone, membersOf, pathText, type Path } from '../members/paths.js'
import { otherNamesOf } from '../members/renames.js'
import type { HistoryPlace, HistoryRange, MemberPlace } from '../wire/types.js'
import { findEnumerator, signedValue } from './enumerators.js'
import { findTypes, formatTypeName, type TypeName } from './named-types.js'
import { sizeOf, typeText } from './type-text.js'

/** Where a type or a member is in one kernel. */
export type Places = Pick<HistoryRange, 'state' | 'places'>

/** Members that are looked at for one that moved. A large struct has some hundreds, and most moves are one level down. */
const NESTED_STEPS = 3000
/** Ways to a member that are given. */
const MAX_PLACES = 3
/** Types of the name that are looked into. Real kernels have up to about ten. */
const MAX_TYPES = 64

/** The surest first. */
const SUREST: ReadonlyArray<HistoryPlace['found']> = ['named', 'renamed', 'moved', 'similar']

/**
 * Where a member of a type is, or where it went: by its path, by what the kernel's history calls it, by its name within an embedded struct,
 * and by a name that is nearly the same. Follows from what a layout digest covers and from the size of a pointer, and from nothing else.
 *
 * @param member null for the type itself
 * @throws AppError `btf_invalid`, and `relocation_failed` with reason `work_limit`: for types that cannot be walked
 */
export function findPlaces (btf: Btf, wanted: TypeName, member: string | null): Places {
  const ids = findTypes(btf, wanted).slice(0, MAX_TYPES)
  if (ids.length === 0) return { state: 'type_missing', places: [] }
  const work = newWork(LIMITS.cSteps)
  const all = ids.flatMap(id => member === null ? [placeOfType(btf, id, wanted)] : placesOfMember(btf, id, member, work))
  const surest = SUREST.find(found => all.some(place => place.found === found))
  const texts = new Map(all.filter(({ found }) => found === surest).map(place => [JSON.stringify(place), place]))
  return { state: all.length === 0 ? 'missing' : 'present', places: [...texts.values()] }
}

function placeOfType (btf: Btf, id: TypeId, wanted: TypeName): HistoryPlace {
  const size = sizeOf(btf, id)
  const type = wanted.kind === 'typedef' ? typeText(btf, referencedType(btf, id), { isPlain: true }) : formatTypeName(wanted)
  return { path: '', type, bit_offset: 0, bit_size: size === null ? null : 8 * size, is_bitfield: false, found: 'named', value: null }
}

function placesOfMember (btf: Btf, root: TypeId, member: string, work: Work): HistoryPlace[] {
  const id = strip(btf, root, work)
  if (isEnum(kindOf(btf, id))) return placesOfEnumerator(btf, id, member, work)
  const as = (found: HistoryPlace['found'], ...paths: ReadonlyArray<Path | undefined>): HistoryPlace[] =>
    paths.flatMap(path => path === undefined ? [] : [{ ...placeOfPath(btf, path), found, value: null }])
  const named = as('named', findPath(btf, id, member, work))
  if (named.length > 0) return named
  const renamed = as('renamed', ...otherNamesOf(nameOf(btf, id), member).map(path => findPathAlone(btf, id, path)))
  if (renamed.length > 0 || member.includes('.')) return renamed
  // A list, unlike a walk, takes memory for each member. Of a type that has too many there is no guess.
  const names = tryWithin(() => membersOf(btf, id, newWork(LIMITS.cMembers)), () => []).map(({ name }) => name)
  const findNear = (most: number): HistoryPlace[] =>
    as('similar', ...nearNames(member, names, most).map(name => findPath(btf, id, name, work)))
  const spelled = findNear(NEAR.underscores)
  if (spelled.length > 0) return spelled
  const nested = tryWithin(() => findNested(btf, id, member, newWork(NESTED_STEPS)), () => [])
  return nested.length > 0 ? as('moved', ...nested.slice(0, MAX_PLACES)) : findNear(NEAR.furtherWords)
}

function placesOfEnumerator (btf: Btf, id: TypeId, name: string, work: Work): HistoryPlace[] {
  const index = findEnumerator(btf, id, new TextEncoder().encode(name), work)
  return index === undefined
    ? []
    : [{
        path: name,
        type: typeText(btf, id, { isPlain: true }),
        bit_offset: 0,
        bit_size: 8 * resolveSize(btf, id),
        is_bitfield: false,
        found: 'named',
        value: String(signedValue(btf, id, index))
      }]
}

/** A way from a struct to a member as answers have it. */
export function placeOfPath (btf: Btf, path: Path): MemberPlace {
  const last = path.at(-1)
  const width = last === undefined ? 0 : memberBitfieldSize(btf, last.composite, last.index)
  const size = last === undefined ? null : sizeOf(btf, last.type)
  return {
    path: pathText(path),
    type: last === undefined ? '' : typeText(btf, last.type, { isPlain: true }),
    bit_offset: path.some(({ isPointer }) => isPointer) ? null : path.reduce((sum, { bits }) => sum + bits, 0),
    bit_size: width !== 0 ? width : size === null ? null : 8 * size,
    is_bitfield: width !== 0
  }
}
