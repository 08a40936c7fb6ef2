import { findString, isEnum, kindOf, nameOf, nameOffsetOf, typeId, type Btf, type TypeId } from '../btf/btf.js'
import { newWork, type Work } from '../btf/work.js'
import { sameBytes } from '../bytes/strings.js'
import { LIMITS } from '../limits.js'
import { findMember } from '../members/paths.js'
import type { FoundType, NamedKind } from '../wire/types.js'
import { findEnumerator } from './enumerators.js'
import { isNamedKind, NAMED_KINDS } from './named-types.js'
import { placeOfPath } from './places.js'
import { sizeOf } from './type-text.js'

/** Which types are looked for. */
export interface TypeSearch {
  /** What their names begin with; empty for all. */
  readonly prefix: string
  /** A member or enumerator that they have, those of nameless structs in them included. */
  readonly member: string | undefined
  readonly kind: NamedKind | undefined
  /** Where to go on: the last one that was found. */
  readonly after: TypeKey | undefined
  readonly limit: number
}

/** What types are in the order of. */
export type TypeKey = Pick<FoundType, 'name' | 'kind' | 'type_id'>

export interface FoundTypes {
  readonly types: readonly FoundType[]
  /** After which to go on; null where there are no more. */
  readonly next: TypeKey | null
}

const KINDS: ReadonlyMap<number, NamedKind> = new Map(
  Object.keys(NAMED_KINDS).filter(isNamedKind).flatMap(kind => NAMED_KINDS[kind].map(number => [number, kind] as const)))

/** Longer names are no compiler's, and cannot be asked for. */
const MAX_NAME = 256

/**
 * Types of a kernel in the order of their names.
 *
 * @throws AppError `relocation_failed` with reason `work_limit`, `btf_invalid`: for types that cannot be walked
 */
export function searchTypes (btf: Btf, { prefix, member, kind, after, limit }: TypeSearch): FoundTypes {
  const work = newWork(LIMITS.cSteps)
  const start = new TextEncoder().encode(prefix)
  const wanted = member === undefined ? undefined : new TextEncoder().encode(member)
  let found: TypeKey[] = []
  /** Only the first are wanted: whatever there is, no more are kept than that takes. */
  const cut = (): void => { found = found.sort(compareKeys).slice(0, limit + 1) }
  for (let number = 1; number < btf.endId; number++) {
    const id = typeId(number)
    const type = KINDS.get(kindOf(btf, id))
    if (type === undefined || (kind !== undefined && type !== kind) || !beginsWith(btf, id, start)) continue
    if (member !== undefined && wanted !== undefined && !hasMember(btf, id, member, wanted, work)) continue
    const key = { name: nameOf(btf, id), kind: type, type_id: number }
    if (after !== undefined && compareKeys(key, after) <= 0) continue
    found.push(key)
    if (found.length > 4 * (limit + 1)) cut()
  }
  cut()
  const page = found.slice(0, limit)
  return {
    types: page.map(key => {
      const id = typeId(key.type_id)
      const place = member === undefined || key.kind === 'enum' ? undefined : findMember(btf, id, member, work)
      return { ...key, size: sizeOf(btf, id), member: place === undefined ? null : placeOfPath(btf, [{ ...place, isPointer: false }]) }
    }),
    next: found.length > limit ? page.at(-1) ?? null : null
  }
}

function compareKeys (a: TypeKey, b: TypeKey): number {
  return compareTexts(a.name, b.name) || compareTexts(a.kind, b.kind) || a.type_id - b.type_id
}

function compareTexts (a: string, b: string): number { return a < b ? -1 : a > b ? 1 : 0 }

function beginsWith (btf: Btf, id: TypeId, start: Uint8Array): boolean {
  const offset = nameOffsetOf(btf, id)
  const place = offset === 0 ? undefined : findString(btf, offset)
  if (place === undefined || !sameBytes(place.bytes, place.offset, start, 0, start.length)) return false
  const end = place.bytes.indexOf(0, place.offset)
  return end - place.offset <= MAX_NAME
}

function hasMember (btf: Btf, id: TypeId, member: string, wanted: Uint8Array, work: Work): boolean {
  return (isEnum(kindOf(btf, id)) ? findEnumerator(btf, id, wanted, work) : findMember(btf, id, member, work)) !== undefined
}
