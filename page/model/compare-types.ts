import type { MemberDefinition, NamedKind, TypeDefinition } from '../../src/wire/types.js'

/** Where a member is. */
export interface Place {
  readonly type: string
  /** In bits. */
  readonly bitOffset: number
  /** In bits; null where it has none. */
  readonly bitSize: number | null
  readonly isBitfield: boolean
}

export type Mark = 'missing' | 'moved' | 'resized' | 'retyped' | 'added'

/** A member in the type that the program was compiled with, and in the kernel's. One of the two is there. */
export interface ComparedMember {
  readonly name: string
  readonly compiled: Place | undefined
  readonly kernel: Place | undefined
  readonly marks: readonly Mark[]
}

export interface ComparedEnumerator {
  readonly name: string
  readonly compiled: string | undefined
  readonly kernel: string | undefined
  readonly marks: ReadonlyArray<'missing' | 'changed' | 'added'>
}

/**
 * Members by name, in the order of the kernel's type; those that the kernel lacks stand after the one that they follow in the
 * program's type. Members of nameless structs and unions count as the outer type's.
 */
export function compareMembers (compiled: TypeDefinition | undefined, kernel: TypeDefinition | undefined): readonly ComparedMember[] {
  const ours = placesOf(compiled?.members ?? [])
  const theirs = placesOf(kernel?.members ?? [])
  const rows = [...theirs].map(([name, place]) => compare(name, ours.get(name), place))
  let before: string | undefined
  for (const [name, place] of ours) {
    if (!theirs.has(name)) {
      const at = before === undefined ? -1 : rows.findIndex(row => row.name === before)
      rows.splice(at + 1, 0, compare(name, place, undefined))
    }
    before = name
  }
  return rows
}

export function compareEnumerators (
  compiled: TypeDefinition | undefined,
  kernel: TypeDefinition | undefined
): readonly ComparedEnumerator[] {
  const ours = new Map(compiled?.enumerators?.map(({ name, value }) => [name, value]))
  const theirs = new Map(kernel?.enumerators?.map(({ name, value }) => [name, value]))
  return [...new Set([...theirs.keys(), ...ours.keys()])].map(name => {
    const [a, b] = [ours.get(name), theirs.get(name)]
    return { name, compiled: a, kernel: b, marks: a === undefined ? ['added'] : b === undefined ? ['missing'] : a === b ? [] : ['changed'] }
  })
}

function compare (name: string, compiled: Place | undefined, kernel: Place | undefined): ComparedMember {
  if (compiled === undefined) return { name, compiled, kernel, marks: ['added'] }
  if (kernel === undefined) return { name, compiled, kernel, marks: ['missing'] }
  const marks: Mark[] = []
  if (compiled.bitOffset !== kernel.bitOffset) marks.push('moved')
  if (compiled.bitSize !== kernel.bitSize || compiled.isBitfield !== kernel.isBitfield) marks.push('resized')
  if (spell(compiled.type) !== spell(kernel.type)) marks.push('retyped')
  return { name, compiled, kernel, marks }
}

/** Compilers spell integers in their own ways: gcc's `long unsigned int` is clang's `unsigned long`. */
function spell (type: string): string {
  return type.replace(/\b(?:(?:unsigned|signed|long|short|int|char)\b ?)+/g, words => {
    const given = words.trim().split(' ')
    const isChar = given.includes('char')
    const sign = given.includes('unsigned') ? ['unsigned'] : isChar && given.includes('signed') ? ['signed'] : []
    const sizes = given.filter(word => word === 'long' || word === 'short' || word === 'char')
    return `${[...sign, ...(sizes.length === 0 ? ['int'] : sizes)].join(' ')}${words.endsWith(' ') ? ' ' : ''}`
  })
}

function placesOf (members: readonly MemberDefinition[]): Map<string, Place> {
  const places = new Map<string, Place>()
  for (const { name, type, bit_offset: bitOffset, bitfield_size: bitfield, size, members: inner } of members) {
    if (name === null) {
      for (const [innerName, place] of placesOf(inner ?? [])) if (!places.has(innerName)) places.set(innerName, place)
    } else if (!places.has(name)) {
      const bitSize = bitfield ?? (size === null ? null : size * 8)
      places.set(name, { type, bitOffset, bitSize, isBitfield: bitfield !== null })
    }
  }
  return places
}

/** A type as a record of relocation names it: `struct task_struct___new`. */
export interface NamedType {
  readonly kind: NamedKind
  readonly name: string
  /** As the kernel has it: without what follows `___`. */
  readonly essential: string
}

const KINDS: readonly NamedKind[] = ['struct', 'union', 'enum', 'typedef']

/** Undefined for a type that cannot be asked for by its name. */
export function parseNamedType (text: string): NamedType | undefined {
  const [, word, name] = /^(\w+) ([A-Za-z_]\w*)$/.exec(text) ?? []
  const kind = KINDS.find(kind => kind === word)
  if (kind === undefined || name === undefined) return undefined
  const at = name.indexOf('___', 1)
  return { kind, name, essential: at === -1 ? name : name.slice(0, at) }
}

/** The first member on the way of an access: `pid` of `task_struct.pid`, `comm` of `task_struct.comm[0]`. Undefined where there is none. */
export function memberOf (access: string): string | undefined { return /^[^.]*\.([A-Za-z_]\w*)/.exec(access)?.[1] }
