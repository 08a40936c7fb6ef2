import { BtfKind } from '../btf/constants.js'
import {
  arrayElement, arrayLength, isComposite, isEnum, kindOf, memberBitfieldSize, memberNameOffset, memberType, paramType,
  referencedType, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { resolveSize } from '../btf/resolve.js'
import { cut, shownName, shownText } from '../btf/shown-text.js'
import { describeType } from '../core/describe.js'

/** Levels of pointers, arrays and functions that a declaration shows. */
const MAX_DEPTH = 12

/**
 * A declaration of C: `unsigned int __state`, `char comm[16]`, `int (*show)(struct seq_file *, void *)`.
 *
 * @param name what is declared; empty for the type alone
 * @param knowsTypedefs false spells typedefs out, for programs that do not declare them
 */
export function declaration (btf: Btf, id: TypeId, name = '', knowsTypedefs = true): string {
  let inner = name
  let qualifiers = ''
  let current = id
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    switch (kindOf(btf, current)) {
      case BtfKind.CONST: case BtfKind.VOLATILE: case BtfKind.RESTRICT:
        qualifiers = `${qualifiers}${QUALIFIERS.get(kindOf(btf, current)) ?? ''} `
        current = referencedType(btf, current)
        continue
      case BtfKind.TYPE_TAG:
        current = referencedType(btf, current)
        continue
      case BtfKind.TYPEDEF:
        if (knowsTypedefs) return joined(`${qualifiers}${shownName(btf, current)}`, inner)
        current = referencedType(btf, current)
        continue
      case BtfKind.PTR:
        inner = `*${qualifiers}${inner}`
        qualifiers = ''
        current = referencedType(btf, current)
        if (kindOf(btf, current) === BtfKind.ARRAY || kindOf(btf, current) === BtfKind.FUNC_PROTO) inner = `(${inner})`
        continue
      case BtfKind.ARRAY:
        inner = `${inner}[${arrayLength(btf, current)}]`
        current = arrayElement(btf, current)
        continue
      case BtfKind.FUNC_PROTO:
        inner = `${inner}(${parameters(btf, current)})`
        current = referencedType(btf, current)
        continue
      case BtfKind.INT: case BtfKind.FLOAT:
        return joined(`${qualifiers}${shownName(btf, current)}`, inner)
      default:
        return joined(`${qualifiers}${describeType(btf, current)}`, inner)
    }
  }
  return joined('…', inner)
}

/** The declaration of a member, its width where it is a bitfield: `unsigned int sk_protocol:8`. */
export function memberDeclaration (btf: Btf, composite: TypeId, index: number): string {
  const text = declaration(btf, memberType(btf, composite, index), shownText(btf, memberNameOffset(btf, composite, index)))
  const width = memberBitfieldSize(btf, composite, index)
  return width === 0 ? text : `${text}:${width}`
}

/**
 * A member with its size, or its place: `unsigned short sk_protocol (2 bytes)`, `unsigned int sk_protocol:8 (a bitfield at bit 4296)`.
 *
 * @param bit where the member is in what the reader sees as its struct, which may have it through anonymous ones
 */
export function sizedMember (btf: Btf, composite: TypeId, index: number, bit: number): string {
  const width = memberBitfieldSize(btf, composite, index)
  if (width > 0) return `${memberDeclaration(btf, composite, index)} (a bitfield at bit ${bit})`
  return `${memberDeclaration(btf, composite, index)} (${bytesText(resolveSize(btf, memberType(btf, composite, index)))})`
}

export function bytesText (bytes: number): string { return bytes < 0 ? 'of no known size' : bytes === 1 ? '1 byte' : `${bytes} bytes` }

/** Whether C reads a value of the type as one number or address. Takes a stripped id. */
export function isScalar (btf: Btf, id: TypeId): boolean {
  const kind = kindOf(btf, id)
  return kind === BtfKind.INT || kind === BtfKind.PTR || isEnum(kind)
}

export function isCompositeType (btf: Btf, id: TypeId): boolean { return isComposite(kindOf(btf, id)) }

const QUALIFIERS: ReadonlyMap<number, string> = new Map([
  [BtfKind.CONST, 'const'], [BtfKind.VOLATILE, 'volatile'], [BtfKind.RESTRICT, 'restrict']
])

function parameters (btf: Btf, proto: TypeId): string {
  const count = Math.min(vlenOf(btf, proto), MAX_DEPTH)
  if (count === 0) return 'void'
  return Array.from({ length: count }, (_, i) => {
    const type = paramType(btf, proto, i)
    return type === 0 ? '...' : describeType(btf, type)
  }).join(', ')
}

function joined (base: string, inner: string): string { return cut(inner === '' ? base : `${base} ${inner}`) }
