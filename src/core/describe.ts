import { BtfKind } from '../btf/constants.js'
import { kindName, kindOf, nameOf, referencedType, textOf, type Btf, type TypeId } from '../btf/btf.js'
import { isEnumvalKind, isFieldKind } from './kinds.js'
import type { Accessor, Spec } from './spec.js'

/** A type as C writes it in a declaration: `struct task_struct`, `pid_t`, `enum (anonymous)`. Never fails on a valid id. */
export function describeType (btf: Btf, id: TypeId): string {
  let prefix = ''
  let current = id
  for (let depth = 0; depth < 8; depth++) {
    const kind = kindOf(btf, current)
    const name = nameOf(btf, current) || '(anonymous)'
    switch (kind) {
      case BtfKind.UNKN: return `${prefix}void`
      case BtfKind.STRUCT: case BtfKind.UNION: return `${prefix}${kindName(kind)} ${name}`
      case BtfKind.ENUM: case BtfKind.ENUM64: return `${prefix}enum ${name}`
      case BtfKind.FWD: return `${prefix}struct ${name}`
      case BtfKind.CONST: case BtfKind.VOLATILE: case BtfKind.RESTRICT:
        prefix += `${kindName(kind)} `
        current = referencedType(btf, current)
        break
      case BtfKind.TYPE_TAG:
        current = referencedType(btf, current)
        break
      case BtfKind.PTR: return `${prefix}${describeType(btf, referencedType(btf, current))} *`
      case BtfKind.ARRAY: return `${prefix}array`
      case BtfKind.FUNC_PROTO: return `${prefix}function`
      default: return `${prefix}${name}`
    }
  }
  return `${prefix}type ${id}`
}

/** The access as C would write it, without its first index where that is 0: `task_struct.comm[3]`. */
export function describeAccess (spec: Spec, length = spec.accessors.length): string {
  const root = nameOf(spec.btf, spec.rootId) || '(anonymous)'
  if (isEnumvalKind(spec.kind)) {
    const name = spec.accessors[0]?.name
    return name === undefined ? root : `${root}.${textOf(spec.btf, name)}`
  }
  if (!isFieldKind(spec.kind)) return describeType(spec.btf, spec.rootId)
  return root + spec.accessors.slice(0, length).map((accessor, i) => describeStep(spec.btf, accessor, i)).join('')
}

function describeStep (btf: Btf, accessor: Accessor, position: number): string {
  if (accessor.name !== undefined) return `.${textOf(btf, accessor.name)}`
  return position === 0 && accessor.index === 0 ? '' : `[${accessor.index}]`
}
