import { BtfKind } from '../../btf/constants.js'
import { isComposite, isSignedInt, kindOf, sizeWordOf, vlenOf, type TypeId } from '../../btf/btf.js'
import { strip } from '../../btf/resolve.js'
import { shownName } from '../../btf/shown-text.js'
import { typesMatch, type Sides } from '../../core/compat.js'
import { declaration } from '../c-text.js'
import { membersOf } from '../../members/paths.js'

/** Levels of members within members that are compared. */
const MAX_LEVELS = 8

/** The first thing that makes type_matches fail, as a sentence without its beginning. Undefined where nothing simple does. */
export function firstDifference (sides: Sides, local: TypeId, target: TypeId, path = '', levels = MAX_LEVELS): string | undefined {
  const [a, b] = [strip(sides.local, local, sides.work), strip(sides.target, target, sides.work)]
  if (isComposite(kindOf(sides.local, a)) && kindOf(sides.local, a) === kindOf(sides.target, b) && levels > 0) {
    const theirs = membersOf(sides.target, b, sides.work)
    for (const member of membersOf(sides.local, a, sides.work)) {
      const other = theirs.find(({ name }) => name === member.name)
      const name = path === '' ? member.name : `${path}.${member.name}`
      if (other === undefined) return `it has no member ${name}.`
      if (!typesMatch(sides, member.type, other.type)) return firstDifference(sides, member.type, other.type, name, levels - 1)
    }
    return vlenOf(sides.local, a) > vlenOf(sides.target, b) ? 'it has fewer members.' : undefined
  }
  if (path === '') return undefined
  const both = `its member ${path} is ${declaration(sides.local, local)} in the object ` +
    `and ${declaration(sides.target, target)} in this kernel.`
  return isSameInteger(sides, a, b)
    ? `${both} That is one type in the spelling of two compilers (${shownName(sides.local, a)}, ${shownName(sides.target, b)}), ` +
      'and type_matches compares the spelling.'
    : both
}

function isSameInteger ({ local, target }: Sides, a: TypeId, b: TypeId): boolean {
  return kindOf(local, a) === BtfKind.INT && kindOf(target, b) === BtfKind.INT &&
    sizeWordOf(local, a) === sizeWordOf(target, b) && isSignedInt(local, a) === isSignedInt(target, b)
}
