import type { ByteOrder } from '../bytes/byte-order.js'
import { at } from '../bytes/checked.js'
import { endOfString, sameString, stringAt } from '../bytes/strings.js'
import { AppError } from '../errors.js'
import { BTF_KIND_NAMES, BTF_INT_SIGNED, BtfKind } from './constants.js'
import { BTF_ARRAY, BTF_ENUM, BTF_ENUM64, BTF_INT, BTF_MEMBER, BTF_PARAM, BTF_TYPE, BTF_VAR_SECINFO } from './layout.js'

declare const typeIdBrand: unique symbol

/** A BTF type id: an index into a BTF and its bases, 0 being void. Branded, so that no offset or count passes for one. */
export type TypeId = number & { readonly [typeIdBrand]: 'TypeId' }

/** A number from outside as a type id. Whoever calls it has the range checked, or lets the first use throw. */
export function typeId (id: number): TypeId { return id as TypeId }

export const VOID_TYPE = typeId(0)

/**
 * Validated BTF: the bytes as they came, and where each record starts. Immutable, and free of objects per type, so that
 * threads can share the memory behind it. All functions of this folder that take a Btf and an id look through to the base.
 */
export interface Btf {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly littleEndian: boolean
  readonly byteOrder: ByteOrder
  /** What a split BTF (of a module) extends. */
  readonly base: Btf | undefined
  /** First id of its own: 1, or where the base ends. */
  readonly startId: number
  /** One past the last id. */
  readonly endId: number
  /** String offsets below this are the base's. In bytes. */
  readonly startStrOff: number
  /** Own strings, in bytes from the start of `bytes`. */
  readonly strStart: number
  readonly strLen: number
  /** Bytes of a pointer of the kernel that this BTF describes. */
  readonly pointerSize: 4 | 8
  /** Byte offset in `bytes` of each own type's record, by id - startId. */
  readonly typeOffsets: Uint32Array
  /** The hash index over names; undefined for an object's own BTF, which is not searched by name. */
  readonly nameIndex: NameIndex | undefined
  /** The section that gives the sizes of kinds this code does not know; a split BTF without one uses its base's. */
  readonly layout: LayoutSection | undefined
  /** Brings bytes before they are read. Undefined where all of them are there. */
  readonly pages: Pages | undefined
}

/**
 * The bytes of a BTF of which only what is looked at is there: an object asks a kernel for a dozen of a hundred thousand types.
 *
 * @throws what keeps the bytes from being brought, which is no AppError: a relocation must not take it for one of its own
 */
export interface Pages {
  /** Brings `length` bytes from an offset of `bytes` on. */
  bring(offset: number, length: number): void
  /** Brings words of what parsing makes, as BtfParts has it: `typeOffsets`, and behind these the `starts` and `ids` of names. */
  bringWords(first: number, count: number): void
  /** Brings a string from its offset in `bytes` up to the NUL that ends it. */
  bringString(offset: number): void
}

/** In bytes, within `bytes`. */
export interface LayoutSection {
  readonly bytes: Uint8Array
  readonly offset: number
  readonly length: number
}

/**
 * Ids of types whose kind can be a relocation's root, grouped by a hash of their essential name. Bucket b holds
 * ids[starts[b]] up to ids[starts[b + 1]], ascending, because libbpf looks at candidates in id order.
 */
export interface NameIndex {
  /** One more than the number of buckets, which is a power of two. */
  readonly starts: Uint32Array
  readonly ids: Uint32Array
}

export function isValidId (btf: Btf, id: number): id is TypeId { return id >= 0 && id < btf.endId }

/** The BTF that has the type's record: the one given, or one of its bases. */
export function ownerOf (btf: Btf, id: number): Btf {
  let owner = btf
  while (id < owner.startId && owner.base !== undefined) owner = owner.base
  return owner
}

function recordOffset (owner: Btf, id: TypeId): number {
  const offset = owner.typeOffsets[id - owner.startId]
  if (offset === undefined) {
    throw new AppError('btf_invalid', `Type id ${id} does not exist; the BTF has ids up to ${owner.endId - 1}.`, { type_id: id })
  }
  return offset
}

function word (btf: Btf, id: TypeId, offset: number): number {
  const owner = ownerOf(btf, id)
  const { pages } = owner
  if (pages !== undefined && id < owner.endId) pages.bringWords(id - owner.startId, 1)
  const place = recordOffset(owner, id) + offset
  if (pages !== undefined) pages.bring(place, 4)
  return owner.view.getUint32(place, owner.littleEndian)
}

/** The record's kind. May be a number without a name here, where a layout section described it. Void is UNKN. */
export function kindOf (btf: Btf, id: TypeId): number {
  return id === 0 ? BtfKind.UNKN : (word(btf, id, BTF_TYPE.info) >>> 24) & 0x7f
}

/** Members, enumerators, parameters or variables of the type; the linkage of a FUNC. */
export function vlenOf (btf: Btf, id: TypeId): number {
  return id === 0 ? 0 : word(btf, id, BTF_TYPE.info) & 0xffffff
}

export function kindFlagOf (btf: Btf, id: TypeId): boolean {
  return id !== 0 && word(btf, id, BTF_TYPE.info) >>> 31 === 1
}

export function nameOffsetOf (btf: Btf, id: TypeId): number {
  return id === 0 ? 0 : word(btf, id, BTF_TYPE.nameOff)
}

/** The size in bytes that the record states; meaningful for INT, STRUCT, UNION, ENUM, ENUM64, DATASEC and FLOAT. */
export function sizeWordOf (btf: Btf, id: TypeId): number { return word(btf, id, BTF_TYPE.sizeOrType) }

/** The type that the record refers to; meaningful for PTR, TYPEDEF, the modifiers, FUNC, FUNC_PROTO (its result), VAR and the tags. */
export function referencedType (btf: Btf, id: TypeId): TypeId { return typeId(word(btf, id, BTF_TYPE.sizeOrType)) }

export function intEncoding (btf: Btf, id: TypeId): number { return (word(btf, id, BTF_INT.data) >>> 24) & 0xf }

/** Bit offset inside an INT, as compilers before kind_flag wrote bitfields. */
export function intBitOffset (btf: Btf, id: TypeId): number { return (word(btf, id, BTF_INT.data) >>> 16) & 0xff }

export function isSignedInt (btf: Btf, id: TypeId): boolean { return (intEncoding(btf, id) & BTF_INT_SIGNED) !== 0 }

export function arrayElement (btf: Btf, id: TypeId): TypeId { return typeId(word(btf, id, BTF_ARRAY.type)) }

export function arrayIndexType (btf: Btf, id: TypeId): TypeId { return typeId(word(btf, id, BTF_ARRAY.indexType)) }

export function arrayLength (btf: Btf, id: TypeId): number { return word(btf, id, BTF_ARRAY.nelems) }

export function memberNameOffset (btf: Btf, id: TypeId, index: number): number {
  return word(btf, id, BTF_TYPE.SIZE + index * BTF_MEMBER.SIZE + BTF_MEMBER.nameOff)
}

export function memberType (btf: Btf, id: TypeId, index: number): TypeId {
  return typeId(word(btf, id, BTF_TYPE.SIZE + index * BTF_MEMBER.SIZE + BTF_MEMBER.type))
}

/** Offset of the member from the start of its composite, in bits. */
export function memberBitOffset (btf: Btf, id: TypeId, index: number): number {
  const offset = word(btf, id, BTF_TYPE.SIZE + index * BTF_MEMBER.SIZE + BTF_MEMBER.offset)
  return kindFlagOf(btf, id) ? offset & 0xffffff : offset
}

/** Width of a bitfield in bits; 0 for a plain member. */
export function memberBitfieldSize (btf: Btf, id: TypeId, index: number): number {
  return kindFlagOf(btf, id) ? word(btf, id, BTF_TYPE.SIZE + index * BTF_MEMBER.SIZE + BTF_MEMBER.offset) >>> 24 : 0
}

export function enumeratorNameOffset (btf: Btf, id: TypeId, index: number): number {
  const size = kindOf(btf, id) === BtfKind.ENUM64 ? BTF_ENUM64.SIZE : BTF_ENUM.SIZE
  return word(btf, id, BTF_TYPE.SIZE + index * size + BTF_ENUM.nameOff)
}

/**
 * An enumerator's value as u64. An ENUM's is sign-extended whatever its kind_flag says, as libbpf reads it: equality with
 * what libbpf writes matters more than the sign of an unsigned 32-bit enumerator.
 */
export function enumeratorValue (btf: Btf, id: TypeId, index: number): bigint {
  if (kindOf(btf, id) === BtfKind.ENUM64) {
    const at = BTF_TYPE.SIZE + index * BTF_ENUM64.SIZE
    return BigInt(word(btf, id, at + BTF_ENUM64.high)) << 32n | BigInt(word(btf, id, at + BTF_ENUM64.low))
  }
  return BigInt.asUintN(64, BigInt(word(btf, id, BTF_TYPE.SIZE + index * BTF_ENUM.SIZE + BTF_ENUM.value) | 0))
}

export function paramNameOffset (btf: Btf, id: TypeId, index: number): number {
  return word(btf, id, BTF_TYPE.SIZE + index * BTF_PARAM.SIZE + BTF_PARAM.nameOff)
}

export function paramType (btf: Btf, id: TypeId, index: number): TypeId {
  return typeId(word(btf, id, BTF_TYPE.SIZE + index * BTF_PARAM.SIZE + BTF_PARAM.type))
}

/** The VAR or FUNC that entry `index` of a DATASEC names. */
export function datasecVariable (btf: Btf, id: TypeId, index: number): TypeId {
  return typeId(word(btf, id, BTF_TYPE.SIZE + index * BTF_VAR_SECINFO.SIZE + BTF_VAR_SECINFO.type))
}

/** Where a string is: in whose bytes, and at which byte of them. */
export interface StringPlace {
  readonly bytes: Uint8Array
  readonly offset: number
}

/** Finds a string offset in the BTF or its base. Undefined where it lies past the strings. */
export function findString (btf: Btf, offset: number): StringPlace | undefined {
  let owner = btf
  while (offset < owner.startStrOff && owner.base !== undefined) owner = owner.base
  const own = offset - owner.startStrOff
  if (own >= owner.strLen) return undefined
  if (owner.pages !== undefined) owner.pages.bringString(owner.strStart + own)
  return { bytes: owner.bytes, offset: owner.strStart + own }
}

/** The string at an offset that validation has seen. */
export function getString (btf: Btf, offset: number): StringPlace {
  const place = findString(btf, offset)
  if (place === undefined) {
    throw new AppError(
      'btf_invalid',
      `String offset ${offset} is past the BTF's strings, which end at ${btf.startStrOff + btf.strLen}.`,
      { string_offset: offset }
    )
  }
  return place
}

export function textOf (btf: Btf, offset: number): string {
  const place = getString(btf, offset)
  return stringAt(place.bytes, place.offset)
}

export function nameOf (btf: Btf, id: TypeId): string { return textOf(btf, nameOffsetOf(btf, id)) }

/** Length of the string in bytes, without its NUL. */
export function lengthOf (place: StringPlace): number { return endOfString(place.bytes, place.offset) - place.offset }

/** Whether the string at an offset is empty, as the names of anonymous types and members are. */
export function isEmptyString (btf: Btf, offset: number): boolean {
  if (offset === 0) return true
  const place = getString(btf, offset)
  return at(place.bytes, place.offset) === 0
}

/** Whether the strings at two offsets are the same bytes. */
export function sameStrings (a: Btf, aOffset: number, b: Btf, bOffset: number): boolean {
  const first = getString(a, aOffset)
  const second = getString(b, bOffset)
  return sameString(first.bytes, first.offset, second.bytes, second.offset)
}

export function kindName (kind: number): string { return BTF_KIND_NAMES[kind] ?? `kind ${kind}` }

export function isComposite (kind: number): boolean { return kind === BtfKind.STRUCT || kind === BtfKind.UNION }

export function isEnum (kind: number): boolean { return kind === BtfKind.ENUM || kind === BtfKind.ENUM64 }

/** Kinds that say nothing of a type's layout and that every walk goes through: btf_is_mod and TYPEDEF. */
export function isModifierOrTypedef (kind: number): boolean {
  return kind === BtfKind.TYPEDEF ||
    kind === BtfKind.CONST || kind === BtfKind.VOLATILE || kind === BtfKind.RESTRICT || kind === BtfKind.TYPE_TAG
}
