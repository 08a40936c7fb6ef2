import { LIMITS } from '../limits.js'

/** Bytes that may be hashed of BTF with so many bytes, for the names of its index or for a layout table: see LIMITS. */
export function mostHashed (bytes: number): number {
  return Math.min(LIMITS.hashedBytesAnyway + LIMITS.hashedBytesPerByte * bytes, LIMITS.hashedBytes)
}
