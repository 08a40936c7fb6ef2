/** Byte order of an object, of its BTF and of its instructions: one of the two that ELF knows. */
export type ByteOrder = 'little' | 'big'
