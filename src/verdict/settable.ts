import {
  arrayElement, arrayLength, datasecVariable, intEncoding, isComposite, kindOf, memberBitfieldSize, memberBitOffset, memberType, nameOf,
  referencedType, sizeWordOf, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { BTF_INT_BOOL, BtfKind } from '../btf/constants.js'
import { listedKinds } from '../btf/listed-kinds.js'
import { plainType, resolveSize, strip } from '../btf/resolve.js'
import { newWork } from '../btf/work.js'
import type { BpfObject } from '../core/object.js'
import { STT_OBJECT } from '../elf/constants.js'
import { symbolsOf } from '../elf/symbols.js'
import { AppError } from '../errors.js'
import { findMember, membersOf } from '../members/paths.js'

/** A value that user space, or the kernel's configuration, sets before an object is loaded. */
export interface Settable {
  readonly name: string
  /** With its section, where that tells it from others. */
  readonly qualified: string
  /** Index of its section; undefined for one of the configuration. */
  readonly section: number | undefined
  /** Bytes from the start of the section. */
  readonly offset: number
  /** Bytes; Infinity for a text of the configuration. */
  readonly size: number
  readonly kind: 'number' | 'bool' | 'char' | 'tristate'
  /** Undefined where the object's BTF does not have it. */
  readonly type: TypeId | undefined
}

/** What a name means: a variable, or a part of one. */
export interface SettablePlace {
  /** Undefined: a place of a section that no variable has. */
  readonly variable: Settable | undefined
  readonly section: number | undefined
  /** Bytes from the start of the section. */
  readonly offset: number
  /** Bytes; undefined where the types do not tell how many start there. */
  readonly size: number | undefined
  /** Bytes from there to the end of the variable or the section. */
  readonly room: number
}

/** Whether a section holds what user space sets, and no verifier sees change. */
export function isReadOnlyData (name: string): boolean { return /^\.rodata(\.|$)/.test(name) }

/** Variables of the read-only sections, and values of the kernel's configuration. */
export function settableVariables (object: BpfObject): readonly Settable[] {
  const { elf, btf } = object
  const types = typesOf(btf)
  const inSections = elf.sections.filter(({ name }) => isReadOnlyData(name)).flatMap(section =>
    symbolsOf(elf).definedIn(section.index)
      .filter(({ type, name }) => type === STT_OBJECT && name !== '')
      .map(({ name, value, size }): Settable => {
        const qualified = `${section.name}.${name}`
        return { name, qualified, section: section.index, offset: value, size, kind: 'number', type: types.get(qualified) }
      }))
  return [...inSections, ...configurationValues(btf)]
}

/** Types of variables, by section and name. */
function typesOf (btf: Btf): ReadonlyMap<string, TypeId> {
  return new Map(Array.from(variablesOf(btf, isReadOnlyData), ({ section, name, type }) => [`${section}.${name}`, type]))
}

/** The variables that BTF has for the sections whose names are wanted. */
export function * variablesOf (
  btf: Btf, isWanted: (section: string) => boolean
): Generator<{ readonly section: string, readonly name: string, readonly type: TypeId }> {
  for (const id of listedKinds(btf).datasecs) {
    const section = nameOf(btf, id)
    for (let v = 0; isWanted(section) && v < vlenOf(btf, id); v++) {
      const variable = datasecVariable(btf, id, v)
      yield { section, name: nameOf(btf, variable), type: referencedType(btf, variable) }
    }
  }
}

function configurationValues (btf: Btf): Settable[] {
  return Array.from(variablesOf(btf, section => section === '.kconfig'), ({ name, type }): Settable => {
    const plain = plainType(btf, type)
    return { name, qualified: `.kconfig.${name}`, section: undefined, offset: 0, type: plain, ...shapeOf(btf, plain) }
  })
}

/** As libbpf takes the types of `.kconfig` externs. An array is a text, which no number is. */
function shapeOf (btf: Btf, type: TypeId): Pick<Settable, 'size' | 'kind'> {
  const kind = kindOf(btf, type)
  if (kind === BtfKind.ARRAY) return { size: Infinity, kind: 'number' }
  if (kind === BtfKind.ENUM) return { size: sizeWordOf(btf, type), kind: nameOf(btf, type) === 'libbpf_tristate' ? 'tristate' : 'number' }
  if (kind !== BtfKind.INT) return { size: 8, kind: 'number' }
  const size = sizeWordOf(btf, type)
  return { size, kind: (intEncoding(btf, type) & BTF_INT_BOOL) !== 0 ? 'bool' : size === 1 ? 'char' : 'number' }
}

/**
 * What a name means: `enabled`, `.rodata.enabled`, a part of it (`CFG.enabled`, `CFG.limits[2]`, `CFG+18`), or a place in a section
 * (`.rodata+24`). Several where sections have variables of one name; none where the object has nothing of the name.
 */
export function placesOf (object: BpfObject, variables: readonly Settable[], name: string): SettablePlace[] {
  const [, whole = '', offset] = /^(.*?)(?:\+(\d{1,9}))?$/s.exec(name) ?? []
  const at = Number(offset ?? 0)
  const exact = variables.filter(variable => [variable.name, variable.qualified].includes(whole))
  if (exact.length > 0) {
    return exact.filter(({ size }) => at < size || offset === undefined).map(variable =>
      partOf(variable, at, offset === undefined ? variable.size : sizeAt(object.btf, variable, at)))
  }
  const parts = offset !== undefined
    ? []
    : variables.flatMap(variable => [variable.name, variable.qualified].flatMap(prefix => whole.startsWith(prefix)
      ? memberPlace(object.btf, variable, whole.slice(prefix.length))
      : []))
  if (parts.length > 0 || offset === undefined) return parts
  return object.elf.sections.filter(section => isReadOnlyData(section.name) && section.name === whole && at < section.size)
    .map(({ index, size }) => ({ variable: undefined, section: index, offset: at, size: undefined, room: size - at }))
}

function partOf (variable: Settable, at: number, size: number | undefined): SettablePlace {
  return { variable, section: variable.section, offset: variable.offset + at, size, room: variable.size - at }
}

/** The place of a path behind a variable: `.enabled`, `[2].limit`. */
function memberPlace (btf: Btf, variable: Settable, path: string): SettablePlace[] {
  if (variable.type === undefined || variable.section === undefined || !/^(\.\w+|\[\d{1,9}\])+$/.test(path)) return []
  const work = newWork()
  const find = (from: TypeId): SettablePlace[] => {
    let [type, at] = [strip(btf, from, work), 0]
    for (const [, member, index] of path.matchAll(/\.(\w+)|\[(\d+)\]/g)) {
      if (index !== undefined) {
        if (kindOf(btf, type) !== BtfKind.ARRAY || Number(index) >= arrayLength(btf, type)) return []
        at += Number(index) * resolveSize(btf, arrayElement(btf, type))
        type = strip(btf, arrayElement(btf, type), work)
        continue
      }
      const found = findMember(btf, type, member ?? '', work)
      if (found === undefined || found.bits % 8 !== 0 || memberBitfieldSize(btf, found.composite, found.index) > 0) return []
      at += found.bits / 8
      type = strip(btf, found.type, work)
    }
    const size = resolveSize(btf, type)
    return size > 0 && at + size <= variable.size ? [partOf(variable, at, size)] : []
  }
  const { type } = variable
  return fromTypes(() => find(type)) ?? []
}

/** What types tell; undefined where they cannot be walked. */
function fromTypes<T> (find: () => T): T | undefined {
  try {
    return find()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return undefined
  }
}

/** Structs and arrays around a number. */
const MAX_DEPTH = 32

/** Bytes of the number that starts at an offset of a variable; undefined where none does. */
function sizeAt (btf: Btf, { type, size }: Settable, offset: number): number | undefined {
  if (type === undefined) return offset === 0 && size <= 8 ? size : undefined
  const work = newWork()
  const find = (from: TypeId, at: number, depth: number): number | undefined => {
    if (depth > MAX_DEPTH) return undefined
    const id = strip(btf, from, work)
    if (kindOf(btf, id) === BtfKind.ARRAY) {
      const element = resolveSize(btf, arrayElement(btf, id))
      return element > 0 && at < element * arrayLength(btf, id) ? find(arrayElement(btf, id), at % element, depth + 1) : undefined
    }
    if (!isComposite(kindOf(btf, id))) return at === 0 ? resolveSize(btf, id) : undefined
    for (let i = 0; i < vlenOf(btf, id); i++) {
      const start = memberBitOffset(btf, id, i) / 8
      const isInside = memberBitfieldSize(btf, id, i) === 0 && start <= at && at < start + resolveSize(btf, memberType(btf, id, i))
      if (isInside) return find(memberType(btf, id, i), at - start, depth + 1)
    }
    return undefined
  }
  return fromTypes(() => find(type, offset, 0))
}

/** Names of the members of a variable that is a struct. */
export function memberNames ({ btf }: BpfObject, { type }: Settable): string[] {
  return (type === undefined ? undefined : fromTypes(() => membersOf(btf, type, newWork()).map(({ name }) => name))) ?? []
}
