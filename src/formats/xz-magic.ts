/** How every .xz file begins, and every further stream in one. */
export const XZ_MAGIC: readonly number[] = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]

/** Whether an .xz stream begins at that offset, in bytes. */
export function isXz (bytes: Uint8Array, offset = 0): boolean { return XZ_MAGIC.every((byte, i) => bytes[offset + i] === byte) }
