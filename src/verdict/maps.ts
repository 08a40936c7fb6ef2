import {
  arrayElement, arrayLength, isComposite, kindOf, memberNameOffset, memberType, referencedType, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { plainType } from '../btf/resolve.js'
import { shownText } from '../btf/shown-text.js'
import { dataView } from '../bytes/checked.js'
import type { BpfObject } from '../core/object.js'
import type { ElfSymbol } from '../elf/symbols.js'
import { once } from './code.js'
import { variablesOf } from './settable.js'

/** What the verdict takes from a map's definition. Two maps that it does not tell apart have the same one. */
export interface MapShape {
  /** Whether verifiers may know that what a lookup finds is not null. If not, all of them take it for null or not. */
  readonly knowsElements: boolean
  /** Whether what a lookup finds is a map. */
  readonly holdsMaps: boolean
  /** Of the maps that it holds; undefined where it holds none, or where that is not known. */
  readonly inner: MapShape | undefined
}

/** Of `enum bpf_map_type`, whose numbers never change. */
const TYPE = { ARRAY: 2, PERCPU_ARRAY: 6, ARRAY_OF_MAPS: 12, HASH_OF_MAPS: 13, XSKMAP: 17 } as const
/** BPF_MAP_TYPE_ARENA: whether verifiers know elements of later ones is not looked into. */
const LAST_TYPE = 33

/**
 * The shapes that there are. Verifiers know elements of arrays alone, by a constant key below the array's length, and not of arrays of
 * maps.
 * @see https://github.com/torvalds/linux/commit/d2102f2f5d75 can_elide_value_nullness()
 */
const ELEMENTS: MapShape = { knowsElements: true, holdsMaps: false, inner: undefined }
const VALUES: MapShape = { knowsElements: false, holdsMaps: false, inner: undefined }
const MAPS: MapShape = { knowsElements: false, holdsMaps: true, inner: undefined }
const MAPS_OF_ELEMENTS: MapShape = { ...MAPS, inner: ELEMENTS }
const MAPS_OF_VALUES: MapShape = { ...MAPS, inner: VALUES }

/** Members of a map's definition that are looked at: libbpf knows of fewer. */
const MAX_PARTS = 16

/** The maps of an object, by the types that it has for them: what a loader sets instead is not asked. */
export interface ObjectMaps {
  /** Of the map that a 64-bit load refers to; undefined where it is not known. */
  readonly shapeOf: (symbol: ElfSymbol, addend: number) => MapShape | undefined
}

/** Whether a section holds definitions of maps: in BTF, or as older loaders read them, in its bytes. */
export function isMapSection (name: string): boolean { return /^\.?maps/.test(name) }

export function objectMaps ({ bytes, elf, btf }: BpfObject): ObjectMaps {
  const definitions = once(() =>
    new Map(Array.from(variablesOf(btf, section => section === '.maps'), ({ name, type }) => [name, type])))

  const shapeOf = ({ name, sectionIndex, value }: ElfSymbol): MapShape | undefined => {
    const section = elf.sections[sectionIndex]
    if (section === undefined || name === '') return undefined
    if (section.name === '.maps') {
      const type = definitions().get(name)
      return type === undefined ? undefined : definedShape(btf, type)
    }
    // The type is the first number of `struct bpf_map_def`, and of what iproute2 has for it. Of inner maps it says nothing.
    if (value + 4 > section.size) return undefined
    return shapeOfType(dataView(bytes).getUint32(section.offset + value, elf.littleEndian), undefined)
  }

  const known = new Map<ElfSymbol, MapShape | undefined>()
  return {
    shapeOf: (symbol, addend) => {
      if (addend !== 0) return undefined
      if (!known.has(symbol)) known.set(symbol, shapeOf(symbol))
      return known.get(symbol)
    }
  }
}

/** @param inner of the maps that it holds */
function shapeOfType (type: number | undefined, inner: MapShape | undefined): MapShape | undefined {
  switch (type) {
    case undefined: case 0: return undefined
    case TYPE.ARRAY: case TYPE.PERCPU_ARRAY: return ELEMENTS
    case TYPE.ARRAY_OF_MAPS: case TYPE.HASH_OF_MAPS: return inner === ELEMENTS ? MAPS_OF_ELEMENTS : inner === VALUES ? MAPS_OF_VALUES : MAPS
    // What a lookup finds is a socket that verifiers compare with null even where it is not null, which is not told apart here.
    case TYPE.XSKMAP: return undefined
    default: return type <= LAST_TYPE ? VALUES : undefined
  }
}

/** The shape by a definition in BTF: `__uint(type, BPF_MAP_TYPE_HASH)` is a pointer to an array of as many. */
function definedShape (btf: Btf, declared: TypeId): MapShape | undefined {
  const definition = plainType(btf, declared)
  if (!isComposite(kindOf(btf, definition))) return undefined
  const inner = memberOf(btf, definition, 'values')
  const of = inner === undefined ? undefined : innerDefinition(btf, inner)
  return shapeOfType(numberOf(btf, definition), of === undefined ? undefined : shapeOfType(numberOf(btf, of), undefined))
}

function memberOf (btf: Btf, definition: TypeId, name: string): TypeId | undefined {
  for (let part = 0; part < Math.min(vlenOf(btf, definition), MAX_PARTS); part++) {
    if (shownText(btf, memberNameOffset(btf, definition, part)) === name) return plainType(btf, memberType(btf, definition, part))
  }
  return undefined
}

/** The number that the member `type` of a definition stands for. */
function numberOf (btf: Btf, definition: TypeId): number | undefined {
  const pointer = memberOf(btf, definition, 'type')
  if (pointer === undefined || kindOf(btf, pointer) !== BtfKind.PTR) return undefined
  const array = plainType(btf, referencedType(btf, pointer))
  return kindOf(btf, array) === BtfKind.ARRAY ? arrayLength(btf, array) : undefined
}

/** What `__array(values, …)` says of the maps that a map holds: an array of pointers to their definition. */
function innerDefinition (btf: Btf, values: TypeId): TypeId | undefined {
  if (kindOf(btf, values) !== BtfKind.ARRAY) return undefined
  const pointer = plainType(btf, arrayElement(btf, values))
  if (kindOf(btf, pointer) !== BtfKind.PTR) return undefined
  const definition = plainType(btf, referencedType(btf, pointer))
  return isComposite(kindOf(btf, definition)) ? definition : undefined
}
