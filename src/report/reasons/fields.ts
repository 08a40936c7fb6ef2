import { BtfKind } from '../../btf/constants.js'
import { arrayLength, isComposite, kindOf, memberType, type Btf, type TypeId } from '../../btf/btf.js'
import { strip } from '../../btf/resolve.js'
import { shownName, shownText } from '../../btf/shown-text.js'
import { fieldsAreCompatible } from '../../core/compat.js'
import { describeAccess } from '../../core/describe.js'
import type { Candidate } from '../../core/match-spec.js'
import type { Spec } from '../../core/spec.js'
import { declaration, isScalar, memberDeclaration, sizedMember } from '../c-text.js'
import { newWork, tryWithin, type Work } from '../../btf/work.js'
import { endOf, firstSteps, type BrokenField } from './broken-field.js'
import type { ReasonContext } from './context.js'
import { keepSearches } from './kept-searches.js'
import { nearNames } from '../../members/near.js'
import { findNested, findPathAlone, membersOf, pathText, type NamedMember, type Path } from '../../members/paths.js'
import { listed, type Explanation } from './reason.js'
import { otherNamesOf, replacedBy } from '../../members/renames.js'
import { otherArchitecture } from './object-architecture.js'
import { otherRegisters } from './registers.js'
import { guardField, readElsewhere } from './snippets.js'

/** Members that are looked at for one that moved. A large struct has some hundreds, and most moves are one level down. */
const NESTED_STEPS = 3000
/** Ways to a field that are shown. */
const MAX_PATHS = 3

/** The kernel has the type, and not the field: what is there instead. */
export function explainField (local: Spec, candidate: Candidate, broken: BrokenField, context: ReasonContext): Explanation {
  const { failing, owner, name, there, parent } = broken
  if (name === undefined) return explainIndex(local, failing, candidate, owner, context)
  if (there !== undefined) return explainIncompatible(local, failing, candidate, owner, there, parent, context)

  const registers = failing === 1 ? otherRegisters(local, name, context) : undefined
  if (registers !== undefined) {
    return { reason: 'field_missing', ...registers, detail: `${parent} has no member ${name} in this kernel. ${registers.detail}` }
  }

  const { paths, isMoved, isSame } = context.wantsAdvice ? findElsewhere(local, failing, candidate, owner, context) : NOWHERE
  const rest = restOf(local, failing)
  const root = failing === 1 ? candidate.id : owner
  const compiled = otherArchitecture(parent, context)
  const suggestions = failing === 1 && isSame ? paths.slice(0, 1).flatMap(path => suggest(local, candidate, root, path, rest, context)) : []
  return {
    reason: isMoved ? 'field_moved' : 'field_missing',
    detail: `${parent} has no member ${name} in this kernel.${paths.length === 0 ? '' : ` It has ${listed(paths.map(pathText))}.`}` +
      (compiled === undefined ? '' : ` ${compiled.detail}`),
    suggestions: [...compiled === undefined ? [] : [compiled.suggestion], ...suggestions, guardField(local)]
  }
}

/** Where a field may be instead. */
interface Elsewhere {
  readonly paths: readonly Path[]
  readonly isMoved: boolean
  /** Whether what is there can be read in its place. */
  readonly isSame: boolean
}

const NOWHERE: Elsewhere = { paths: [], isMoved: false, isSame: true }

/**
 * A read of another path, where that ends in a number or pointer as the program's does. The rest of the access goes on from there,
 * where it can.
 */
function suggest (local: Spec, candidate: Candidate, root: TypeId, path: Path, rest: string, context: ReasonContext) {
  const { work } = context
  const end = path.at(-1)
  if (end === undefined) return []
  const isWhole = rest === '' || isScalar(candidate.btf, strip(candidate.btf, end.type, work))
  const whole = isWhole ? path : findPathAlone(candidate.btf, root, pathText(path) + rest)
  const suggestion = whole === undefined ? undefined : readElsewhere(local, candidate.btf, root, whole, context)
  return suggestion === undefined ? [] : [suggestion]
}

/** Where the field may be instead: where the kernel's history says, in a nested struct, or under a name that is near. */
function findElsewhere (
  local: Spec,
  failing: number,
  { btf }: Candidate,
  owner: TypeId,
  context: ReasonContext
): Elsewhere {
  const { work } = context
  const accessor = local.accessors[failing]
  const name = accessor?.name === undefined ? '' : shownText(local.btf, accessor.name)
  const rest = restOf(local, failing)
  const whole = rest === '' ? [] : usualPaths(btf, owner, name + rest, work)
  const usual = [...whole, ...usualPaths(btf, owner, name, work).filter(path => !whole.some(other => pathText(other) === pathText(path)))]
  // The same name further down is a move, another name a rename.
  if (usual.length > 0) return { paths: usual, isMoved: usual.every(path => path.at(-1)?.name === name), isSame: true }
  const replaced = replacedPaths(btf, owner, name, work)
  if (replaced.length > 0) return { paths: replaced, isMoved: false, isSame: false }
  const wanted = accessor === undefined ? undefined : memberType(local.btf, accessor.typeId, accessor.index)
  const sides = { local: local.btf, target: btf, work }
  const nested = wanted === undefined
    ? []
    : nestedMembers(btf, owner, name, newWork(NESTED_STEPS))
      .filter(path => fieldsAreCompatible(sides, wanted, path.at(-1)?.type ?? owner))
  if (nested.length > 0) return { paths: nested.slice(0, MAX_PATHS), isMoved: true, isSame: true }
  return { paths: nearMembers(btf, owner, name, work), isMoved: false, isSame: true }
}

/** Where the kernel's history says that the field is in other kernels. */
const usualPaths = keepSearches<readonly Path[]>((btf, owner, path, work) => pathsIn(btf, owner, otherNamesOf, path, work))

/** Where other members tell the same in another way. */
const replacedPaths = keepSearches<readonly Path[]>((btf, owner, path, work) => pathsIn(btf, owner, replacedBy, path, work))

function pathsIn (btf: Btf, owner: TypeId, others: typeof otherNamesOf, path: string, work: Work): readonly Path[] {
  return others(shownName(btf, strip(btf, owner, work)), path).flatMap(text => {
    const found = findPathAlone(btf, owner, text)
    return found === undefined ? [] : [found]
  })
}

const nestedMembers = keepSearches<readonly Path[]>((btf, owner, name, work) =>
  tryWithin(() => findNested(btf, owner, name, work), () => []))

const nearMembers = keepSearches<readonly Path[]>((btf, owner, name, work) => {
  const members = membersOf(btf, owner, work)
  return nearNames(name, members.map(member => member.name)).flatMap(near => {
    const member = members.find(other => other.name === near)
    return member === undefined ? [] : [[{ ...member, isPointer: false }]]
  })
})

function explainIncompatible (
  local: Spec,
  failing: number,
  candidate: Candidate,
  owner: TypeId,
  there: NamedMember,
  parent: string,
  context: ReasonContext
): Explanation {
  const { work } = context
  const accessor = local.accessors[failing]
  const here = accessor === undefined ? '' : memberDeclaration(local.btf, accessor.typeId, accessor.index)
  const inside = isComposite(kindOf(candidate.btf, strip(candidate.btf, there.type, work)))
    ? membersOf(candidate.btf, there.type, work).filter(({ type }) => isScalar(candidate.btf, strip(candidate.btf, type, work)))
    : []
  const usual = usualPaths(candidate.btf, owner, there.name, work).flat()
  const [only] = inside
  const path: Path | undefined = usual.length > 0
    ? usual
    : inside.length === 1 && only !== undefined ? [{ ...there, isPointer: false }, { ...only, isPointer: false }] : undefined
  // A number that became an enum, or was one, is read by a flavour that says so.
  const isNumber = failing === local.accessors.length - 1 && isScalar(candidate.btf, strip(candidate.btf, there.type, work))
  const readable: Path | undefined = path ?? (isNumber ? [{ ...there, isPointer: false }] : undefined)
  const suggestions = readable === undefined || failing !== 1 ? [] : suggest(local, candidate, owner, readable, '', context)
  return {
    reason: 'field_incompatible',
    detail: `${parent} has ${memberDeclaration(candidate.btf, there.composite, there.index)} in this kernel, ` +
      `which cannot be read as ${here}.${path === undefined ? '' : ` It has ${pathText(path)}.`}`,
    suggestions: [...suggestions, guardField(local)]
  }
}

function explainIndex (local: Spec, failing: number, candidate: Candidate, owner: TypeId, { work }: ReasonContext): Explanation {
  const array = describeAccess(firstSteps(local, failing))
  const index = local.accessors[failing]?.index ?? 0
  const target = strip(candidate.btf, owner, work)
  const ours = strip(local.btf, endOf(firstSteps(local, failing)), work)
  const there = kindOf(candidate.btf, target) === BtfKind.ARRAY
    ? `${array} has ${elements(arrayLength(candidate.btf, target))} in this kernel`
    : `${array} is no array in this kernel (${declaration(candidate.btf, owner)})`
  const here = kindOf(local.btf, ours) === BtfKind.ARRAY ? ` and ${elements(arrayLength(local.btf, ours))} in the object` : ''
  return { reason: 'index_out_of_bounds', detail: `${there}${here}; the program reads [${index}].`, suggestions: [guardField(local)] }
}

/** Explains a load or store that was poisoned because the field's size changed in a way that no access can follow. */
export function sizesOf (local: Spec, matched: Spec): string {
  return `${describeAccess(local)} is ${sizedEnd(local)} in the object and ${sizedEnd(matched)} in this kernel`
}

function sizedEnd (spec: Spec): string {
  const last = spec.accessors.at(-1)
  if (last === undefined) return 'nothing'
  return last.name === undefined ? declaration(spec.btf, last.typeId) : sizedMember(spec.btf, last.typeId, last.index, spec.bitOffset)
}

/** The named steps after one, as C appends them; empty where an index is among them. */
function restOf (local: Spec, failing: number): string {
  const rest = local.accessors.slice(failing + 1)
  return rest.some(({ name }) => name === undefined) ? '' : rest.map(({ name }) => `.${shownText(local.btf, name ?? 0)}`).join('')
}

function elements (count: number): string { return count === 1 ? '1 element' : `${count} elements` }
