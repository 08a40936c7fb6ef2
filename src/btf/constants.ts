/**
 * BTF's constants, by the kernel's names. Versions are the first kernels whose BTF has the kind.
 *
 * @see https://docs.kernel.org/bpf/btf.html
 */

/** First two bytes of BTF and of `.BTF.ext`, read in the data's own byte order. */
export const BTF_MAGIC = 0xeb9f

export const BtfKind = {
  /** Never stored by compilers; id 0 stands for void. */
  UNKN: 0,
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  /** 5.0 */
  FUNC: 12,
  /** 5.0 */
  FUNC_PROTO: 13,
  /** 5.2 */
  VAR: 14,
  /** 5.2 */
  DATASEC: 15,
  /** 5.13 */
  FLOAT: 16,
  /** 5.16 */
  DECL_TAG: 17,
  /** 5.17 */
  TYPE_TAG: 18,
  /** 6.0 */
  ENUM64: 19
} as const

export type BtfKind = typeof BtfKind[keyof typeof BtfKind]

/** The kernel's names for the kinds, in its own lower-case spelling (as in `bpftool btf dump`), indexed by number. */
export const BTF_KIND_NAMES = [
  'void', 'int', 'ptr', 'array', 'struct', 'union', 'enum', 'fwd', 'typedef', 'volatile', 'const', 'restrict', 'func', 'func_proto',
  'var', 'datasec', 'float', 'decl_tag', 'type_tag', 'enum64'
] as const

/** Encoding bits of an INT. */
export const BTF_INT_SIGNED = 1
export const BTF_INT_BOOL = 4
