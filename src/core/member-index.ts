import { fnv1a } from '../bytes/hash.js'
import { sameBytes } from '../bytes/strings.js'
import {
  enumeratorNameOffset, getString, isComposite, isEmptyString, kindOf, lengthOf, memberBitOffset, memberNameOffset, memberType, vlenOf,
  type Btf, type TypeId
} from '../btf/btf.js'
import { essentialName, type NameBytes } from '../btf/find.js'
import { strip } from '../btf/resolve.js'
import { isWorkLimit, step, type Work } from '../btf/work.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'

/** A member of a composite, or of an anonymous member of it. */
export interface IndexedMember {
  /** The composite that has it; stripped. */
  readonly owner: TypeId
  readonly index: number
  readonly nameOffset: number
  /** The indices that lead to it from the outer composite, its own last. */
  readonly path: readonly number[]
  /** From the start of the outer composite, in bits, modulo 2^32. */
  readonly bits: number
}

/** The named members of one composite, anonymous ones looked through. */
export interface MemberIndex {
  /** Anonymous members around the innermost member. */
  readonly depth: number
  /** Undefined where there is none, `several` where more than one has the name, whose order only a walk can respect. */
  find(name: NameBytes, work: Work): IndexedMember | 'several' | undefined
}

/** The enumerators of one enum, by essential name. */
export interface EnumeratorIndex {
  /** The position of the first of that essential name. */
  find(name: NameBytes, work: Work): number | undefined
}

/**
 * The indices of one run. A type gets its index when it is searched often, so that a small object pays for none; whether it has
 * one never shows in a result, and its steps are the run's own.
 */
export interface Indices {
  /** Undefined: walk. `id` is a composite. */
  membersOf(btf: Btf, id: TypeId, work: Work): MemberIndex | undefined
  /** Undefined: walk. `id` is an enum. */
  enumeratorsOf(btf: Btf, id: TypeId, work: Work): EnumeratorIndex | undefined
}

/** An index costs about three walks. */
const WALKS = 4

/** @param walks searches of one type by walking, before it is indexed */
export function createIndices (walks = WALKS): Indices {
  return { membersOf: createTable(walks, buildMembers), enumeratorsOf: createTable(walks, buildEnumerators) }
}

function createTable<T> (
  walks: number,
  build: (btf: Btf, id: TypeId, work: Work) => T | undefined
): (btf: Btf, id: TypeId, work: Work) => T | undefined {
  const tables = new Map<Btf, Map<TypeId, { searches: number, index: T | undefined }>>()
  return (btf, id, work) => {
    let table = tables.get(btf)
    if (table === undefined) tables.set(btf, table = new Map())
    let entry = table.get(id)
    if (entry === undefined) table.set(id, entry = { searches: 0, index: undefined })
    if (entry.searches++ === walks) entry.index = build(btf, id, work)
    return entry.index
  }
}

/** Undefined for a composite that is no tree of moderate size: a walk says what libbpf says of it. */
function buildMembers (btf: Btf, composite: TypeId, work: Work): MemberIndex | undefined {
  const names = createNames<IndexedMember>()
  let depth = 0
  const visit = (id: TypeId, path: readonly number[], bits: number): boolean => {
    if (path.length > LIMITS.indexedDepth || names.size() > LIMITS.indexedMembers) return false
    depth = Math.max(depth, path.length)
    for (let index = 0; index < vlenOf(btf, id); index++) {
      step(work)
      const nameOffset = memberNameOffset(btf, id, index)
      const place = [...path, index]
      const offset = (bits + memberBitOffset(btf, id, index)) >>> 0
      if (!isEmptyString(btf, nameOffset)) {
        names.add(wholeName(btf, nameOffset), { owner: id, index, nameOffset, path: place, bits: offset }, work)
        continue
      }
      const inner = strip(btf, memberType(btf, id, index), work)
      if (isComposite(kindOf(btf, inner)) && !visit(inner, place, offset)) return false
    }
    return true
  }
  try {
    if (!visit(composite, [], 0)) return undefined
  } catch (error) {
    if (error instanceof AppError && !isWorkLimit(error)) return undefined
    throw error
  }
  return {
    depth,
    find (name, work) {
      const found = names.find(name, work)
      return found.length > 1 ? 'several' : found[0]
    }
  }
}

function buildEnumerators (btf: Btf, id: TypeId, work: Work): EnumeratorIndex {
  const names = createNames<number>()
  for (let index = 0; index < vlenOf(btf, id); index++) {
    step(work)
    names.add(essentialName(btf, enumeratorNameOffset(btf, id, index), work), index, work)
  }
  return { find: (name, work) => names.find(name, work)[0] }
}

export function wholeName (btf: Btf, nameOffset: number): NameBytes {
  const place = getString(btf, nameOffset)
  return { ...place, length: lengthOf(place) }
}

interface Named<T> {
  readonly name: NameBytes
  readonly value: T
}

/** A multimap from names to values, in the order in which they were added. */
interface Names<T> {
  add(name: NameBytes, value: T, work: Work): void
  find(name: NameBytes, work: Work): T[]
  size(): number
}

function createNames<T> (): Names<T> {
  const buckets = new Map<number, Array<Named<T>>>()
  let size = 0
  const hashOf = ({ bytes, offset, length }: NameBytes, work: Work): number => {
    step(work, Math.floor(length / LIMITS.bytesPerStep))
    return fnv1a(bytes, offset, length)
  }
  return {
    add (name, value, work) {
      const hash = hashOf(name, work)
      const bucket = buckets.get(hash)
      if (bucket === undefined) buckets.set(hash, [{ name, value }])
      else bucket.push({ name, value })
      size++
    },
    find (name, work) {
      const found: T[] = []
      step(work)
      for (const other of buckets.get(hashOf(name, work)) ?? []) {
        step(work, 1 + Math.floor(name.length / LIMITS.bytesPerStep))
        const isSame = other.name.length === name.length &&
          sameBytes(other.name.bytes, other.name.offset, name.bytes, name.offset, name.length)
        if (isSame) found.push(other.value)
      }
      return found
    },
    size: () => size
  }
}
