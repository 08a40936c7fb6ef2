import { BtfKind } from '../../btf/constants.js'
import { isComposite, isEmptyString, kindOf, memberNameOffset, memberType, referencedType, vlenOf, type Btf, type TypeId } from '../../btf/btf.js'
import { strip } from '../../btf/resolve.js'
import { shownText } from '../../btf/shown-text.js'
import { step, type Work } from '../../btf/work.js'

/** A named member of a composite. Anonymous members around it are left out, as C leaves them out. */
export interface MemberPlace {
  readonly name: string
  /** The struct or union that has it directly; stripped. */
  readonly composite: TypeId
  readonly index: number
  /** Unstripped. */
  readonly type: TypeId
}

/** A way from a struct to a field: each step a member of the one before, or, where `isPointer`, of what it points to. */
export type Path = ReadonlyArray<MemberPlace & { readonly isPointer: boolean }>

/** In C: `q->disk`, `thread_info.cpu`. */
export function pathText (path: Path): string {
  return path.map(({ name, isPointer }, i) => (i === 0 ? '' : isPointer ? '->' : '.') + name).join('')
}

/** Levels of anonymous members that are looked through, and of named ones that a member is looked for in. */
const MAX_ANONYMOUS = 16
const MAX_NESTED = 4

/** All named members, anonymous ones looked through. One step of work each. */
export function membersOf (btf: Btf, id: TypeId, work: Work, depth = 0): MemberPlace[] {
  const composite = strip(btf, id, work)
  if (!isComposite(kindOf(btf, composite)) || depth > MAX_ANONYMOUS) return []
  const members: MemberPlace[] = []
  for (let index = 0; index < vlenOf(btf, composite); index++) {
    step(work)
    const nameOffset = memberNameOffset(btf, composite, index)
    const type = memberType(btf, composite, index)
    if (isEmptyString(btf, nameOffset)) members.push(...membersOf(btf, type, work, depth + 1))
    else members.push({ name: shownText(btf, nameOffset), composite, index, type })
  }
  return members
}

/** Follows a path in C from a struct. Undefined where the struct does not have it. */
export function findPath (btf: Btf, root: TypeId, text: string, work: Work): Path | undefined {
  const path: Array<Path[number]> = []
  let current = root
  for (const [, arrow, name] of text.matchAll(/(^|\.|->)([A-Za-z0-9_]+)/g)) {
    const isPointer = arrow === '->'
    if (isPointer) {
      const pointer = strip(btf, current, work)
      if (kindOf(btf, pointer) !== BtfKind.PTR) return undefined
      current = referencedType(btf, pointer)
    }
    const member = membersOf(btf, current, work).find(member => member.name === name)
    if (member === undefined) return undefined
    path.push({ ...member, isPointer })
    current = member.type
  }
  return path
}

/** The shortest ways to members of that name inside named members of a struct: where a member may have moved to. */
export function findNested (btf: Btf, root: TypeId, name: string, work: Work): Path[] {
  let level: Array<{ readonly id: TypeId, readonly path: Path }> = [{ id: root, path: [] }]
  for (let depth = 0; depth <= MAX_NESTED && level.length > 0; depth++) {
    const found: Path[] = []
    const next: typeof level = []
    for (const { id, path } of level) {
      for (const member of membersOf(btf, id, work)) {
        const longer = [...path, { ...member, isPointer: false }]
        if (member.name === name && depth > 0) found.push(longer)
        else if (isComposite(kindOf(btf, strip(btf, member.type, work)))) next.push({ id: member.type, path: longer })
      }
    }
    if (found.length > 0) return found
    level = next
  }
  return []
}
