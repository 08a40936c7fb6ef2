import { sameBytes } from '../bytes/strings.js'
import { BtfKind } from '../btf/constants.js'
import {
  findString, isComposite, isEmptyString, kindOf, memberBitOffset, memberNameOffset, memberType, referencedType, vlenOf, type Btf,
  type TypeId
} from '../btf/btf.js'
import { strip } from '../btf/resolve.js'
import { shownText } from '../btf/shown-text.js'
import { newWork, step, tryWithin, type Work } from '../btf/work.js'

/** A named member of a composite. Anonymous members around it are left out, as C leaves them out. */
export interface NamedMember {
  readonly name: string
  /** The struct or union that has it directly; stripped. */
  readonly composite: TypeId
  readonly index: number
  /** Unstripped. */
  readonly type: TypeId
  /** From the start of the struct or union that it was looked for in, in bits. */
  readonly bits: number
}

/** A way from a struct to a field: each step a member of the one before, or, where `isPointer`, of what it points to. */
export type Path = ReadonlyArray<NamedMember & { readonly isPointer: boolean }>

/** In C: `q->disk`, `thread_info.cpu`. */
export function pathText (path: Path): string {
  return path.map(({ name, isPointer }, i) => (i === 0 ? '' : isPointer ? '->' : '.') + name).join('')
}

/** Levels of anonymous members that are looked through, and of named ones that a member is looked for in. */
const MAX_ANONYMOUS = 16
const MAX_NESTED = 4

/** Sees a named member of a composite that is `base` bits into the one that is looked through. True ends the walk. */
type Visit = (nameOffset: number, composite: TypeId, index: number, base: number) => boolean

/** Sees each named member, anonymous ones looked through. One step of work each. */
function someMember (
  btf: Btf,
  id: TypeId,
  work: Work,
  visit: Visit,
  base = 0,
  depth = 0
): boolean {
  const composite = strip(btf, id, work)
  if (!isComposite(kindOf(btf, composite)) || depth > MAX_ANONYMOUS) return false
  const count = vlenOf(btf, composite)
  for (let index = 0; index < count; index++) {
    step(work)
    const nameOffset = memberNameOffset(btf, composite, index)
    const isOver = isEmptyString(btf, nameOffset)
      ? someMember(btf, memberType(btf, composite, index), work, visit, base + memberBitOffset(btf, composite, index), depth + 1)
      : visit(nameOffset, composite, index, base)
    if (isOver) return true
  }
  return false
}

function placeOf (btf: Btf, nameOffset: number, composite: TypeId, index: number, base: number): NamedMember {
  const bits = base + memberBitOffset(btf, composite, index)
  return { name: shownText(btf, nameOffset), composite, index, type: memberType(btf, composite, index), bits }
}

/** All named members, anonymous ones looked through. One step of work each. */
export function membersOf (btf: Btf, id: TypeId, work: Work): NamedMember[] {
  const members: NamedMember[] = []
  someMember(btf, id, work, (nameOffset, composite, index, base) => {
    members.push(placeOf(btf, nameOffset, composite, index, base))
    return false
  })
  return members
}

/** The named member of that name, anonymous ones looked through. One step of work for each that is passed. */
export function findMember (btf: Btf, id: TypeId, name: string, work: Work): NamedMember | undefined {
  const wanted = encoder.encode(name)
  let found: NamedMember | undefined
  someMember(btf, id, work, (nameOffset, composite, index, base) => {
    if (!hasName(btf, nameOffset, wanted)) return false
    found = placeOf(btf, nameOffset, composite, index, base)
    return true
  })
  return found
}

/** Follows a path in C from a struct. Undefined where the struct does not have it. */
export function findPath (btf: Btf, root: TypeId, text: string, work: Work): Path | undefined {
  const path: Array<Path[number]> = []
  let current = root
  for (const [, arrow, name = ''] of text.matchAll(/(^|\.|->)([A-Za-z0-9_]+)/g)) {
    const isPointer = arrow === '->'
    if (isPointer) {
      const pointer = strip(btf, current, work)
      if (kindOf(btf, pointer) !== BtfKind.PTR) return undefined
      current = referencedType(btf, pointer)
    }
    const member = findMember(btf, current, name, work)
    if (member === undefined) return undefined
    path.push({ ...member, isPointer })
    current = member.type
  }
  return path
}

/** Members that are passed on one path. The largest struct of a kernel has some hundreds. */
const PATH_STEPS = 20_000

/**
 * The same with steps of its own; a path that takes more is not found. What is found follows from the types on the path alone, whatever
 * else was looked for: layout digests have so much of what is behind a pointer, and no more.
 */
export function findPathAlone (btf: Btf, root: TypeId, text: string): Path | undefined { return findPathCounted(btf, root, text).path }

/** The same with how many steps it took, for who follows paths of more types than real BTF has. */
export function findPathCounted (btf: Btf, root: TypeId, text: string): { readonly path: Path | undefined, readonly steps: number } {
  const work = newWork(PATH_STEPS)
  const path = tryWithin(() => findPath(btf, root, text, work), () => undefined)
  return { path, steps: PATH_STEPS - work.left }
}

/** A member on the way to another; what it is called is read only where the way ends well. */
interface Way {
  readonly before: Way | undefined
  readonly nameOffset: number
  readonly composite: TypeId
  readonly index: number
  readonly base: number
}

/**
 * The shortest ways to members of that name inside named members of a struct: where a member may have moved to. None where
 * there are not steps enough to look through a level.
 */
export function findNested (btf: Btf, root: TypeId, name: string, work: Work): Path[] {
  const wanted = encoder.encode(name)
  let level: ReadonlyArray<Way | undefined> = [undefined]
  for (let depth = 0; depth <= MAX_NESTED && level.length > 0; depth++) {
    const found: Way[] = []
    const next: Way[] = []
    for (const before of level) {
      const from = before === undefined ? root : memberType(btf, before.composite, before.index)
      const isOver = someMember(btf, from, work, (nameOffset, composite, index, base) => {
        if (work.left < STEPS_LEFT) return true
        if (depth > 0 && hasName(btf, nameOffset, wanted)) {
          found.push({ before, nameOffset, composite, index, base })
        } else if (isComposite(kindOf(btf, strip(btf, memberType(btf, composite, index), work)))) {
          next.push({ before, nameOffset, composite, index, base })
        }
        return false
      })
      if (isOver) return []
    }
    if (found.length > 0) return found.map(way => toPath(btf, way))
    level = next
  }
  return []
}

/** Enough for the typedefs of a member, so that a search ends by itself: to throw costs more than the rest of it. */
const STEPS_LEFT = 40

function toPath (btf: Btf, { before, nameOffset, composite, index, base }: Way): Path {
  return [...before === undefined ? [] : toPath(btf, before), { ...placeOf(btf, nameOffset, composite, index, base), isPointer: false }]
}

const encoder = new TextEncoder()

/** Whether the name at an offset of the BTF's strings is these bytes. */
export function hasName (btf: Btf, nameOffset: number, wanted: Uint8Array): boolean {
  const place = findString(btf, nameOffset)
  return place !== undefined && place.bytes[place.offset + wanted.length] === 0 &&
    sameBytes(place.bytes, place.offset, wanted, 0, wanted.length)
}
