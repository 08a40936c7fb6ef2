import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import {
  arrayElement, arrayLength, isModifierOrTypedef, isValidId, kindOf, referencedType, sizeWordOf, type Btf, type TypeId
} from './btf.js'
import { BtfKind } from './constants.js'
import { step, type Work } from './work.js'

/** Linux errno values, negative as libbpf returns them: the classes of failure that callers of the engine can compare with libbpf's. */
export const EINVAL = -22
export const E2BIG = -7
export const ERANGE = -34

/**
 * Follows `next` from a type until it returns undefined, and returns the last type. One step of work for each type passed.
 *
 * @throws AppError `btf_invalid`: an id out of range, or a cycle, on which libbpf would loop endlessly
 */
function follow (btf: Btf, id: TypeId, work: Work, next: (id: TypeId) => TypeId | undefined): TypeId {
  let current = id
  let anchor = id
  for (let steps = 1, nextAnchor = 16; ; steps++) {
    if (!isValidId(btf, current)) {
      throw new AppError(
        'btf_invalid',
        `Type ${id} leads to type ${current}, but ids end at ${btf.endId - 1}.`,
        { type_id: current, reason: 'type_id_invalid' }
      )
    }
    const following = next(current)
    if (following === undefined) return current
    current = following
    if (current === anchor) throw typeCycle(id)
    // Brent's cycle finding: the anchor moves up at powers of two, so that any cycle is met within twice its length.
    if (steps === nextAnchor) {
      anchor = current
      nextAnchor *= 2
    }
    step(work)
  }
}

/** The error for a type that is made of itself, where only a walk without end would show it. */
function typeCycle (id: TypeId): AppError {
  return new AppError('btf_invalid',
    `Type ${id} is a typedef, a qualifier or an array that contains itself.`,
    { type_id: id, reason: 'type_cycle' })
}

/** The type without typedefs, qualifiers and type tags: libbpf's skip_mods_and_typedefs. Throws as `follow` does. */
export function strip (btf: Btf, id: TypeId, work: Work): TypeId {
  if (isValidId(btf, id) && !isModifierOrTypedef(kindOf(btf, id))) return id
  return follow(btf, id, work, current => isModifierOrTypedef(kindOf(btf, current)) ? referencedType(btf, current) : undefined)
}

/**
 * The same for what is only told of a type, which must not fail: the type that it comes to within the depth that libbpf resolves, where
 * typedefs or qualifiers lead on and on.
 */
export function plainType (btf: Btf, id: TypeId): TypeId {
  let current = id
  for (let depth = 0; depth < LIMITS.resolveDepth && isModifierOrTypedef(kindOf(btf, current)); depth++) {
    current = referencedType(btf, current)
  }
  return current
}

/**
 * The innermost element of an array of any dimensions, stripped; the stripped type itself where it is no array. Throws as `follow`
 * does.
 */
export function innermostElement (btf: Btf, id: TypeId, work: Work): TypeId {
  return follow(btf, id, work, current => {
    const kind = kindOf(btf, current)
    if (isModifierOrTypedef(kind)) return referencedType(btf, current)
    return kind === BtfKind.ARRAY ? arrayElement(btf, current) : undefined
  })
}

/**
 * Size of a type in bytes, below 2^32; or a negative errno: EINVAL for what has no size, E2BIG for an array too large.
 * libbpf's btf__resolve_size: at most 32 steps, array lengths multiplied in u32.
 */
export function resolveSize (btf: Btf, id: TypeId): number {
  let current = id
  let elements = 1
  let size = -1
  for (let depth = 0; depth < LIMITS.resolveDepth && size < 0; depth++) {
    if (!isValidId(btf, current)) return EINVAL
    switch (kindOf(btf, current)) {
      case BtfKind.INT: case BtfKind.STRUCT: case BtfKind.UNION: case BtfKind.ENUM: case BtfKind.ENUM64:
      case BtfKind.DATASEC: case BtfKind.FLOAT:
        size = sizeWordOf(btf, current)
        break
      case BtfKind.PTR:
        size = btf.pointerSize
        break
      case BtfKind.TYPEDEF: case BtfKind.VOLATILE: case BtfKind.CONST: case BtfKind.RESTRICT:
      case BtfKind.VAR: case BtfKind.DECL_TAG: case BtfKind.TYPE_TAG:
        current = referencedType(btf, current)
        break
      case BtfKind.ARRAY: {
        const length = arrayLength(btf, current)
        if (elements !== 0 && length > Math.floor(0xffffffff / elements)) return E2BIG
        elements *= length
        current = arrayElement(btf, current)
        break
      }
      default:
        return EINVAL
    }
  }
  if (size < 0) return EINVAL
  if (elements !== 0 && size > Math.floor(0xffffffff / elements)) return E2BIG
  return elements * size
}
