import { dataView } from '../bytes/checked.js'
import { AppError } from '../errors.js'
import { isValidId, kindName, kindOf, type Btf } from './btf.js'
import { BtfKind } from './constants.js'
import { BTF_TYPE, ELEMENT_WORDS, KIND_TAILS } from './layout.js'
import { referencesOf } from './references.js'
import type { Scan, ScanInput } from './scan.js'

/** What is checked of a record beside its name. */
const NOTHING = 0
const REFERS = 1 // a type id in the third word
const ARRAY_TYPES = 2 // two type ids after the record
const NAMED_TYPED_ELEMENTS = 3 // elements that start with a string offset and a type id
const NAMED_ELEMENTS = 4 // elements that start with a string offset
const TYPED_ELEMENTS = 5 // elements that start with a type id

function checkOf (kind: number): number {
  const { types, elementName, elementType } = referencesOf(kind)
  if (types.length > 0) return types.length === 1 ? REFERS : ARRAY_TYPES
  if (elementName !== undefined) return elementType === undefined ? NAMED_ELEMENTS : NAMED_TYPED_ELEMENTS
  return elementType === undefined ? NOTHING : TYPED_ELEMENTS
}

const CHECKS = Uint8Array.from({ length: 128 }, (_, kind) => checkOf(kind))
const ELEMENTS = BTF_TYPE.SIZE / 4

/**
 * Checks what every record refers to, as libbpf's btf_validate_type does: string offsets and type ids in range, and FUNCs that
 * refer to a FUNC_PROTO.
 *
 * A number that is out of range makes `outOfRange` negative, by its own sign or that of its distance to the limit: real BTF pays
 * for no branch a field. Only where that happens does a second, slower walk look for the place.
 *
 * @param words the type section, from input.header.typeStart
 * @throws AppError `btf_invalid` with `type_id` and `offset`
 */
export function validateTypes (input: ScanInput, scan: Scan, words: Int32Array): void {
  const { startId } = input
  const { kinds, offsets } = scan
  const { typeStart } = input.header
  const lastString = input.startStrOff + input.header.strLen - 1
  const lastId = startId + kinds.length - 1
  const checks = CHECKS
  const elementWordsOf = ELEMENT_WORDS
  let outOfRange = 0
  let hasOddFunc = false
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i] ?? 0
    const start = ((offsets[i] ?? 0) - typeStart) >> 2
    const name = words[start] ?? 0
    const check = checks[kind] ?? NOTHING
    outOfRange |= name | (lastString - name)
    if (check === REFERS) {
      const id = words[start + 2] ?? 0
      outOfRange |= id | (lastId - id)
      if (kind === BtfKind.FUNC && kinds[id - startId] !== BtfKind.FUNC_PROTO) hasOddFunc = true
    } else if (check !== NOTHING) {
      const elementWords = check === ARRAY_TYPES ? 1 : elementWordsOf[kind] ?? 1
      const count = check === ARRAY_TYPES ? 2 : (words[start + 1] ?? 0) & 0xffffff
      const stop = start + ELEMENTS + count * elementWords
      if (check === NAMED_TYPED_ELEMENTS) {
        for (let element = start + ELEMENTS; element < stop; element += elementWords) {
          const elementName = words[element] ?? 0
          const id = words[element + 1] ?? 0
          outOfRange |= elementName | (lastString - elementName) | id | (lastId - id)
        }
      } else {
        const last = check === NAMED_ELEMENTS ? lastString : lastId
        for (let element = start + ELEMENTS; element < stop; element += elementWords) {
          const value = words[element] ?? 0
          outOfRange |= value | (last - value)
        }
      }
    }
  }
  if (outOfRange < 0) findOutOfRange(input, offsets)
  if (hasOddFunc) checkFuncs(input, scan, words)
}

/** The slow walk: names the first number that is out of range. */
function findOutOfRange (input: ScanInput, offsets: Uint32Array): never {
  const { littleEndian, startId } = input
  const view = dataView(input.bytes)
  const endId = startId + offsets.length
  const strEnd = input.startStrOff + input.header.strLen
  const checkName = (place: number, id: number): void => {
    const nameOff = view.getUint32(place, littleEndian)
    if (nameOff >= strEnd) {
      throw invalid(`Type ${id} has a name at string offset ${nameOff}, past the strings' end at ${strEnd}.`, id, place)
    }
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
  throw new AppError('internal_error', 'A type section has a reference out of range that was not found again.')
}

/**
 * A FUNC must refer to a FUNC_PROTO. Compilers write the prototype first; this walk is for references that go forward, or into the
 * base.
 */
function checkFuncs (input: ScanInput, scan: Scan, words: Int32Array): void {
  const { startId, header } = input
  const { kinds, offsets } = scan
  for (let i = 0; i < kinds.length; i++) {
    if (kinds[i] !== BtfKind.FUNC) continue
    const offset = offsets[i] ?? 0
    const proto = words[(offset - header.typeStart) / 4 + 2] ?? 0
    const kind = proto >= startId ? kinds[proto - startId] ?? BtfKind.UNKN : kindInBase(input.base, proto)
    if (kind !== BtfKind.FUNC_PROTO) {
      throw invalid(`Type ${startId + i} is a func, but its type ${proto} is ${kindName(kind)} and not func_proto.`, startId + i, offset)
    }
  }
}

function kindInBase (base: Btf | undefined, id: number): number {
  return base !== undefined && isValidId(base, id) ? kindOf(base, id) : BtfKind.UNKN
}

function invalid (message: string, id: number, offset: number): AppError {
  return new AppError('btf_invalid', message, { type_id: id, offset })
}
