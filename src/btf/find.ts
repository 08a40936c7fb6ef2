import { at } from '../bytes/checked.js'
import { fnv1a } from '../bytes/hash.js'
import { sameBytes } from '../bytes/strings.js'
import { LIMITS } from '../limits.js'
import { getString, isEnum, kindOf, lengthOf, nameOffsetOf, typeId, type Btf, type StringPlace, type TypeId } from './btf.js'
import { essentialNameLength } from './names.js'
import { isIndexedKind } from './scan.js'
import { step, type Work } from './work.js'

/** A name as bytes: `length` is of the part that is compared, the essential one for candidates. */
export interface NameBytes extends StringPlace {
  readonly length: number
}

/** A name that is text, as one to look for: all of it. */
export function nameBytesOf (text: string): NameBytes {
  const bytes = new TextEncoder().encode(text)
  return { bytes, offset: 0, length: bytes.length }
}

/**
 * The essential part of the name at a string offset.
 *
 * @param work pays for names that are longer than compilers make them; without it, the name is one that is read once
 */
export function essentialName (btf: Btf, nameOffset: number, work?: Work): NameBytes {
  const place = getString(btf, nameOffset)
  const length = lengthOf(place)
  if (work !== undefined && length >= LIMITS.bytesPerStep) step(work, Math.floor(length / LIMITS.bytesPerStep))
  return { bytes: place.bytes, offset: place.offset, length: essentialNameLength(place.bytes, place.offset, length) }
}

/** Whether two essential names are the same bytes. */
export function sameName (a: NameBytes, b: NameBytes): boolean {
  return a.length === b.length && sameBytes(a.bytes, a.offset, b.bytes, b.offset, a.length)
}

/** Whether a root of one kind may be relocated against the other: equal, or both an enum of either width. */
export function isCandidateKind (local: number, target: number): boolean {
  return local === target || (isEnum(local) && isEnum(target))
}

/**
 * Types whose kind and essential name fit, in ascending id order: libbpf's bpf_core_add_cands.
 *
 * @param ownOnly leaves the base's types out, as libbpf does when it scans a module
 */
export function findCandidates (btf: Btf, kind: number, name: NameBytes, ownOnly: boolean, work: Work): TypeId[] {
  if (btf.base !== undefined && !ownOnly) {
    return [...findCandidates(btf.base, kind, name, false, work), ...findCandidates(btf, kind, name, true, work)]
  }
  const found: TypeId[] = []
  const index = btf.nameIndex
  if (index !== undefined && isIndexedKind(kind)) {
    const bucket = fnv1a(name.bytes, name.offset, name.length) & (index.starts.length - 2)
    const startsAt = btf.typeOffsets.length
    if (btf.pages !== undefined) btf.pages.bringWords(startsAt + bucket, 2)
    const [first, end] = [at(index.starts, bucket), at(index.starts, bucket + 1)]
    if (btf.pages !== undefined) btf.pages.bringWords(startsAt + index.starts.length + first, end - first)
    for (let slot = first; slot < end; slot++) {
      const id = typeId(at(index.ids, slot))
      step(work)
      if (isCandidateKind(kind, kindOf(btf, id)) && sameName(name, essentialName(btf, nameOffsetOf(btf, id), work))) found.push(id)
    }
    return found
  }
  step(work, Math.ceil((btf.endId - btf.startId) / LIMITS.typesPerStep))
  for (let id = typeId(btf.startId); id < btf.endId; id = typeId(id + 1)) {
    if (!isCandidateKind(kind, kindOf(btf, id))) continue
    const nameOffset = nameOffsetOf(btf, id)
    if (nameOffset !== 0 && sameName(name, essentialName(btf, nameOffset, work))) found.push(id)
  }
  return found
}
