/** The kinds of CO-RE relocation: enum bpf_core_relo_kind of linux/bpf.h, without its prefix. */
export const CoreReloKind = {
  FIELD_BYTE_OFFSET: 0,
  FIELD_BYTE_SIZE: 1,
  FIELD_EXISTS: 2,
  FIELD_SIGNED: 3,
  FIELD_LSHIFT_U64: 4,
  FIELD_RSHIFT_U64: 5,
  TYPE_ID_LOCAL: 6,
  TYPE_ID_TARGET: 7,
  TYPE_EXISTS: 8,
  TYPE_SIZE: 9,
  ENUMVAL_EXISTS: 10,
  ENUMVAL_VALUE: 11,
  TYPE_MATCHES: 12
} as const

export type CoreReloKind = typeof CoreReloKind[keyof typeof CoreReloKind]

/** libbpf's short names (core_relo_kind_str), indexed by number, so that reports can be grepped against its log. */
const KIND_NAMES = [
  'byte_off', 'byte_sz', 'field_exists', 'signed', 'lshift_u64', 'rshift_u64',
  'local_type_id', 'target_type_id', 'type_exists', 'type_size',
  'enumval_exists', 'enumval_value', 'type_matches'
] as const

export type CoreReloKindName = typeof KIND_NAMES[number] | `unknown(${number})`

export function coreReloKindName (kind: number): CoreReloKindName { return KIND_NAMES[kind] ?? `unknown(${kind})` }

/** The kind of a short name; undefined for one that is not known. */
export function coreReloKindOf (name: CoreReloKindName): CoreReloKind | undefined {
  const kind = KIND_NAMES.findIndex(known => known === name)
  return isCoreReloKind(kind) ? kind : undefined
}

export function isCoreReloKind (kind: number): kind is CoreReloKind { return kind >= 0 && kind < KIND_NAMES.length }

export function isFieldKind (kind: CoreReloKind): boolean { return kind <= CoreReloKind.FIELD_RSHIFT_U64 }

export function isEnumvalKind (kind: CoreReloKind): boolean {
  return kind === CoreReloKind.ENUMVAL_EXISTS || kind === CoreReloKind.ENUMVAL_VALUE
}

/** Kinds that answer 0, and poison nothing, where no candidate matches. */
export function answersZero (kind: CoreReloKind): boolean {
  switch (kind) {
    case CoreReloKind.FIELD_EXISTS: case CoreReloKind.TYPE_ID_TARGET: case CoreReloKind.TYPE_EXISTS: case CoreReloKind.TYPE_SIZE:
    case CoreReloKind.ENUMVAL_EXISTS: case CoreReloKind.TYPE_MATCHES:
      return true
    case CoreReloKind.FIELD_BYTE_OFFSET: case CoreReloKind.FIELD_BYTE_SIZE:
    case CoreReloKind.FIELD_SIGNED: case CoreReloKind.FIELD_LSHIFT_U64:
    case CoreReloKind.FIELD_RSHIFT_U64: case CoreReloKind.TYPE_ID_LOCAL: case CoreReloKind.ENUMVAL_VALUE:
      return false
  }
}
