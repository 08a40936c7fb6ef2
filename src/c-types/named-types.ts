import { nameOf, type Btf, type TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { findCandidates } from '../btf/find.js'
import { essentialNameLength } from '../btf/names.js'
import { newWork } from '../btf/work.js'
import type { NamedKind } from '../wire/types.js'

/** Kinds of type that are asked for by name, as BTF has them. */
export const NAMED_KINDS = {
  struct: [BtfKind.STRUCT],
  union: [BtfKind.UNION],
  enum: [BtfKind.ENUM, BtfKind.ENUM64],
  typedef: [BtfKind.TYPEDEF]
} as const satisfies Record<NamedKind, readonly number[]>

/** A type as it is asked for. */
export interface TypeName {
  readonly kind: NamedKind
  readonly name: string
}

export function isNamedKind (word: string | undefined): word is NamedKind { return word !== undefined && Object.hasOwn(NAMED_KINDS, word) }

/** As C writes it: `struct task_struct`, `pid_t`. */
export function formatTypeName ({ kind, name }: TypeName): string { return kind === 'typedef' ? name : `${kind} ${name}` }

/** Reads what formatTypeName writes; a plus sign counts as a blank, and a typedef may be called one. Undefined for what is no type. */
export function parseTypeName (text: string): TypeName | undefined {
  const [, kind = 'typedef', name] = /^(?:(struct|union|enum|typedef)[ +]+)?([A-Za-z_]\w{0,255})$/.exec(text.trim()) ?? []
  return name !== undefined && isNamedKind(kind) ? { kind, name } : undefined
}

/** The types of a name, in id order: a kernel may have several that differ. None where it has no such type. */
export function findTypes (btf: Btf, { kind, name }: TypeName): TypeId[] {
  const bytes = Uint8Array.from(name, character => character.charCodeAt(0))
  const essential = { bytes, offset: 0, length: essentialNameLength(bytes, 0, bytes.length) }
  const ids = NAMED_KINDS[kind].flatMap(wanted => findCandidates(btf, wanted, essential, false, newWork()))
  return [...new Set(ids)].filter(id => nameOf(btf, id) === name).sort((a, b) => a - b)
}

/** Types of the name that are of another kind, in any of these BTFs: what somebody may have meant. */
export function otherKinds (btfs: readonly Btf[], { kind, name }: TypeName): string[] {
  return Object.keys(NAMED_KINDS).filter(isNamedKind)
    .filter(other => other !== kind && btfs.some(btf => findTypes(btf, { kind: other, name }).length > 0))
    .map(other => `${other} ${name}`)
}
