import { at, dataView } from '../bytes/checked.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import {
  intEncoding, isComposite, kindFlagOf, kindName, kindOf, memberType, nameOf, nameOffsetOf, sameStrings, sizeWordOf, typeId, vlenOf,
  type Btf, type TypeId
} from './btf.js'
import { BtfKind } from './constants.js'
import { essentialName, findCandidates } from './find.js'
import { BTF_TYPE, KIND_TAILS } from './layout.js'
import { parseRawBtf } from './parse.js'
import { referencesOf } from './references.js'
import { innermostElement } from './resolve.js'
import { newWork, type Work } from './work.js'

/** Kinds that a distilled base may hold, and those that a type of the real base may have to stand for one. */
const DISTILLED_KINDS: ReadonlySet<number> = new Set([BtfKind.INT, BtfKind.FLOAT, BtfKind.ENUM, BtfKind.STRUCT, BtfKind.UNION, BtfKind.FWD])
const BASE_KINDS = [BtfKind.INT, BtfKind.FLOAT, BtfKind.ENUM, BtfKind.STRUCT, BtfKind.UNION, BtfKind.FWD]

/**
 * Puts a module's BTF that was built on a distilled base (a few named types without members, `.BTF.base`) on the real one: the
 * result is split BTF on `base`, with type ids and string offsets rewritten. libbpf's btf__relocate.
 *
 * @param own raw `.BTF` of the module
 * @param distilled raw `.BTF.base` of the module
 * @throws AppError `btf_invalid` where a distilled type fits none or several of the base's types
 */
export function relocateDistilledBase (own: Uint8Array, distilled: Uint8Array, base: Btf): Uint8Array {
  const small = parseRawBtf(distilled, { pointerSize: base.pointerSize })
  const split = parseRawBtf(own, { base: small, indexNames: false })
  if (split.byteOrder !== base.byteOrder || small.byteOrder !== base.byteOrder) {
    throw new AppError(
      'btf_invalid',
      `The module's BTF is ${split.byteOrder}-endian, its base ${base.byteOrder}-endian.`,
      { byte_order: split.byteOrder }
    )
  }
  const mapping = mapTypes(split, small, base)
  const shifted: Mapping = {
    ids: mapping.ids,
    strings: mapping.strings,
    firstOwnId: small.endId,
    idShift: base.endId - small.endId,
    firstOwnString: small.strLen,
    stringShift: base.startStrOff + base.strLen - small.strLen
  }
  return rewrite(split, shifted)
}

interface Mapping {
  /** Distilled type id to the base's. */
  readonly ids: ReadonlyMap<number, number>
  /** Distilled string offset to the base's. */
  readonly strings: ReadonlyMap<number, number>
  readonly firstOwnId: number
  readonly idShift: number
  readonly firstOwnString: number
  readonly stringShift: number
}

function mapTypes (split: Btf, small: Btf, base: Btf): Pick<Mapping, 'ids' | 'strings'> {
  const work = newWork(LIMITS.workSteps + split.endId)
  const embedded = embeddedTypes(split, small, work)
  const ids = new Map<number, number>()
  const strings = new Map<number, number>([[0, 0]])
  for (let id = typeId(small.startId); id < small.endId; id = typeId(id + 1)) {
    const kind = kindOf(small, id)
    const name = nameOf(small, id)
    if (name === '' || !DISTILLED_KINDS.has(kind)) {
      throw unmapped(
        id,
        `A distilled base holds named types only, but its type ${id} is ${name === '' ? 'an anonymous' : 'a'} ${kindName(kind)}.`
      )
    }
    const matches = baseTypesNamed(small, id, base, work).filter(candidate => isMatch(small, id, base, candidate, embedded.has(id)))
    const match = matches.length === 1 ? matches[0] : undefined
    if (match === undefined) {
      throw unmapped(
        id,
        `The module was built against a ${kindName(kind)} ${name}, of which the vmlinux BTF has ` +
        `${matches.length === 0 ? 'none that fits' : `${matches.length} that fit`}; it belongs to another kernel.`
      )
    }
    ids.set(id, match.id)
    strings.set(nameOffsetOf(small, id), nameOffsetOf(base, match.id))
  }
  return { ids, strings }
}

/** A type of the base with the wanted name; `needsSize` where several composites share the name, so that only size tells them apart. */
interface BaseType {
  readonly id: TypeId
  readonly needsSize: boolean
}

function baseTypesNamed (small: Btf, id: TypeId, base: Btf, work: Work): BaseType[] {
  const essential = essentialName(small, nameOffsetOf(small, id))
  const found = BASE_KINDS
    .flatMap(kind => findCandidates(base, kind, essential, false, work))
    .filter(candidate => sameStrings(small, nameOffsetOf(small, id), base, nameOffsetOf(base, candidate)))
  const composites = found.filter(candidate => isComposite(kindOf(base, candidate))).length
  return found.map(candidate => {
    const kind = kindOf(base, candidate)
    return { id: candidate, needsSize: isComposite(kind) ? composites > 1 : kind !== BtfKind.FWD }
  })
}

function isMatch (small: Btf, id: TypeId, base: Btf, candidate: BaseType, isEmbedded: boolean): boolean {
  const kind = kindOf(small, id)
  const baseKind = kindOf(base, candidate.id)
  const size = kind === BtfKind.FWD ? 0 : sizeWordOf(small, id)
  const baseSize = baseKind === BtfKind.FWD ? 0 : sizeWordOf(base, candidate.id)
  if (candidate.needsSize && size !== baseSize) return false
  switch (kind) {
    case BtfKind.FWD:
      // libbpf compares the forward declaration's struct-or-union flag with the *bitfield* flag of a definition; kept as it is.
      if (baseKind === BtfKind.FWD) return kindFlagOf(small, id) === kindFlagOf(base, candidate.id)
      return isComposite(baseKind) && kindFlagOf(base, candidate.id) === (baseKind === BtfKind.UNION)
    case BtfKind.INT:
      return baseKind === kind && intEncoding(small, id) === intEncoding(base, candidate.id)
    case BtfKind.FLOAT:
      return baseKind === kind
    case BtfKind.ENUM:
      return baseKind === BtfKind.ENUM || baseKind === BtfKind.ENUM64
    default: // STRUCT, UNION
      return !isEmbedded || size === baseSize
  }
}

/** Distilled composites that a struct of the module contains by value, so that their size matters. */
function embeddedTypes (split: Btf, small: Btf, work: Work): ReadonlySet<number> {
  const embedded = new Set<number>()
  for (let id = typeId(split.startId); id < split.endId; id = typeId(id + 1)) {
    if (!isComposite(kindOf(split, id))) continue
    for (let index = 0; index < vlenOf(split, id); index++) {
      const type = innermostElement(split, memberType(split, id, index), work)
      if (type !== 0 && type < small.endId) embedded.add(type)
    }
  }
  return embedded
}

function rewrite (split: Btf, mapping: Mapping): Uint8Array {
  const output = new Uint8Array(split.bytes)
  const view = dataView(output)
  const rewriteId = (offset: number): void => {
    const id = view.getUint32(offset, split.littleEndian)
    const mapped = id >= mapping.firstOwnId ? id + mapping.idShift : id === 0 ? 0 : mapping.ids.get(id)
    if (mapped === undefined) throw unmapped(id, `Type ${id} of the distilled base has no counterpart.`)
    view.setUint32(offset, mapped, split.littleEndian)
  }
  const rewriteString = (offset: number): void => {
    const string = view.getUint32(offset, split.littleEndian)
    const mapped = string >= mapping.firstOwnString ? string + mapping.stringShift : mapping.strings.get(string)
    if (mapped === undefined) {
      throw new AppError(
        'btf_invalid',
        `String offset ${string} of the distilled base names no type of the base.`,
        { string_offset: string }
      )
    }
    view.setUint32(offset, mapped, split.littleEndian)
  }
  for (let id = typeId(split.startId); id < split.endId; id = typeId(id + 1)) {
    const record = at(split.typeOffsets, id - split.startId)
    const kind = kindOf(split, id)
    rewriteString(record + BTF_TYPE.nameOff)
    const { types, uncheckedType, elementName, elementType } = referencesOf(kind)
    for (const type of types) rewriteId(record + type)
    if (uncheckedType !== undefined) rewriteId(record + uncheckedType)
    const size = KIND_TAILS[kind]?.element ?? 0
    if (size === 0) continue
    for (let i = 0, element = record + BTF_TYPE.SIZE; i < vlenOf(split, id); i++, element += size) {
      if (elementName !== undefined) rewriteString(element + elementName)
      if (elementType !== undefined) rewriteId(element + elementType)
    }
  }
  return output
}

function unmapped (id: number, message: string): AppError {
  return new AppError('btf_invalid', message, { section: '.BTF.base', type_id: id })
}
