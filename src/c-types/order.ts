import {
  arrayElement, arrayIndexType, datasecVariable, isComposite, isEnum, isModifierOrTypedef, kindOf, memberType, nameOffsetOf, paramType,
  referencedType, typeId, vlenOf, VOID_TYPE, type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { tooDeep } from './alignment.js'

/** The order in which C wants types: what is embedded before what embeds it. As libbpf's btf_dump_order_type finds it. */
export interface Order {
  /** The definitions that a type needs and that were not given before, its own last. */
  upTo(id: TypeId): readonly TypeId[]
}

const ORDERING = 1
const ORDERED = 2

export function createOrder (btf: Btf): Order {
  const states = new Uint8Array(btf.endId)
  states[VOID_TYPE] = ORDERED
  const referenced = findReferenced(btf)
  let queue: TypeId[] = []

  const queued = (id: TypeId): true => {
    queue.push(id)
    states[id] = ORDERED
    return true
  }

  /** Whether the type has to be defined by now, and not only declared: all that a pointer to a named struct needs. */
  const isStrong = (id: TypeId, throughPointer: boolean, depth: number): boolean => {
    if (states[id] === ORDERED) return true
    if (depth > LIMITS.cNesting) throw tooDeep(id)
    const kind = kindOf(btf, id)
    const isNamed = nameOffsetOf(btf, id) !== 0
    if (states[id] === ORDERING) {
      if (isComposite(kind) && throughPointer && isNamed) return false
      throw new AppError('btf_invalid', `Type ${id} contains itself, which C cannot express.`, { type_id: id, reason: 'type_cycle' })
    }
    switch (kind) {
      case BtfKind.PTR: {
        const strong = isStrong(referencedType(btf, id), true, depth + 1)
        states[id] = ORDERED
        return strong
      }
      case BtfKind.ARRAY:
        return isStrong(arrayElement(btf, id), false, depth + 1)
      case BtfKind.STRUCT: case BtfKind.UNION:
        if (throughPointer && isNamed) return false
        states[id] = ORDERING
        for (let i = 0; i < vlenOf(btf, id); i++) isStrong(memberType(btf, id, i), false, depth + 1)
        if (isNamed) queue.push(id)
        states[id] = ORDERED
        return true
      case BtfKind.ENUM: case BtfKind.ENUM64: case BtfKind.FWD:
        if (isNamed || referenced[id] === 0) queue.push(id)
        states[id] = ORDERED
        return true
      case BtfKind.TYPEDEF: {
        const strong = isStrong(referencedType(btf, id), throughPointer, depth + 1)
        return throughPointer && !strong ? false : queued(id)
      }
      case BtfKind.VOLATILE: case BtfKind.CONST: case BtfKind.RESTRICT: case BtfKind.TYPE_TAG:
        return isStrong(referencedType(btf, id), throughPointer, depth + 1)
      case BtfKind.FUNC_PROTO: {
        let strong = isStrong(referencedType(btf, id), throughPointer, depth + 1)
        for (let i = 0; i < vlenOf(btf, id); i++) strong = isStrong(paramType(btf, id, i), throughPointer, depth + 1) || strong
        return strong
      }
      default: // INT and FLOAT are C's own; FUNC, VAR, DATASEC and DECL_TAG are no types
        states[id] = ORDERED
        return false
    }
  }

  return {
    upTo (id) {
      queue = []
      isStrong(id, false, 0)
      return queue
    }
  }
}

/** Types that another one refers to: an anonymous enumeration among them is written where it is used. */
function findReferenced (btf: Btf): Uint8Array {
  const referenced = new Uint8Array(btf.endId)
  for (let id = typeId(1); id < btf.endId; id = typeId(id + 1)) {
    const kind = kindOf(btf, id)
    const mark = (type: TypeId): void => { referenced[type] = 1 }
    const each = (typeAt: (btf: Btf, id: TypeId, index: number) => TypeId): void => {
      for (let i = 0; i < vlenOf(btf, id); i++) mark(typeAt(btf, id, i))
    }
    if (isComposite(kind)) each(memberType)
    else if (kind === BtfKind.FUNC_PROTO) each(paramType)
    else if (kind === BtfKind.DATASEC) each(datasecVariable)
    else if (kind === BtfKind.ARRAY) {
      mark(arrayElement(btf, id))
      mark(arrayIndexType(btf, id))
    } else if (isModifierOrTypedef(kind) || REFERRING.has(kind)) mark(referencedType(btf, id))
    else if (isEnum(kind)) continue
  }
  return referenced
}

const REFERRING: ReadonlySet<number> = new Set([BtfKind.PTR, BtfKind.FUNC, BtfKind.VAR, BtfKind.DECL_TAG])
