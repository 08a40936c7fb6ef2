import { isEmptyString, isValidId, kindOf, nameOffsetOf, typeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { essentialName, nameBytesOf, type NameBytes } from '../btf/find.js'
import { CoreReloKind } from '../core/kinds.js'
import type { BpfObject } from '../core/object.js'
import { locateRecords } from '../core/records.js'
import { otherTypeNamesOf } from '../members/renames.js'
import { formatId, type LayoutFormat } from './format.js'
import type { LayoutTable } from './table.js'
import { createWriter } from './writer.js'

/** The essential names that an object's relocations look for, each once, in the order of the file. */
export type Demands = readonly NameBytes[]

/** Kinds of roots of whose candidates a layout table knows. */
const KINDS: ReadonlySet<number> = new Set([
  BtfKind.INT, BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64, BtfKind.FWD, BtfKind.TYPEDEF, BtfKind.FLOAT
])

const known = new WeakMap<BpfObject, { readonly demands: Demands | undefined }>()

/**
 * What an object demands of kernels. Undefined where a relocation is about a type of a kind that layout tables do not have, so that
 * only the BTF tells.
 *
 * @throws AppError `object_invalid` as locateRecords does
 */
export function demandsOf (object: BpfObject): Demands | undefined {
  let held = known.get(object)
  if (held === undefined) known.set(object, held = { demands: listDemands(object) })
  return held.demands
}

function listDemands (object: BpfObject): Demands | undefined {
  const { btf } = object
  const ids = new Set<number>()
  for (const { typeId: id, kind } of locateRecords(object).records) {
    // Whatever the kernel has: these fail, or are about the object alone.
    if (kind !== CoreReloKind.TYPE_ID_LOCAL && isValidId(btf, id) && !isEmptyString(btf, nameOffsetOf(btf, id))) ids.add(id)
  }
  const demands = new Map<string, NameBytes>()
  for (const id of [...ids].map(typeId)) {
    if (!KINDS.has(kindOf(btf, id))) return undefined
    const name = essentialName(btf, nameOffsetOf(btf, id))
    demands.set(keyOf(name), name)
  }
  // Why a kernel has no such type is told by its registers.
  if (REGISTER_TYPES.some(name => demands.has(name)) && !demands.has(REGISTERS)) demands.set(REGISTERS, nameBytesOf(REGISTERS))
  // So it is by another name of the type.
  for (const other of [...demands.keys()].flatMap(otherTypeNamesOf)) if (!demands.has(other)) demands.set(other, nameBytesOf(other))
  return [...demands.values()]
}

const REGISTERS = 'pt_regs'
const REGISTER_TYPES = ['user_pt_regs', 'user_regs_struct']

/** Bytes as characters, whatever they are. */
function keyOf ({ bytes, offset, length }: NameBytes): string {
  let key = ''
  for (let i = 0; i < length; i++) key += String.fromCharCode(bytes[offset + i] ?? 0)
  return key
}

/**
 * One text for all that an object's relocation for a kernel follows from: kernels with equal vectors give the object equal patches,
 * outcomes, reasons and suggestions, except for what `isOfLayout` names. 32 characters, of the format and the object's demands.
 *
 * Undefined where the layouts of some type that the object demands cannot be compared: the kernel has to be relocated for by itself.
 *
 * @param tables of vmlinux, and of the modules that are asked with, in their order
 */
export function layoutVector (demands: Demands, tables: readonly LayoutTable[], format: LayoutFormat): string | undefined {
  const writer = createWriter(VECTOR_BYTES)
  writer.text(formatId(format))
  writer.word(tables.length)
  for (const { bigEndian, pointerSize } of tables) {
    writer.byte(bigEndian ? 1 : 0)
    writer.byte(pointerSize)
  }
  for (const name of demands) {
    for (const table of tables) {
      const digest = table.find(name)
      if (digest === undefined) return undefined
      writer.byte(digest === '' ? 0 : 1)
      writer.text(digest)
    }
  }
  return format.hash(writer.since(0))
}

const VECTOR_BYTES = 2048
