import { otherNamesOf } from '../members/renames.js'
import type {
  Change, EnumeratorDifference, MemberDefinition, MemberDifference, MemberPlace, TypeDefinition, TypeDifference, TypeSide
} from '../wire/types.js'

/** Types of one name that are compared each with each; of more, the first stand beside the first. Real kernels have up to about ten. */
const MAX_COMPARED = 32

/**
 * How the types of one name differ between two kernels. Where there are several, each stands beside the one that is most like it; two
 * of one kernel that differ in nothing that is shown, which pahole leaves where something deep within them differs, are one.
 * Works on definitions alone, so that whatever can show one can compare two.
 */
export function diffTypes (from: readonly TypeDefinition[], to: readonly TypeDefinition[]): TypeDifference[] {
  return pairTypes(distinct(from), distinct(to)).map(([before, after]) => diffDefinitions(before, after))
}

function distinct (types: readonly TypeDefinition[]): readonly TypeDefinition[] {
  if (types.length < 2) return types
  const known = new Map<string, TypeDefinition>()
  for (const type of types) {
    const text = JSON.stringify(type, (key, value: unknown) => key === 'type_id' ? undefined : value)
    if (!known.has(text)) known.set(text, type)
  }
  return [...known.values()]
}

/** @param from undefined where the type was added, as `to` where it was removed */
function diffDefinitions (from: TypeDefinition | undefined, to: TypeDefinition | undefined): TypeDifference {
  const some = to ?? from
  const members = some?.members === undefined
    ? undefined
    : diffMembers(some.name, placesOf(from?.members ?? []), placesOf(to?.members ?? []))
  const enumerators = some?.enumerators === undefined ? undefined : diffEnumerators(from?.enumerators ?? [], to?.enumerators ?? [])
  const isSame = from?.size === to?.size && from?.type === to?.type &&
    (members ?? []).every(({ changes }) => changes.length === 0) && (enumerators ?? []).every(({ change }) => change === 'same')
  return {
    change: changeOf(from, to, isSame),
    from: sideOf(from),
    to: sideOf(to),
    ...members === undefined ? {} : { members },
    ...enumerators === undefined ? {} : { enumerators }
  }
}

function changeOf (from: unknown, to: unknown, isSame: boolean): Change {
  return from === undefined ? 'added' : to === undefined ? 'removed' : isSame ? 'same' : 'changed'
}

function sideOf (definition: TypeDefinition | undefined): TypeSide | null {
  if (definition === undefined) return null
  const { type_id: id, size, type } = definition
  return { type_id: id, size, ...type === undefined ? {} : { type } }
}

type Pair = readonly [TypeDefinition | undefined, TypeDefinition | undefined]

/** In the order of `to`; those that only `from` has come last. */
function pairTypes (from: readonly TypeDefinition[], to: readonly TypeDefinition[]): Pair[] {
  const partners = new Map<TypeDefinition, TypeDefinition>()
  const left = new Set(from)
  const pair = (before: TypeDefinition, after: TypeDefinition): void => {
    partners.set(after, before)
    left.delete(before)
  }
  if (Math.max(from.length, to.length) > 1 && Math.max(from.length, to.length) <= MAX_COMPARED) {
    const withParts = (types: readonly TypeDefinition[]) => types.map(type => ({ type, parts: partsOf(type) }))
    const others = withParts(to)
    const all = withParts(from).flatMap(({ type: before, parts }) =>
      others.map(({ type: after, parts: ofAfter }) => ({ before, after, likeness: likenessOf(parts, ofAfter) })))
    for (const { before, after } of all.sort((a, b) => b.likeness - a.likeness)) {
      if (left.has(before) && !partners.has(after)) pair(before, after)
    }
  } else {
    from.forEach((before, i) => {
      const after = to[i]
      if (after !== undefined) pair(before, after)
    })
  }
  return [...to.map((after): Pair => [partners.get(after), after]), ...[...left].map((before): Pair => [before, undefined])]
}

/** What a type consists of, for likenessOf. */
function partsOf ({ size, type, members = [], enumerators = [] }: TypeDefinition): ReadonlySet<string> {
  return new Set([size, type, ...placesOf(members), ...enumerators].map(part => JSON.stringify(part)))
}

/** The part of what both have that is the same in both. */
function likenessOf (a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const common = [...a].filter(text => b.has(text)).length
  return common / Math.max(a.size, b.size)
}

/** Where C writes the members of a struct or union: not behind a typedef's name. */
const IS_WRITTEN_OUT = /^(?:(?:const|volatile) )*(?:struct|union)$/

/** All members with names, each with its path; what nameless structs and unions have counts as what they are in. */
export function placesOf (members: readonly MemberDefinition[], prefix = ''): MemberPlace[] {
  return members.flatMap(({ name, type, bit_offset: bits, bitfield_size: width, size, members: inner = [] }) => {
    if (name === null) return placesOf(inner, prefix)
    const path = prefix + name
    const bitSize = width ?? (size === null ? null : 8 * size)
    const own = { path, type, bit_offset: bits, bit_size: bitSize, is_bitfield: width !== null }
    return IS_WRITTEN_OUT.test(type) ? [own, ...placesOf(inner, `${path}.`)] : [own]
  })
}

function diffMembers (type: string, from: readonly MemberPlace[], to: readonly MemberPlace[]): MemberDifference[] {
  const merged = merge(from, to, ({ path }) => path)
  const renames = findRenames(type, merged)
  const renamed = new Set(renames.values())
  return merged.flatMap(({ from: before, to: after }): MemberDifference[] => {
    if (before !== undefined && after !== undefined) return [{ changes: changesOf(before, after), from: before, to: after }]
    if (after !== undefined) {
      const old = renames.get(after)
      return [old === undefined
        ? { changes: ['added'], from: null, to: after }
        : { changes: ['renamed', ...changesOf(old, after)], from: old, to: after }]
    }
    return before === undefined || renamed.has(before) ? [] : [{ changes: ['removed'], from: before, to: null }]
  })
}

function changesOf (from: MemberPlace, to: MemberPlace): MemberDifference['changes'] {
  return [
    ...from.bit_offset === to.bit_offset ? [] : ['moved' as const],
    ...from.bit_size === to.bit_size && from.is_bitfield === to.is_bitfield ? [] : ['resized' as const],
    ...from.type === to.type ? [] : ['retyped' as const]
  ]
}

function diffEnumerators (
  from: NonNullable<TypeDefinition['enumerators']>,
  to: NonNullable<TypeDefinition['enumerators']>
): EnumeratorDifference[] {
  return merge(from, to, ({ name }) => name).map(({ from: before, to: after }) => ({
    name: after?.name ?? before?.name ?? '',
    change: changeOf(before, after, before?.value === after?.value),
    from: before?.value ?? null,
    to: after?.value ?? null
  }))
}

interface Merged<T> {
  readonly from: T | undefined
  readonly to: T | undefined
}

/** Both lists as one: in the order of `to`, and what only `from` has before what it stood before. */
function merge<T> (from: readonly T[], to: readonly T[], nameOf: (item: T) => string): Array<Merged<T>> {
  const places = new Map(from.map((item, i) => [nameOf(item), i]))
  const kept = new Set(to.map(nameOf))
  const merged: Array<Merged<T>> = []
  let next = 0
  const addRemoved = (end: number): void => {
    for (const item of from.slice(next, end)) if (!kept.has(nameOf(item))) merged.push({ from: item, to: undefined })
  }
  for (const item of to) {
    const at = places.get(nameOf(item))
    if (at !== undefined && at >= next) {
      addRemoved(at)
      next = at + 1
    }
    merged.push({ from: at === undefined ? undefined : from[at], to: item })
  }
  addRemoved(from.length)
  return merged
}

/**
 * By added members the removed ones that they are under another name: where the kernel's history says so, where only underscores
 * differ between the same neighbours, and where one member stands in the place of one of the same type whose name shares a word. What is
 * less sure counts as removed and added.
 */
function findRenames (type: string, merged: ReadonlyArray<Merged<MemberPlace>>): ReadonlyMap<MemberPlace, MemberPlace> {
  const renames = new Map<MemberPlace, MemberPlace>()
  const taken = new Set<MemberPlace>()
  const note = (before: MemberPlace, after: MemberPlace): void => {
    renames.set(after, before)
    taken.add(before)
  }
  const added = new Map(merged.flatMap(({ from, to }) => from === undefined && to !== undefined ? [[to.path, to]] : []))
  for (const { from, to } of merged) {
    if (from === undefined || to !== undefined) continue
    const after = otherNamesOf(type, from.path).map(name => added.get(name)).find(place => place !== undefined && !renames.has(place))
    if (after !== undefined) note(from, after)
  }
  for (const gap of gapsOf(merged)) {
    const byBareName = new Map<string, MemberPlace | undefined>()
    for (const after of gap.added.filter(place => !renames.has(place))) {
      const name = bareName(after.path)
      byBareName.set(name, byBareName.has(name) ? undefined : after)
    }
    for (const before of gap.removed.filter(place => !taken.has(place))) {
      const name = bareName(before.path)
      const only = byBareName.get(name)
      if (only === undefined) continue
      note(before, only)
      byBareName.delete(name)
    }
    const [before, ...removed] = gap.removed.filter(place => !taken.has(place))
    const [after, ...more] = gap.added.filter(place => !renames.has(place))
    if (before === undefined || after === undefined || removed.length + more.length > 0) continue
    if (before.type === after.type && sharesWord(before.path, after.path)) note(before, after)
  }
  return renames
}

interface Gap {
  readonly removed: MemberPlace[]
  readonly added: MemberPlace[]
}

/** What was removed and added between two members that both kernels have. */
function gapsOf (merged: ReadonlyArray<Merged<MemberPlace>>): Gap[] {
  const gaps: Gap[] = []
  let gap: Gap = { removed: [], added: [] }
  for (const { from, to } of [...merged, { from: undefined, to: undefined }]) {
    if (from !== undefined && to === undefined) gap.removed.push(from)
    else if (from === undefined && to !== undefined) gap.added.push(to)
    else {
      if (gap.removed.length > 0 && gap.added.length > 0) gaps.push(gap)
      gap = { removed: [], added: [] }
    }
  }
  return gaps
}

function bareName (path: string): string { return path.replace(/(^|\.)_+/g, '$1').replace(/_+(\.|$)/g, '$1') }

/** Words of fewer letters are in too many names. */
const MIN_WORD = 3

function sharesWord (a: string, b: string): boolean {
  const words = new Set(a.split(/[._]/))
  return b.split(/[._]/).some(word => word.length >= MIN_WORD && words.has(word))
}
