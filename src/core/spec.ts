import {
  arrayElement, arrayLength, enumeratorNameOffset, isComposite, isEmptyString, isEnum, kindName, kindOf, memberBitOffset,
  memberNameOffset, memberType, nameOf, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { resolveSize, strip } from '../btf/resolve.js'
import type { Work } from '../btf/work.js'
import { parseAccessString } from './access-string.js'
import { fault } from './fault.js'
import { isEnumvalKind, isFieldKind, type CoreReloKind } from './kinds.js'

/**
 * One step of an access: a named member of a composite, an array element, or, first in every spec, the root itself indexed as
 * a pointer would be.
 */
export interface Accessor {
  /** The composite that has the member, or the type of the element; stripped. */
  readonly typeId: TypeId
  readonly index: number
  /** String offset of the member's or enumerator's name; undefined for an element. */
  readonly name: number | undefined
}

/** An access string resolved against a BTF: struct bpf_core_spec. */
export interface Spec {
  readonly btf: Btf
  readonly kind: CoreReloKind
  /** Unstripped: a typedef stays a typedef. */
  readonly rootId: TypeId
  /** The indices as written, anonymous members included. */
  readonly raw: readonly number[]
  readonly accessors: readonly Accessor[]
  /** From the start of the root, in bits, modulo 2^32 as libbpf's u32. */
  readonly bitOffset: number
}

/** index * size * 8 in u32. Exact: Math.imul keeps the low 32 bits of products whose factors are below 2^53. */
export function bitsOf (index: number, size: number): number { return Math.imul(Math.imul(index, size), 8) >>> 0 }

/**
 * Whether an array access may pass the array's end: a zero-length array that is its composite's last member
 * (libbpf's is_flex_arr). Only the outermost dimension can be one.
 */
export function isFlexibleArray (btf: Btf, last: Accessor | undefined, arrayId: TypeId): boolean {
  if (last?.name === undefined || arrayLength(btf, arrayId) > 0) return false
  return last.index === vlenOf(btf, last.typeId) - 1
}

/**
 * Resolves a record's access string against the object's own BTF: libbpf's bpf_core_parse_spec.
 *
 * @throws AppError `relocation_failed` (EINVAL) where the string does not fit the type
 */
export function parseSpec (btf: Btf, rootId: TypeId, access: string, kind: CoreReloKind, work: Work): Spec {
  if (!isFieldKind(kind) && !isEnumvalKind(kind)) {
    if (access !== '0') throw malformed(access, 'a relocation of a whole type has 0 here')
    return { btf, kind, rootId, raw: [], accessors: [], bitOffset: 0 }
  }
  const raw = parseAccessString(access)
  const first = raw?.[0]
  if (raw === undefined || first === undefined) throw malformed(access, 'it is not a list of at most 64 numbers')
  const root = strip(btf, rootId, work)
  return isEnumvalKind(kind)
    ? parseEnumSpec(btf, rootId, root, raw, first, access, kind)
    : parseFieldSpec(btf, rootId, root, raw, first, access, kind, work)
}

function parseEnumSpec (btf: Btf, rootId: TypeId, root: TypeId, raw: number[], first: number, access: string, kind: CoreReloKind): Spec {
  if (!isEnum(kindOf(btf, root))) throw malformed(access, `${nameOf(btf, rootId)} is not an enum`)
  if (raw.length !== 1 || first >= vlenOf(btf, root)) throw malformed(access, `the enum has ${vlenOf(btf, root)} enumerators`)
  return { btf, kind, rootId, raw, accessors: [{ typeId: root, index: first, name: enumeratorNameOffset(btf, root, first) }], bitOffset: 0 }
}

function parseFieldSpec (
  btf: Btf,
  rootId: TypeId,
  root: TypeId,
  raw: number[],
  first: number,
  access: string,
  kind: CoreReloKind,
  work: Work
): Spec {
  const accessors: Accessor[] = [{ typeId: root, index: first, name: undefined }]
  let bitOffset = bitsOf(first, sizeOrFault(btf, root, access))
  let current = root
  for (const index of raw.slice(1)) {
    const id = strip(btf, current, work)
    const typeKind = kindOf(btf, id)
    if (isComposite(typeKind)) {
      if (index >= vlenOf(btf, id)) throw malformed(access, `${kindName(typeKind)} ${nameOf(btf, id)} has ${vlenOf(btf, id)} members`)
      bitOffset = (bitOffset + memberBitOffset(btf, id, index)) >>> 0
      const name = memberNameOffset(btf, id, index)
      if (name !== 0) {
        if (isEmptyString(btf, name)) {
          throw malformed(access, `member ${index} of ${kindName(typeKind)} ${nameOf(btf, id)} has an empty name`)
        }
        accessors.push({ typeId: id, index, name })
      }
      current = memberType(btf, id, index)
    } else if (typeKind === BtfKind.ARRAY) {
      const element = strip(btf, arrayElement(btf, id), work)
      if (!isFlexibleArray(btf, accessors.at(-1), id) && index >= arrayLength(btf, id)) {
        throw malformed(access, `the array has ${arrayLength(btf, id)} elements`)
      }
      accessors.push({ typeId: element, index, name: undefined })
      bitOffset = (bitOffset + bitsOf(index, sizeOrFault(btf, element, access))) >>> 0
      current = element
    } else {
      throw malformed(access, `it goes into a ${kindName(typeKind)}, which has neither members nor elements`)
    }
  }
  return { btf, kind, rootId, raw, accessors, bitOffset }
}

function sizeOrFault (btf: Btf, id: TypeId, access: string): number {
  const size = resolveSize(btf, id)
  if (size < 0) throw malformed(access, `type ${id} has no size`)
  return size
}

function malformed (access: string, why: string) {
  return fault('EINVAL', 'access_malformed', `The access string "${access.slice(0, 200)}" does not fit the object's own type: ${why}.`)
}
