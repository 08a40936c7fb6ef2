import { at, dataView } from '../bytes/checked.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { isValidId, kindName, kindOf, type Btf, type LayoutSection } from './btf.js'
import { BtfKind } from './constants.js'
import type { BtfHeader } from './header.js'
import { BTF_ARRAY, BTF_ENUM, BTF_ENUM64, BTF_LAYOUT, BTF_MEMBER, BTF_PARAM, BTF_TYPE, BTF_VAR_SECINFO, KIND_TAILS } from './layout.js'
import { wordsOf } from './words.js'

/** What the walks over a type section share. Offsets are in bytes from the start of `bytes`. */
export interface ScanInput {
  readonly bytes: Uint8Array
  readonly littleEndian: boolean
  readonly header: BtfHeader
  readonly base: Btf | undefined
  readonly layout: LayoutSection | undefined
  readonly startId: number
  readonly startStrOff: number
}

/** What one walk over the type section finds. All by id - startId. */
export interface Scan {
  /** Byte offset of each record. */
  readonly offsets: Uint32Array
  readonly kinds: Uint8Array
  /** Indices of the types whose names are to be indexed. */
  readonly named: Uint32Array
}

/** Bit k is set where types of kind k may be a relocation's root and are many enough to be worth a hash index. FUNCs, most of the names, are not. */
const INDEXED_KINDS = [BtfKind.INT, BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.FWD, BtfKind.TYPEDEF, BtfKind.FLOAT, BtfKind.ENUM64]
  .reduce((bits, kind) => bits | (1 << kind), 0)

/** Whether the name index holds types of this kind; others are found by a walk. */
export function isIndexedKind (kind: number): boolean { return kind < 32 && (INDEXED_KINDS >>> kind & 1) === 1 }

/** What the walk reads of a record beside its name. */
const NOTHING = 0
const REFERS = 1 // a type id in the third word
const ARRAY_TYPES = 2 // two type ids after the record
const NAMED_TYPED_ELEMENTS = 3 // elements that start with a string offset and a type id
const NAMED_ELEMENTS = 4 // elements that start with a string offset
const TYPED_ELEMENTS = 5 // elements that start with a type id
const UNKNOWN = 6

function actionOf (kind: number): number {
  const { types, elementName, elementType } = referencesOf(kind)
  if (types.length > 0) return types.length === 1 ? REFERS : ARRAY_TYPES
  if (elementName !== undefined) return elementType === undefined ? NAMED_ELEMENTS : NAMED_TYPED_ELEMENTS
  return elementType === undefined ? NOTHING : TYPED_ELEMENTS
}

/** By kind: tables, because a switch over 20 names costs the walk a third of its time. */
const ACTIONS = Uint8Array.from({ length: 128 }, (_, kind) => KIND_TAILS[kind] === undefined ? UNKNOWN : actionOf(kind))
const FIXED_WORDS = Uint8Array.from({ length: 128 }, (_, kind) => (KIND_TAILS[kind]?.fixed ?? 0) / 4)
const ELEMENT_WORDS = Uint8Array.from({ length: 128 }, (_, kind) => (KIND_TAILS[kind]?.element ?? 0) / 4)

const TYPE_WORDS = BTF_TYPE.SIZE / 4

/**
 * Walks the type section once and returns where each record is, after the checks of btf_validate_type.
 *
 * The walk does not check each reference on its own: it keeps the largest string offset and type id that it meets, and only
 * when one of these is out of range does a second, slower walk look for the place. Real BTF pays for one compare a field.
 * `negative` collects sign bits, so that numbers past 2^31 count as too large.
 *
 * @throws AppError `btf_invalid` with `type_id` and `offset`
 */
export function scanTypes (input: ScanInput): Scan {
  const { startId } = input
  const { typeStart, typeEnd } = input.header
  const words = wordsOf(input.bytes, typeStart, typeEnd, input.littleEndian)
  const end = words.length
  const actions = ACTIONS
  const fixedWordsOf = FIXED_WORDS
  const elementWordsOf = ELEMENT_WORDS
  const most = Math.floor(end / TYPE_WORDS)
  const offsets = new Uint32Array(most)
  const kinds = new Uint8Array(most)
  const named = new Uint32Array(most)
  let types = 0
  let names = 0
  let maxName = 0
  let maxId = 0
  let negative = 0
  let hasOddFunc = false
  let at = 0
  while (at + TYPE_WORDS <= end) {
    const start = at
    const name = words[start] ?? 0
    const info = words[start + 1] ?? 0
    const kind = (info >>> 24) & 0x7f
    const action = actions[kind] ?? UNKNOWN
    const elementWords = elementWordsOf[kind] ?? 0
    const elements = start + TYPE_WORDS
    negative |= name
    maxName = Math.max(maxName, name)
    at = elements + (fixedWordsOf[kind] ?? 0) + elementWords * (info & 0xffffff)
    if (action === UNKNOWN) at = start + describedSize(input, info, typeStart + 4 * start, startId + types) / 4
    if (at > end) throw truncatedType(input, info, 4 * (at - start), typeStart + 4 * start, startId + types)
    if (action === REFERS) {
      const id = words[start + 2] ?? 0
      negative |= id
      maxId = Math.max(maxId, id)
      if (kind === BtfKind.FUNC && kinds[id - startId] !== BtfKind.FUNC_PROTO) hasOddFunc = true
    } else if (action === NAMED_TYPED_ELEMENTS) {
      for (let element = elements; element < at; element += elementWords) {
        const elementName = words[element] ?? 0
        const id = words[element + 1] ?? 0
        negative |= elementName | id
        maxName = Math.max(maxName, elementName)
        maxId = Math.max(maxId, id)
      }
    } else if (action === NAMED_ELEMENTS) {
      for (let element = elements; element < at; element += elementWords) {
        const elementName = words[element] ?? 0
        negative |= elementName
        maxName = Math.max(maxName, elementName)
      }
    } else if (action === ARRAY_TYPES || action === TYPED_ELEMENTS) {
      const stop = action === ARRAY_TYPES ? elements + 2 : at
      const step = action === ARRAY_TYPES ? 1 : elementWords
      for (let element = elements; element < stop; element += step) {
        const id = words[element] ?? 0
        negative |= id
        maxId = Math.max(maxId, id)
      }
    }
    if (name !== 0 && isIndexedKind(kind)) named[names++] = types
    kinds[types] = kind
    offsets[types++] = typeStart + 4 * start
  }
  const rest = typeEnd - typeStart - 4 * at
  if (rest !== 0) throw invalid(`The type section ends ${rest} bytes into type ${startId + types}.`, startId + types, typeEnd - rest)
  if (types > LIMITS.btfTypes) throw new AppError('btf_invalid', `The BTF has ${types} types; at most ${LIMITS.btfTypes} are read.`, { limit: LIMITS.btfTypes })

  const scan = { offsets: offsets.subarray(0, types), kinds: kinds.subarray(0, types), named: named.subarray(0, names) }
  if (negative < 0 || maxName >= input.startStrOff + input.header.strLen || maxId >= startId + types) findBadReference(input, scan.offsets)
  if (hasOddFunc) checkFuncs(input, scan, words)
  return scan
}

/** Bytes of a record whose kind only the layout section knows. */
function describedSize (input: ScanInput, info: number, offset: number, id: number): number {
  const kind = (info >>> 24) & 0x7f
  const { layout } = input
  const entry = kind * BTF_LAYOUT.SIZE
  if (layout === undefined || entry >= layout.length) {
    throw invalid(`Type ${id} is of kind ${kind}, which is not known and which no layout section describes.`, id, offset)
  }
  if (!input.littleEndian) {
    throw invalid(`Type ${id} is of kind ${kind}, which is not known; big-endian BTF cannot have such kinds, as libbpf could not swap them.`, id, offset)
  }
  const infoSize = at(layout.bytes, layout.offset + entry + BTF_LAYOUT.infoSize)
  const elementSize = at(layout.bytes, layout.offset + entry + BTF_LAYOUT.elementSize)
  if (infoSize % 4 !== 0 || elementSize % 4 !== 0) {
    throw invalid(`The layout section gives kind ${kind} sizes of ${infoSize} and ${elementSize} bytes, which are not multiples of 4.`, id, offset)
  }
  return BTF_TYPE.SIZE + infoSize + elementSize * (info & 0xffffff)
}

/** Where a record of each kind keeps string offsets and type ids, beside its own name. Offsets in bytes from the record, or within an element. */
function referencesOf (kind: number): { readonly types: readonly number[], readonly elementName?: number, readonly elementType?: number } {
  switch (kind) {
    case BtfKind.PTR: case BtfKind.TYPEDEF: case BtfKind.VOLATILE: case BtfKind.CONST: case BtfKind.RESTRICT:
    case BtfKind.FUNC: case BtfKind.VAR: case BtfKind.DECL_TAG: case BtfKind.TYPE_TAG:
      return { types: [BTF_TYPE.sizeOrType] }
    case BtfKind.ARRAY: return { types: [BTF_ARRAY.type, BTF_ARRAY.indexType] }
    case BtfKind.STRUCT: case BtfKind.UNION: return { types: [], elementName: BTF_MEMBER.nameOff, elementType: BTF_MEMBER.type }
    // The result type of a FUNC_PROTO is left unchecked, as by libbpf; walks that follow it check it.
    case BtfKind.FUNC_PROTO: return { types: [], elementName: BTF_PARAM.nameOff, elementType: BTF_PARAM.type }
    case BtfKind.ENUM: return { types: [], elementName: BTF_ENUM.nameOff }
    case BtfKind.ENUM64: return { types: [], elementName: BTF_ENUM64.nameOff }
    case BtfKind.DATASEC: return { types: [], elementType: BTF_VAR_SECINFO.type }
    default: return { types: [] }
  }
}

/** The slow walk: names the first reference that is out of range. */
function findBadReference (input: ScanInput, offsets: Uint32Array): never {
  const { littleEndian, startId } = input
  const view = dataView(input.bytes)
  const endId = startId + offsets.length
  const strEnd = input.startStrOff + input.header.strLen
  const checkName = (place: number, id: number): void => {
    const nameOff = view.getUint32(place, littleEndian)
    if (nameOff >= strEnd) throw invalid(`Type ${id} has a name at string offset ${nameOff}, past the strings' end at ${strEnd}.`, id, place)
  }
  const checkId = (place: number, id: number): void => {
    const reference = view.getUint32(place, littleEndian)
    if (reference >= endId) throw invalid(`Type ${id} refers to type ${reference}, but ids end at ${endId - 1}.`, id, place)
  }
  for (const [i, offset] of offsets.entries()) {
    const id = startId + i
    const info = view.getUint32(offset + BTF_TYPE.info, littleEndian)
    const kind = (info >>> 24) & 0x7f
    const references = referencesOf(kind)
    const size = KIND_TAILS[kind]?.element ?? 0
    checkName(offset + BTF_TYPE.nameOff, id)
    for (const type of references.types) checkId(offset + type, id)
    if (size === 0) continue
    for (let j = 0, element = offset + BTF_TYPE.SIZE; j < (info & 0xffffff); j++, element += size) {
      if (references.elementName !== undefined) checkName(element + references.elementName, id)
      if (references.elementType !== undefined) checkId(element + references.elementType, id)
    }
  }
  throw new AppError('internal_error', 'A reference out of range was met in a type section and not found again.')
}

/** A FUNC must refer to a FUNC_PROTO. Compilers write the prototype first; this walk is for references that go forward, or into the base. */
function checkFuncs (input: ScanInput, scan: Scan, words: Int32Array): void {
  const { startId, header } = input
  const { kinds, offsets } = scan
  for (let i = 0; i < kinds.length; i++) {
    if (kinds[i] !== BtfKind.FUNC) continue
    const offset = offsets[i] ?? 0
    const proto = words[(offset - header.typeStart) / 4 + 2] ?? 0
    const kind = proto >= startId ? kinds[proto - startId] ?? BtfKind.UNKN : kindInBase(input.base, proto)
    if (kind !== BtfKind.FUNC_PROTO) throw invalid(`Type ${startId + i} is a func whose type ${proto} is no func_proto but ${kindName(kind)}.`, startId + i, offset)
  }
}

function kindInBase (base: Btf | undefined, id: number): number {
  return base !== undefined && isValidId(base, id) ? kindOf(base, id) : BtfKind.UNKN
}

function truncatedType (input: ScanInput, info: number, size: number, offset: number, id: number): AppError {
  return invalid(`Type ${id} (${kindName((info >>> 24) & 0x7f)}) needs ${size} bytes, but the type section ends after ${input.header.typeEnd - offset}.`, id, offset)
}

function invalid (message: string, id: number, offset: number): AppError {
  return new AppError('btf_invalid', message, { type_id: id, offset })
}
