import { dataView } from '../bytes/checked.js'
import { findString, isComposite, isEnum, kindOf, typeId, vlenOf, type Btf, type StringPlace, type TypeId } from '../btf/btf.js'
import { BTF_MAGIC } from '../btf/constants.js'
import { BTF_HEADER, BTF_TYPE, KIND_TAILS } from '../btf/layout.js'
import { referencesOf } from '../btf/references.js'
import { endOfString } from '../bytes/strings.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import type { KeptType, KeptTypes } from './kept-types.js'

const BTF_VERSION = 1

/** What to write of which kernel. */
export interface WriteOptions {
  readonly kept: KeptTypes
  /** The order of their types in the new BTF: vmlinux, then modules. All have one byte order, which the new BTF has too. */
  readonly owners: readonly Btf[]
  /** Whether a type goes without its name, so that no search finds it. */
  readonly isNameless: (btf: Btf, id: TypeId) => boolean
}

/**
 * Writes the kept types as a BTF of its own, with a 24-byte header, which every libbpf reads. Types keep their order, kind, size,
 * and the offsets of the members that are left; ids count from 1, and a reference to a type that is not kept becomes void.
 *
 * @throws AppError `btf_invalid` where the names that are kept take more than LIMITS.namesBytes
 */
export function writeBtf ({ kept, owners, isNameless }: WriteOptions): Uint8Array {
  const list = owners.flatMap(btf =>
    [...kept.byOwner.get(btf) ?? []].sort(([a], [b]) => a - b).map(([id, type]) => ({ btf, id, type })))
  const ids = new Map(owners.map(btf => [btf, new Map<TypeId, number>()]))
  for (const [i, { btf, id }] of list.entries()) ids.get(btf)?.set(id, i + 1)
  const newIdOf = (btf: Btf, id: TypeId): number => {
    for (let owner: Btf | undefined = btf; owner !== undefined; owner = owner.base) {
      if (id >= owner.startId) return ids.get(owner)?.get(id) ?? 0
    }
    return 0
  }
  const strings = createStrings()
  const words: number[] = []
  for (const { btf, id, type } of list) writeType({ btf, id, type, words, strings, newIdOf, name: isNameless(btf, id) ? 0 : undefined })
  return assemble(words, strings.bytes(), owners[0]?.littleEndian ?? true)
}

interface TypeToWrite {
  readonly btf: Btf
  readonly id: TypeId
  readonly type: KeptType
  /** Where the type goes: 32-bit words. */
  readonly words: number[]
  readonly strings: Strings
  readonly newIdOf: (btf: Btf, id: TypeId) => number
  /** Instead of the type's own: an offset of the new strings. */
  readonly name: number | undefined
}

function writeType (given: TypeToWrite): void {
  const { btf, id, type, words, strings, newIdOf } = given
  const start = btf.typeOffsets[id - btf.startId] ?? 0
  const word = (offset: number): number => btf.view.getUint32(start + offset, btf.littleEndian)
  const reference = (offset: number): number => newIdOf(btf, typeId(word(offset)))
  const string = (offset: number): number => strings.add(findString(btf, word(offset)))
  const kind = kindOf(btf, id)
  const { types, uncheckedType, elementName, elementType } = referencesOf(kind)
  const copy = (offset: number): number => offset === uncheckedType || types.includes(offset) ? reference(offset) : word(offset)
  const elements = isComposite(kind) || isEnum(kind) ? [...type.elements].sort((a, b) => a - b) : undefined
  const info = word(BTF_TYPE.info)
  words.push(given.name ?? string(BTF_TYPE.nameOff))
  words.push(elements === undefined ? info : (info & 0xff000000 | elements.length) >>> 0)
  words.push(copy(BTF_TYPE.sizeOrType))
  const { fixed, element } = KIND_TAILS[kind] ?? { fixed: 0, element: 0 }
  for (let offset = 0; offset < fixed; offset += 4) words.push(copy(BTF_TYPE.SIZE + offset))
  if (element === 0) return
  for (const index of elements ?? Array(vlenOf(btf, id)).keys()) {
    const first = BTF_TYPE.SIZE + index * element
    for (let offset = 0; offset < element; offset += 4) {
      const at = first + offset
      words.push(offset === elementName ? string(at) : offset === elementType ? reference(at) : word(at))
    }
  }
}

interface Strings {
  /** The offset of a string in the new section; 0 for none. */
  add(place: StringPlace | undefined): number
  bytes(): Uint8Array
}

function createStrings (): Strings {
  const known = new Map<string, number>()
  const chunks: Uint8Array[] = [new Uint8Array(1)]
  let length = 1
  // Names may lie within each other, so that the size of the BTF bounds neither their reading nor what they take here.
  let left: number = LIMITS.namesBytes
  return {
    add (place) {
      if (place === undefined) return 0
      const bytes = place.bytes.slice(place.offset, endOfString(place.bytes, place.offset) + 1)
      if (bytes.length <= 1) return 0
      left -= bytes.length
      if (left < 0) {
        throw new AppError('btf_invalid',
          `The names of the types that the objects use take more than ${LIMITS.namesBytes} bytes; no kernel's do.`,
          { limit: LIMITS.namesBytes })
      }
      const key = keyOf(bytes)
      const offset = known.get(key)
      if (offset !== undefined) return offset
      known.set(key, length)
      chunks.push(bytes)
      length += bytes.length
      return length - bytes.length
    },
    bytes () {
      const all = new Uint8Array(length)
      let offset = 0
      for (const chunk of chunks) {
        all.set(chunk, offset)
        offset += chunk.length
      }
      return all
    }
  }
}

/** One character a byte: names need not be UTF-8, and two that differ must stay two. */
function keyOf (bytes: Uint8Array): string {
  let key = ''
  for (const byte of bytes) key += String.fromCharCode(byte)
  return key
}

function assemble (words: readonly number[], strings: Uint8Array, littleEndian: boolean): Uint8Array {
  const typeLength = words.length * 4
  const bytes = new Uint8Array(BTF_HEADER.MIN_SIZE + typeLength + strings.length)
  const view = dataView(bytes)
  view.setUint16(BTF_HEADER.magic, BTF_MAGIC, littleEndian)
  view.setUint8(2, BTF_VERSION)
  view.setUint32(BTF_HEADER.hdrLen, BTF_HEADER.MIN_SIZE, littleEndian)
  view.setUint32(BTF_HEADER.typeLen, typeLength, littleEndian)
  view.setUint32(BTF_HEADER.strOff, typeLength, littleEndian)
  view.setUint32(BTF_HEADER.strLen, strings.length, littleEndian)
  for (const [i, value] of words.entries()) view.setUint32(BTF_HEADER.MIN_SIZE + 4 * i, value, littleEndian)
  bytes.set(strings, BTF_HEADER.MIN_SIZE + typeLength)
  return bytes
}
