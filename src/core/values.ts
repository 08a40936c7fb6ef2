import type { ByteOrder } from '../bytes/byte-order.js'
import {
  enumeratorValue, intEncoding, isEnum, isSignedInt, kindFlagOf, kindName, kindOf, memberBitfieldSize, memberType, sizeWordOf, VOID_TYPE,
  type Btf, type TypeId
} from '../btf/btf.js'
import { BTF_INT_SIGNED, BtfKind } from '../btf/constants.js'
import { innermostElement, resolveSize, strip } from '../btf/resolve.js'
import type { Work } from '../btf/work.js'
import { fault } from './fault.js'
import { answersZero, CoreReloKind, isFieldKind } from './kinds.js'
import type { Spec } from './spec.js'

/** What a relocation evaluates to on one side (the object's own layout, or the kernel's). */
export interface SideValue {
  /** As u64. */
  readonly value: bigint
  /** Whether the instruction must hold this value before it is patched. */
  readonly validate: boolean
  /** Bytes of the accessed field, for byte_off of a plain field; otherwise 0. */
  readonly fieldSize: number
  /** Type of that field, stripped; void where fieldSize does not apply. */
  readonly fieldType: TypeId
}

/** struct bpf_core_relo_res: what to write, and what must have been there. */
export interface ReloValue {
  readonly local: SideValue
  /** Undefined where there is no value: the instruction is poisoned. */
  readonly target: SideValue | undefined
  /** The field has another size than the compiler saw, and no load or store can be made of it that keeps its meaning. */
  readonly isAccessUnsafe: boolean
}

/**
 * Both sides of a relocation: libbpf's bpf_core_calc_relo.
 *
 * @param target the matched spec, or undefined where no candidate matches
 * @param byteOrder of the object: lshift depends on it. libbpf takes its own host's, which is the same wherever it can load.
 * @throws AppError `relocation_failed` where libbpf refuses the object, for the local side even if there is no target
 */
export function calculate (local: Spec, target: Spec | undefined, byteOrder: ByteOrder, work: Work): ReloValue {
  const localValue = sideValue(local, byteOrder, work)
  if (target === undefined) {
    return { local: localValue, target: answersZero(local.kind) ? plain(0n) : undefined, isAccessUnsafe: false }
  }
  const targetValue = sideValue(target, byteOrder, work)
  const isAccessUnsafe = localValue.fieldSize !== targetValue.fieldSize &&
    !canResize(local.btf, localValue.fieldType, target.btf, targetValue.fieldType)
  return { local: localValue, target: targetValue, isAccessUnsafe }
}

/** Pointers, and integers that are not plainly signed, zero-extend when loaded, so that another width reads the same number. */
function canResize (localBtf: Btf, localType: TypeId, targetBtf: Btf, targetType: TypeId): boolean {
  const kind = kindOf(localBtf, localType)
  if (kind !== kindOf(targetBtf, targetType)) return false
  if (kind === BtfKind.PTR) return true
  return kind === BtfKind.INT &&
    intEncoding(localBtf, localType) !== BTF_INT_SIGNED &&
    intEncoding(targetBtf, targetType) !== BTF_INT_SIGNED
}

function plain (value: bigint, validate = true): SideValue {
  return { value, validate, fieldSize: 0, fieldType: VOID_TYPE }
}

function sideValue (spec: Spec, byteOrder: ByteOrder, work: Work): SideValue {
  if (isFieldKind(spec.kind)) return fieldValue(spec, byteOrder, work)
  switch (spec.kind) {
    case CoreReloKind.TYPE_ID_LOCAL: case CoreReloKind.TYPE_ID_TARGET:
      // Static linking renumbers types, so that the compiled-in id proves nothing.
      return plain(BigInt(spec.rootId), false)
    case CoreReloKind.TYPE_SIZE: {
      const size = resolveSize(spec.btf, spec.rootId)
      if (size < 0) throw fault('EINVAL', 'size_unknown', `Type ${spec.rootId} has no size.`)
      return plain(BigInt(size))
    }
    case CoreReloKind.ENUMVAL_VALUE: {
      const accessor = spec.accessors[0]
      if (accessor === undefined) throw fault('EINVAL', 'access_malformed', 'The access names no enumerator.')
      return plain(enumeratorValue(spec.btf, accessor.typeId, accessor.index))
    }
    default: // type_exists, type_matches and enumval_exists: a spec that is there is a 1.
      return plain(1n)
  }
}

function fieldValue (spec: Spec, byteOrder: ByteOrder, work: Work): SideValue {
  if (spec.kind === CoreReloKind.FIELD_EXISTS) return plain(1n)
  const last = spec.accessors.at(-1)
  if (last === undefined) throw fault('EINVAL', 'access_malformed', 'The access names no field.')
  if (last.name === undefined) return elementValue(spec, last.typeId, work)

  const { btf } = spec
  const fieldType = strip(btf, memberType(btf, last.typeId, last.index), work)
  const bitfieldSize = memberBitfieldSize(btf, last.typeId, last.index)
  const place = bitfieldSize > 0 ? bitfieldPlace(spec, fieldType, bitfieldSize) : plainPlace(spec, fieldType)
  const isBitfield = bitfieldSize > 0
  switch (spec.kind) {
    case CoreReloKind.FIELD_BYTE_OFFSET:
      return isBitfield
        ? plain(BigInt(place.byteOffset), false)
        : { value: BigInt(place.byteOffset), validate: true, fieldSize: innermostSize(btf, fieldType, work), fieldType }
    case CoreReloKind.FIELD_BYTE_SIZE:
      return plain(BigInt(place.byteSize), !isBitfield)
    case CoreReloKind.FIELD_SIGNED:
      return plain(isSigned(btf, fieldType) ? 1n : 0n)
    case CoreReloKind.FIELD_LSHIFT_U64: {
      const bitInLoad = spec.bitOffset - place.byteOffset * 8
      const shift = byteOrder === 'little' ? 64 - (bitInLoad + place.bitSize) : (8 - place.byteSize) * 8 + bitInLoad
      return plain(BigInt(shift >>> 0), !isBitfield)
    }
    default: // FIELD_RSHIFT_U64
      return plain(BigInt((64 - place.bitSize) >>> 0))
  }
}

/** An array element, or the root itself where the access is a bare index. */
function elementValue (spec: Spec, id: TypeId, work: Work): SideValue {
  if (spec.kind === CoreReloKind.FIELD_BYTE_OFFSET) {
    return { value: BigInt(Math.floor(spec.bitOffset / 8)), validate: true, fieldSize: innermostSize(spec.btf, id, work), fieldType: id }
  }
  if (spec.kind === CoreReloKind.FIELD_BYTE_SIZE) return plain(BigInt(sizeOf(spec.btf, id)))
  throw fault(
    'EINVAL',
    'no_signedness',
    'An array element has no sign and no bit position; libbpf supports only its offset, size and existence.'
  )
}

/** The bytes to load for a field, and the field's width in bits. All u32. */
interface FieldPlace {
  readonly byteOffset: number
  readonly byteSize: number
  readonly bitSize: number
}

function plainPlace (spec: Spec, fieldType: TypeId): FieldPlace {
  const byteSize = sizeOf(spec.btf, fieldType)
  return { byteOffset: Math.floor(spec.bitOffset / 8), byteSize, bitSize: (byteSize * 8) >>> 0 }
}

/** The smallest aligned load, starting at the declared storage type's size, that covers the bitfield. */
function bitfieldPlace (spec: Spec, fieldType: TypeId, bitSize: number): FieldPlace {
  const kind = kindOf(spec.btf, fieldType)
  const declaredSize = kind === BtfKind.INT || isEnum(kind) ? sizeWordOf(spec.btf, fieldType) : 0
  if (declaredSize === 0) {
    throw fault(
      'EINVAL',
      'bitfield_type_invalid',
      `A bitfield has type ${fieldType} (${kindName(kind)}), which is no integer or enum with a size.`
    )
  }
  let byteSize = declaredSize
  let byteOffset = alignedByte(spec.bitOffset, byteSize)
  while ((spec.bitOffset + bitSize - byteOffset * 8) >>> 0 > (byteSize * 8) >>> 0) {
    if (byteSize >= 8) {
      throw fault(
        'E2BIG',
        'bitfield_too_wide',
        `A bitfield of ${bitSize} bits at bit ${spec.bitOffset} does not fit any aligned load of up to 8 bytes.`
      )
    }
    byteSize *= 2
    byteOffset = alignedByte(spec.bitOffset, byteSize)
  }
  return { byteOffset, byteSize, bitSize }
}

function alignedByte (bitOffset: number, byteSize: number): number {
  return Math.floor(Math.floor(bitOffset / 8) / byteSize) * byteSize
}

function isSigned (btf: Btf, id: TypeId): boolean {
  const kind = kindOf(btf, id)
  return isEnum(kind) ? kindFlagOf(btf, id) : kind === BtfKind.INT && isSignedInt(btf, id)
}

/** Size of the field that an instruction accesses: of an array it is one innermost element (libbpf since 1.6). */
function innermostSize (btf: Btf, id: TypeId, work: Work): number {
  return sizeOf(btf, innermostElement(btf, id, work))
}

function sizeOf (btf: Btf, id: TypeId): number {
  const size = resolveSize(btf, id)
  if (size < 0) throw fault('EINVAL', 'size_unknown', `The field's type (id ${id}) has no size.`)
  return size
}
