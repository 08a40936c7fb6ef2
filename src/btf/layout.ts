/**
 * Offsets and sizes, in bytes, of BTF's records.
 *
 *     struct btf_header { __u16 magic; __u8 version; __u8 flags; __u32 hdr_len;
 *                         __u32 type_off; __u32 type_len; __u32 str_off; __u32 str_len;      // offsets count from the header's end
 *                         __u32 layout_off; __u32 layout_len; };                             // where hdr_len >= 32
 *     struct btf_type   { __u32 name_off; __u32 info; union { __u32 size; __u32 type; }; };  // then what its kind adds
 *
 * `info`: bits 0-23 vlen, 24-30 kind, 31 kind_flag. Kernels before the 24-bit vlen only ever set bits 0-15 and 24-28, so that
 * the wide masks read them correctly too.
 *
 * @see https://docs.kernel.org/bpf/btf.html#type-encoding
 */
export const BTF_HEADER = {
  magic: 0,
  hdrLen: 4,
  typeOff: 8,
  typeLen: 12,
  strOff: 16,
  strLen: 20,
  layoutOff: 24,
  layoutLen: 28,
  MIN_SIZE: 24,
  LAYOUT_SIZE: 32
} as const

export const BTF_TYPE = { nameOff: 0, info: 4, sizeOrType: 8, SIZE: 12 } as const

/** Follows an INT: bits 0-7 width in bits, 16-23 bit offset, 24-27 encoding. */
export const BTF_INT = { data: 12, SIZE: 4 } as const
/** Follows an ARRAY. */
export const BTF_ARRAY = { type: 12, indexType: 16, nelems: 20, SIZE: 12 } as const
/** Of a STRUCT or UNION. With kind_flag `offset` is bits 0-23 bit offset, 24-31 bitfield width (0: no bitfield). */
export const BTF_MEMBER = { nameOff: 0, type: 4, offset: 8, SIZE: 12 } as const
export const BTF_ENUM = { nameOff: 0, value: 4, SIZE: 8 } as const
export const BTF_ENUM64 = { nameOff: 0, low: 4, high: 8, SIZE: 12 } as const
export const BTF_PARAM = { nameOff: 0, type: 4, SIZE: 8 } as const
export const BTF_VAR_SECINFO = { type: 0, SIZE: 12 } as const
/** An entry of the layout section, one a kind: bytes that follow the record, and bytes of each of its vlen elements. */
export const BTF_LAYOUT = { infoSize: 0, elementSize: 1, SIZE: 4 } as const

/** Bytes that follow the 12 of a record of each kind: `fixed`, and `element` for each of its vlen elements. */
export const KIND_TAILS: ReadonlyArray<{ readonly fixed: number, readonly element: number } | undefined> = [
  undefined, // UNKN: only a layout section can describe a stored one
  { fixed: BTF_INT.SIZE, element: 0 },
  { fixed: 0, element: 0 },
  { fixed: BTF_ARRAY.SIZE, element: 0 },
  { fixed: 0, element: BTF_MEMBER.SIZE },
  { fixed: 0, element: BTF_MEMBER.SIZE },
  { fixed: 0, element: BTF_ENUM.SIZE },
  { fixed: 0, element: 0 },
  { fixed: 0, element: 0 },
  { fixed: 0, element: 0 },
  { fixed: 0, element: 0 },
  { fixed: 0, element: 0 },
  { fixed: 0, element: 0 }, // FUNC: its vlen is a linkage, no count
  { fixed: 0, element: BTF_PARAM.SIZE },
  { fixed: 4, element: 0 },
  { fixed: 0, element: BTF_VAR_SECINFO.SIZE },
  { fixed: 0, element: 0 },
  { fixed: 4, element: 0 },
  { fixed: 0, element: 0 },
  { fixed: 0, element: BTF_ENUM64.SIZE }
]

/** 32-bit words of an element of each kind, by any kind that a record can name: a table, because a walk over all types looks here. */
export const ELEMENT_WORDS = Uint8Array.from({ length: 128 }, (_, kind) => (KIND_TAILS[kind]?.element ?? 0) / 4)

/**
 * `.BTF.ext`: where it keeps what it says about instructions. Offsets count from the header's end.
 *
 *     struct btf_ext_header { __u16 magic; __u8 version; __u8 flags; __u32 hdr_len; __u32 func_info_off; __u32 func_info_len;
 *                             __u32 line_info_off; __u32 line_info_len; __u32 core_relo_off; __u32 core_relo_len; };
 *     struct btf_ext_info_sec { __u32 sec_name_off; __u32 num_info; __u8 data[]; };
 */
export const BTF_EXT_HEADER = {
  magic: 0,
  version: 2,
  flags: 3,
  hdrLen: 4,
  funcInfoOff: 8,
  funcInfoLen: 12,
  lineInfoOff: 16,
  lineInfoLen: 20,
  coreReloOff: 24,
  coreReloLen: 28,
  MIN_SIZE: 24,
  /** From here on the header has the core_relo fields. */
  CORE_SIZE: 32
} as const

export const BTF_EXT_SEC = { secNameOff: 0, numInfo: 4, SIZE: 8 } as const
/** `insnOff` is in bytes from the start of the ELF section, in all three. */
export const BPF_FUNC_INFO = { insnOff: 0, typeId: 4, SIZE: 8 } as const
/** `lineCol`: bits 10-31 line, 0-9 column. */
export const BPF_LINE_INFO = { insnOff: 0, fileNameOff: 4, lineOff: 8, lineCol: 12, SIZE: 16 } as const
export const BPF_CORE_RELO = { insnOff: 0, typeId: 4, accessStrOff: 8, kind: 12, SIZE: 16 } as const
