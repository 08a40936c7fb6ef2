import {
  arrayElement, arrayLength, isComposite, kindOf, memberNameOffset, memberType, referencedType, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { plainType, resolveSize } from '../btf/resolve.js'
import { shownText } from '../btf/shown-text.js'
import { dataView, isInside } from '../bytes/checked.js'
import type { BpfObject } from '../core/object.js'
import { sectionBytes } from '../elf/sections.js'
import type { ElfSymbol } from '../elf/symbols.js'
import { once } from './code.js'
import { variablesOf } from './settable.js'

/** What the verdict takes from a map's definition. Two maps that it does not tell apart have the same one. */
export interface MapShape {
  /**
   * What verifiers may know of a lookup's result that is not null: `never`: nothing, so that all of them take it for null or not;
   * `by key`: newer ones do where the key is a constant within the map; `unclear`: so, or never.
   */
  readonly knowsElements: 'never' | 'by key' | 'unclear'
  /** Whether what a lookup finds is a map. */
  readonly holdsMaps: boolean
  /** Of the maps that it holds; undefined where it holds none, or where that is not known. */
  readonly inner: MapShape | undefined
  /** Bytes; undefined where the definition does not tell. */
  readonly keySize: number | undefined
  /** Bytes; undefined where the definition does not tell. */
  readonly valueSize: number | undefined
}

/** What of it the definition has as numbers. */
interface Definition extends Pick<MapShape, 'keySize' | 'valueSize'> {
  readonly type: number | undefined
}

/** Of `enum bpf_map_type`, whose numbers never change. */
const TYPE = { ARRAY: 2, PERCPU_ARRAY: 6, ARRAY_OF_MAPS: 12, HASH_OF_MAPS: 13, XSKMAP: 17 } as const
/** BPF_MAP_TYPE_ARENA: whether verifiers know elements of later ones is not looked into. */
const LAST_TYPE = 33

/** Members of a map's definition that are looked at: libbpf knows of fewer. */
const MAX_PARTS = 16

/** The maps of an object, by the types and sizes that it has for them: what a loader sets instead is not asked. */
export interface ObjectMaps {
  /** Of the map that a 64-bit load refers to; undefined where it is not known. */
  readonly shapeOf: (symbol: ElfSymbol, addend: number) => MapShape | undefined
}

/** Whether a section holds definitions of maps: in BTF, or as older loaders read them, in its bytes. */
export function isMapSection (name: string): boolean { return /^\.?maps/.test(name) }

export function objectMaps ({ elf, btf }: BpfObject): ObjectMaps {
  const declared = once(() =>
    new Map(Array.from(variablesOf(btf, section => section === '.maps'), ({ name, type }) => [name, type])))
  const shapes = new Map<string, MapShape>()
  const known = new Map<ElfSymbol, MapShape | undefined>()

  const shared = (definition: Definition, inner: MapShape | undefined): MapShape | undefined => {
    const made = shapeBy(definition, inner)
    if (made === undefined) return undefined
    const text = JSON.stringify(made)
    const shape = shapes.get(text)
    if (shape === undefined) shapes.set(text, made)
    return shape ?? made
  }
  const shapeOf = ({ name, sectionIndex, value }: ElfSymbol): MapShape | undefined => {
    const section = elf.sections[sectionIndex]
    if (section === undefined || name === '') return undefined
    if (section.name !== '.maps') {
      const definitions = sectionBytes(elf, section)
      if (!isInside(value, OLD_DEFINITION.SIZE, definitions.length)) return undefined
      return shared(readOld(dataView(definitions), value, elf.littleEndian), undefined)
    }
    const type = declared().get(name)
    const definition = type === undefined ? undefined : compositeAt(btf, type)
    if (definition === undefined) return undefined
    const inner = innerDefinition(btf, definition)
    return shared(readDefinition(btf, definition), inner === undefined ? undefined : shared(readDefinition(btf, inner), undefined))
  }

  return {
    shapeOf: (symbol, addend) => {
      if (addend !== 0) return undefined
      if (!known.has(symbol)) known.set(symbol, shapeOf(symbol))
      return known.get(symbol)
    }
  }
}

/**
 * Verifiers know elements of arrays alone, by a constant key below the array's length, and not of arrays of maps.
 *
 * @param inner of the maps that it holds
 * @see https://github.com/torvalds/linux/commit/d2102f2f5d75 can_elide_value_nullness()
 */
function shapeBy ({ type, keySize, valueSize }: Definition, inner: MapShape | undefined): MapShape | undefined {
  // What a lookup in a BPF_MAP_TYPE_XSKMAP finds is a socket that verifiers compare with null even where it is not null.
  if (type === undefined || type === 0 || type === TYPE.XSKMAP || type > LAST_TYPE) return undefined
  const knowsElements = type === TYPE.ARRAY || type === TYPE.PERCPU_ARRAY ? 'by key' : 'never'
  const holdsMaps = type === TYPE.ARRAY_OF_MAPS || type === TYPE.HASH_OF_MAPS
  return { knowsElements, holdsMaps, inner: holdsMaps && inner !== undefined ? innerShape(inner) : undefined, keySize, valueSize }
}

/** Of a map that another holds, which may have another length than its definition: newer verifiers take that into account. */
function innerShape (shape: MapShape): MapShape {
  return shape.knowsElements === 'never' ? shape : { ...shape, knowsElements: 'unclear' }
}

/** How `struct bpf_map_def` begins, and what iproute2 has for it: three numbers of 4 bytes. Of inner maps they say nothing. */
const OLD_DEFINITION = { type: 0, keySize: 4, valueSize: 8, SIZE: 12 } as const

function readOld (view: DataView, place: number, littleEndian: boolean): Definition {
  const at = (offset: number): number => view.getUint32(place + offset, littleEndian)
  return { type: at(OLD_DEFINITION.type), keySize: at(OLD_DEFINITION.keySize), valueSize: at(OLD_DEFINITION.valueSize) }
}

/** What BTF has: for `__uint(type, BPF_MAP_TYPE_HASH)` a pointer to an array of as many, for `__type(key, int)` one to the type. */
function readDefinition (btf: Btf, definition: TypeId): Definition {
  return {
    type: numberOf(btf, definition, 'type'),
    keySize: numberOf(btf, definition, 'key_size') ?? sizeOfPart(btf, definition, 'key'),
    valueSize: numberOf(btf, definition, 'value_size') ?? sizeOfPart(btf, definition, 'value')
  }
}

function compositeAt (btf: Btf, type: TypeId): TypeId | undefined {
  const plain = plainType(btf, type)
  return isComposite(kindOf(btf, plain)) ? plain : undefined
}

function numberOf (btf: Btf, definition: TypeId, name: string): number | undefined {
  const array = pointedTo(btf, memberOf(btf, definition, name))
  return array !== undefined && kindOf(btf, array) === BtfKind.ARRAY ? arrayLength(btf, array) : undefined
}

function sizeOfPart (btf: Btf, definition: TypeId, name: string): number | undefined {
  const type = pointedTo(btf, memberOf(btf, definition, name))
  const size = type === undefined ? -1 : resolveSize(btf, type)
  return size < 0 ? undefined : size
}

/** What `__array(values, …)` says of the maps that a map holds: an array of pointers to their definition. */
function innerDefinition (btf: Btf, definition: TypeId): TypeId | undefined {
  const array = memberOf(btf, definition, 'values')
  if (array === undefined || kindOf(btf, array) !== BtfKind.ARRAY) return undefined
  const inner = pointedTo(btf, plainType(btf, arrayElement(btf, array)))
  return inner === undefined ? undefined : compositeAt(btf, inner)
}

function memberOf (btf: Btf, definition: TypeId, name: string): TypeId | undefined {
  for (let part = 0; part < Math.min(vlenOf(btf, definition), MAX_PARTS); part++) {
    if (shownText(btf, memberNameOffset(btf, definition, part)) === name) return plainType(btf, memberType(btf, definition, part))
  }
  return undefined
}

function pointedTo (btf: Btf, pointer: TypeId | undefined): TypeId | undefined {
  return pointer !== undefined && kindOf(btf, pointer) === BtfKind.PTR ? plainType(btf, referencedType(btf, pointer)) : undefined
}
