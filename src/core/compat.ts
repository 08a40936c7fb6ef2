import {
  arrayElement, arrayLength, enumeratorNameOffset, intBitOffset, isComposite, isEmptyString, isEnum, isSignedInt, kindFlagOf,
  kindOf, memberNameOffset, memberType, nameOffsetOf, paramType, referencedType, sizeWordOf, vlenOf, type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { essentialName, isCandidateKind, sameName } from '../btf/find.js'
import { innermostElement, strip } from '../btf/resolve.js'
import { step, type Work } from '../btf/work.js'
import { LIMITS } from '../limits.js'
import { fault } from './fault.js'

/** The two sides of a comparison, and the steps it may take. */
export interface Sides {
  readonly local: Btf
  readonly target: Btf
  readonly work: Work
}

/**
 * Whether a field of one type may be read where the other was meant: libbpf's bpf_core_fields_are_compat. Composites always
 * may, since their members are compared on their own; sizes and signs of integers do not matter; enums and forward
 * declarations compare names, of which an anonymous one fits any.
 */
export function fieldsAreCompatible (sides: Sides, localId: TypeId, targetId: TypeId): boolean {
  // Refused here, before the walk over both sides that an array of itself would keep going.
  innermostElement(sides.local, localId, sides.work)
  innermostElement(sides.target, targetId, sides.work)
  let local = localId
  let target = targetId
  for (;;) {
    step(sides.work)
    local = strip(sides.local, local, sides.work)
    target = strip(sides.target, target, sides.work)
    const kind = kindOf(sides.local, local)
    const targetKind = kindOf(sides.target, target)
    if (isComposite(kind) && isComposite(targetKind)) return true
    if (!isCandidateKind(kind, targetKind)) return false
    switch (kind) {
      case BtfKind.PTR: case BtfKind.FLOAT:
        return true
      case BtfKind.FWD: case BtfKind.ENUM: case BtfKind.ENUM64: {
        const a = essentialName(sides.local, nameOffsetOf(sides.local, local), sides.work)
        const b = essentialName(sides.target, nameOffsetOf(sides.target, target), sides.work)
        return a.length === 0 || b.length === 0 || sameName(a, b)
      }
      case BtfKind.INT:
        return intBitOffset(sides.local, local) === 0 && intBitOffset(sides.target, target) === 0
      case BtfKind.ARRAY:
        local = arrayElement(sides.local, local)
        target = arrayElement(sides.target, target)
        break
      default:
        return false
    }
  }
}

/**
 * Whether a whole type exists in the shape that was meant, for type_exists, type_size and target_type_id: libbpf's
 * bpf_core_types_are_compat. Only the roots' names were compared, by the candidate search; below, kinds count. FLOAT is never
 * compatible, as in libbpf.
 *
 * @throws AppError `relocation_failed` (EINVAL) past 32 levels of parameters or 32 pointers and arrays in a row
 */
export function typesAreCompatible (sides: Sides, localId: TypeId, targetId: TypeId, level: number = LIMITS.resolveDepth): boolean {
  if (!isCandidateKind(kindOf(sides.local, localId), kindOf(sides.target, targetId))) return false
  let local = localId
  let target = targetId
  for (let depth = LIMITS.resolveDepth; depth > 0; depth--) {
    step(sides.work)
    local = strip(sides.local, local, sides.work)
    target = strip(sides.target, target, sides.work)
    const kind = kindOf(sides.local, local)
    if (!isCandidateKind(kind, kindOf(sides.target, target))) return false
    switch (kind) {
      case BtfKind.UNKN: case BtfKind.STRUCT: case BtfKind.UNION: case BtfKind.ENUM: case BtfKind.FWD: case BtfKind.ENUM64:
        return true
      case BtfKind.INT:
        return intBitOffset(sides.local, local) === 0 && intBitOffset(sides.target, target) === 0
      case BtfKind.PTR:
        local = referencedType(sides.local, local)
        target = referencedType(sides.target, target)
        break
      case BtfKind.ARRAY:
        local = arrayElement(sides.local, local)
        target = arrayElement(sides.target, target)
        break
      case BtfKind.FUNC_PROTO: {
        const params = vlenOf(sides.local, local)
        if (params !== vlenOf(sides.target, target)) return false
        for (let i = 0; i < params; i++) {
          if (level <= 0) throw tooDeep()
          const localParam = strip(sides.local, paramType(sides.local, local, i), sides.work)
          const targetParam = strip(sides.target, paramType(sides.target, target, i), sides.work)
          if (!typesAreCompatible(sides, localParam, targetParam, level - 1)) return false
        }
        local = strip(sides.local, referencedType(sides.local, local), sides.work)
        target = strip(sides.target, referencedType(sides.target, target), sides.work)
        break
      }
      default:
        return false
    }
  }
  throw tooDeep()
}

/**
 * Whether the target's type has everything the local one has, for type_matches: libbpf's bpf_core_types_match. Names are
 * compared all the way, integers' spelling included, and composites behind a pointer only by name and kind.
 *
 * @throws AppError `relocation_failed` (EINVAL) past 32 levels of composites and parameters or 32 pointers and arrays in a row
 */
export function typesMatch (
  sides: Sides,
  localId: TypeId,
  targetId: TypeId,
  isBehindPointer = false,
  level: number = LIMITS.resolveDepth
): boolean {
  if (level <= 0) throw tooDeep()
  let local = localId
  let target = targetId
  let behindPointer = isBehindPointer
  for (let depth = LIMITS.resolveDepth; depth > 0; depth--) {
    step(sides.work)
    local = strip(sides.local, local, sides.work)
    target = strip(sides.target, target, sides.work)
    if (!namesMatch(sides, nameOffsetOf(sides.local, local), nameOffsetOf(sides.target, target))) return false
    const kind = kindOf(sides.local, local)
    const targetKind = kindOf(sides.target, target)
    switch (kind) {
      case BtfKind.UNKN:
        return targetKind === BtfKind.UNKN
      case BtfKind.FWD:
        return forwardMatches(sides, local, target, behindPointer)
      case BtfKind.ENUM: case BtfKind.ENUM64:
        return isEnum(targetKind) && enumsMatch(sides, local, target)
      case BtfKind.STRUCT: case BtfKind.UNION:
        if (!behindPointer) return kind === targetKind && compositesMatch(sides, local, target, level)
        return kind === targetKind || (targetKind === BtfKind.FWD && (kind === BtfKind.UNION) === kindFlagOf(sides.target, target))
      case BtfKind.INT:
        return targetKind === kind && sizeWordOf(sides.local, local) === sizeWordOf(sides.target, target) &&
          isSignedInt(sides.local, local) === isSignedInt(sides.target, target)
      case BtfKind.PTR:
        if (targetKind !== kind) return false
        behindPointer = true
        local = referencedType(sides.local, local)
        target = referencedType(sides.target, target)
        break
      case BtfKind.ARRAY:
        if (targetKind !== kind || arrayLength(sides.local, local) !== arrayLength(sides.target, target)) return false
        local = arrayElement(sides.local, local)
        target = arrayElement(sides.target, target)
        break
      case BtfKind.FUNC_PROTO: {
        const params = vlenOf(sides.local, local)
        if (targetKind !== kind || params !== vlenOf(sides.target, target)) return false
        for (let i = 0; i < params; i++) {
          const localParam = paramType(sides.local, local, i)
          if (!typesMatch(sides, localParam, paramType(sides.target, target, i), behindPointer, level - 1)) return false
        }
        local = referencedType(sides.local, local)
        target = referencedType(sides.target, target)
        break
      }
      default:
        return false
    }
  }
  throw tooDeep()
}

/** An empty target name fits only an empty local one; otherwise essential names are compared. */
function namesMatch (sides: Sides, localOffset: number, targetOffset: number): boolean {
  if (isEmptyString(sides.target, targetOffset)) return isEmptyString(sides.local, localOffset)
  return sameName(essentialName(sides.local, localOffset, sides.work), essentialName(sides.target, targetOffset, sides.work))
}

function forwardMatches (sides: Sides, local: TypeId, target: TypeId, behindPointer: boolean): boolean {
  const isUnion = kindFlagOf(sides.local, local)
  const targetKind = kindOf(sides.target, target)
  if (targetKind === BtfKind.FWD) return isUnion === kindFlagOf(sides.target, target)
  if (!behindPointer) return false
  return isUnion ? targetKind === BtfKind.UNION : targetKind === BtfKind.STRUCT
}

function enumsMatch (sides: Sides, local: TypeId, target: TypeId): boolean {
  const localCount = vlenOf(sides.local, local)
  const targetCount = vlenOf(sides.target, target)
  if (sizeWordOf(sides.local, local) !== sizeWordOf(sides.target, target) || localCount > targetCount) return false
  for (let i = 0; i < localCount; i++) {
    let isFound = false
    for (let j = 0; j < targetCount && !isFound; j++) {
      step(sides.work)
      isFound = namesMatch(sides, enumeratorNameOffset(sides.local, local, i), enumeratorNameOffset(sides.target, target, j))
    }
    if (!isFound) return false
  }
  return true
}

function compositesMatch (sides: Sides, local: TypeId, target: TypeId, level: number): boolean {
  const localCount = vlenOf(sides.local, local)
  const targetCount = vlenOf(sides.target, target)
  if (localCount > targetCount) return false
  for (let i = 0; i < localCount; i++) {
    let isFound = false
    for (let j = 0; j < targetCount && !isFound; j++) {
      step(sides.work)
      isFound = namesMatch(sides, memberNameOffset(sides.local, local, i), memberNameOffset(sides.target, target, j)) &&
        typesMatch(sides, memberType(sides.local, local, i), memberType(sides.target, target, j), false, level - 1)
    }
    if (!isFound) return false
  }
  return true
}

function tooDeep () {
  return fault('EINVAL', 'too_deep', `The types nest more than ${LIMITS.resolveDepth} levels deep. libbpf refuses to compare such types.`)
}
