import {
  enumeratorNameOffset, isComposite, isEmptyString, kindOf, memberBitfieldSize, memberBitOffset, memberNameOffset, memberType, nameOf,
  nameOffsetOf, referencedType, textOf, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { strip } from '../btf/resolve.js'
import { newWork, step, type Work } from '../btf/work.js'
import { LIMITS } from '../limits.js'
import type { MemberDefinition, NamedKind, TypeDefinition } from '../wire/types.js'
import { createAlignments, tooDeep } from './alignment.js'
import { createDeclarations } from './declarations.js'
import { signedValue } from './enumerators.js'
import type { TypeName } from './named-types.js'
import { createTextWriter, newTextRoom, type TextRoom, type TextWriter } from './text-writer.js'
import { sizeOf, typeText } from './type-text.js'
import { createUniqueNames } from './unique-names.js'

/** Types of one name, and how they are wanted. */
export type NamedTypes = { readonly form: 'c' | 'json' } & TypeName

/** Which types of a kernel are wanted, and how: all of them as a header, or those of one name. */
export type WantedTypes = { readonly form: 'header' } | NamedTypes

/** What the types of one name may still have: a part without a name is repeated wherever it is used, by each of them too. */
interface Room {
  /** A step for each member. */
  readonly work: Work
  readonly text: TextRoom
}

/**
 * The types of one name.
 *
 * @throws AppError `relocation_failed` with reason `work_limit` for more than LIMITS.cMembers members of all of them, `btf_invalid` for a
 *   type that nests beyond LIMITS.cNesting, and for more text than LIMITS.cTextCharacters
 */
export function defineTypes (btf: Btf, ids: readonly TypeId[], kind: NamedKind): TypeDefinition[] {
  const room = { work: newWork(LIMITS.cMembers), text: newTextRoom() }
  return ids.map(id => defineType(btf, id, kind, room))
}

function defineType (btf: Btf, id: TypeId, kind: NamedKind, room: Room): TypeDefinition {
  const head = { type_id: id, kind, name: nameOf(btf, id), size: sizeOf(btf, id) }
  if (kind === 'typedef') return { ...head, type: typeText(btf, referencedType(btf, id), { room: room.text }) }
  if (kind !== 'enum') return { ...head, members: membersOf(btf, id, 0, room) }
  const enumerators = Array.from({ length: vlenOf(btf, id) }, (_, i) =>
    ({ name: textOf(btf, enumeratorNameOffset(btf, id, i)), value: String(signedValue(btf, id, i)) }))
  return { ...head, enumerators }
}

/**
 * The definitions of the types of one name in C, each member with its place: bytes from the start, and for a bitfield the bit within that
 * byte.
 *
 * @throws AppError `btf_invalid` for types that C cannot have, and for more text than LIMITS.cTextCharacters
 */
export function writeDefinitions (btf: Btf, ids: readonly TypeId[], kind: NamedKind): string {
  const out = createTextWriter()
  for (const [i, id] of ids.entries()) {
    if (i > 0) out.write('\n')
    writeType(btf, id, kind, out)
  }
  return out.text()
}

function writeType (btf: Btf, id: TypeId, kind: NamedKind, out: TextWriter): void {
  const declarations = createDeclarations({
    btf,
    out,
    names: createUniqueNames(btf),
    alignments: createAlignments(btf),
    remark: (bits, width) => ` /* ${Math.floor(bits / 8)}${width === 0 ? '' : `:${bits % 8}`} */`
  })
  if (kind === 'typedef') declarations.typedef(id)
  else if (kind === 'enum') declarations.enum(id)
  else declarations.struct(id)
  const size = sizeOf(btf, id)
  out.write(size === null ? ';\n' : `; /* ${size} ${size === 1 ? 'byte' : 'bytes'} */\n`)
}

/** @param base where the type is, in bits from the start of the one that was asked for */
function membersOf (btf: Btf, id: TypeId, base: number, room: Room, depth = 0): MemberDefinition[] {
  if (depth > LIMITS.cNesting) throw tooDeep(id)
  return Array.from({ length: vlenOf(btf, id) }, (_, i) => {
    step(room.work)
    const type = memberType(btf, id, i)
    const nameOffset = memberNameOffset(btf, id, i)
    const isAnonymous = isEmptyString(btf, nameOffset)
    const width = memberBitfieldSize(btf, id, i)
    const bits = base + memberBitOffset(btf, id, i)
    const inner = strip(btf, type, room.work)
    const isInline = isComposite(kindOf(btf, inner)) && (isAnonymous || isEmptyString(btf, nameOffsetOf(btf, inner)))
    return {
      name: isAnonymous ? null : textOf(btf, nameOffset),
      type: typeText(btf, type, { room: room.text }),
      bit_offset: bits,
      bitfield_size: width === 0 ? null : width,
      size: sizeOf(btf, type),
      ...isInline ? { members: membersOf(btf, inner, bits, room, depth + 1) } : {}
    }
  })
}
