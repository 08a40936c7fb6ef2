import { BtfKind } from './constants.js'
import { BTF_ARRAY, BTF_ENUM, BTF_ENUM64, BTF_MEMBER, BTF_PARAM, BTF_TYPE, BTF_VAR_SECINFO } from './layout.js'

/** Where a record refers to types and strings, beside its own name. In bytes: from the record, or within an element. */
export interface References {
  readonly types: readonly number[]
  /** The result type of a FUNC_PROTO, which libbpf leaves unchecked; walks that follow it check it. */
  readonly uncheckedType?: number
  readonly elementName?: number
  readonly elementType?: number
}

const NONE: References = { types: [] }

/** The references of a record of this kind, as libbpf's btf_type_visit_type_ids and btf_type_visit_str_offs know them. */
export function referencesOf (kind: number): References {
  switch (kind) {
    case BtfKind.PTR: case BtfKind.TYPEDEF: case BtfKind.VOLATILE: case BtfKind.CONST: case BtfKind.RESTRICT:
    case BtfKind.FUNC: case BtfKind.VAR: case BtfKind.DECL_TAG: case BtfKind.TYPE_TAG:
      return { types: [BTF_TYPE.sizeOrType] }
    case BtfKind.ARRAY: return { types: [BTF_ARRAY.type, BTF_ARRAY.indexType] }
    case BtfKind.STRUCT: case BtfKind.UNION: return { types: [], elementName: BTF_MEMBER.nameOff, elementType: BTF_MEMBER.type }
    case BtfKind.FUNC_PROTO:
      return { types: [], uncheckedType: BTF_TYPE.sizeOrType, elementName: BTF_PARAM.nameOff, elementType: BTF_PARAM.type }
    case BtfKind.ENUM: return { types: [], elementName: BTF_ENUM.nameOff }
    case BtfKind.ENUM64: return { types: [], elementName: BTF_ENUM64.nameOff }
    case BtfKind.DATASEC: return { types: [], elementType: BTF_VAR_SECINFO.type }
    default: return NONE
  }
}
