import { BtfKind } from '../btf/constants.js'
import { isValidId, kindFlagOf, kindName, kindOf, nameOffsetOf, referencedType, type Btf, type TypeId } from '../btf/btf.js'
import { essentialName } from '../btf/find.js'
import { cut, shownName, shownText } from '../btf/shown-text.js'
import type { Work } from '../btf/work.js'
import { AppError } from '../errors.js'
import { coreReloKindOf, isEnumvalKind, isFieldKind } from './kinds.js'
import type { RecordOutcome } from './outcome.js'
import { parseSpec, type Accessor, type Spec } from './spec.js'

/**
 * What a record is about, in C: its root type, and the access that its string spells. A record that does not parse shows its
 * string, and so does one for which there are not enough steps.
 */
export function describeRecord (
  btf: Btf,
  record: Pick<RecordOutcome, 'typeId' | 'accessSpec' | 'kind'>,
  work: Work
): { type: string, access: string } {
  if (!isValidId(btf, record.typeId)) return { type: `type ${record.typeId}`, access: record.accessSpec }
  const type = describeType(btf, record.typeId)
  const kind = coreReloKindOf(record.kind)
  if (kind === undefined) return { type, access: record.accessSpec }
  try {
    return { type, access: describeAccess(parseSpec(btf, record.typeId, record.accessSpec, kind, work)) }
  } catch (error) {
    if (error instanceof AppError) return { type, access: record.accessSpec }
    throw error
  }
}

/** Pointers to pointers that are spelled out. BTF can have a pointer to itself. */
const MAX_POINTERS = 8

/**
 * A type as C writes it in a declaration: `struct task_struct`, `pid_t`, `enum (anonymous)`. Never fails on a valid id.
 *
 * @param inKernel leaves the object's `___flavor` away, which the kernel's type does not have
 */
export function describeType (btf: Btf, id: TypeId, inKernel = false, levels = MAX_POINTERS): string {
  let prefix = ''
  let current = id
  for (let depth = 0; depth < 8; depth++) {
    const kind = kindOf(btf, current)
    const name = (inKernel ? kernelName(btf, current) : shownName(btf, current)) || '(anonymous)'
    switch (kind) {
      case BtfKind.UNKN: return `${prefix}void`
      case BtfKind.STRUCT: case BtfKind.UNION: return `${prefix}${kindName(kind)} ${name}`
      case BtfKind.ENUM: case BtfKind.ENUM64: return `${prefix}enum ${name}`
      case BtfKind.FWD: return `${prefix}${kindFlagOf(btf, current) ? 'union' : 'struct'} ${name}`
      case BtfKind.CONST: case BtfKind.VOLATILE: case BtfKind.RESTRICT:
        prefix += `${kindName(kind)} `
        current = referencedType(btf, current)
        break
      case BtfKind.TYPE_TAG:
        current = referencedType(btf, current)
        break
      case BtfKind.PTR:
        return levels === 0 ? `${prefix}… *` : `${prefix}${describeType(btf, referencedType(btf, current), inKernel, levels - 1)} *`
      case BtfKind.ARRAY: return `${prefix}array`
      case BtfKind.FUNC_PROTO: return `${prefix}function`
      default: return `${prefix}${name}`
    }
  }
  return `${prefix}type ${id}`
}

/** The name by which the kernel is searched: without its `___flavor`. */
function kernelName (btf: Btf, id: TypeId): string {
  const name = essentialName(btf, nameOffsetOf(btf, id))
  return shownName(btf, id).slice(0, name.length)
}

/** The access as C would write it, without its first index where that is 0: `task_struct.comm[3]`. */
export function describeAccess (spec: Spec): string {
  const root = shownName(spec.btf, spec.rootId) || '(anonymous)'
  if (isEnumvalKind(spec.kind)) {
    const name = spec.accessors[0]?.name
    return name === undefined ? root : `${root}.${shownText(spec.btf, name)}`
  }
  if (!isFieldKind(spec.kind)) return describeType(spec.btf, spec.rootId)
  let text = root
  for (let i = 0; i < spec.accessors.length; i++) {
    const accessor = spec.accessors[i]
    if (accessor !== undefined) text += describeStep(spec.btf, accessor, i)
  }
  return cut(text)
}

function describeStep (btf: Btf, accessor: Accessor, position: number): string {
  if (accessor.name !== undefined) return `.${shownText(btf, accessor.name)}`
  return position === 0 && accessor.index === 0 ? '' : `[${accessor.index}]`
}
