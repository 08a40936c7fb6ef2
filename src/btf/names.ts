const UNDERSCORE = 0x5f

/**
 * Length, in bytes, of a name without its `___flavor`: libbpf's bpf_core_essential_name_len.
 *
 * The separator is exactly three underscores with another character on both sides, and the last such place counts. A name
 * without one, or that only ends in underscores, is its own essential name.
 */
export function essentialNameLength (bytes: Uint8Array, offset: number, length: number): number {
  for (let i = length - 5; i >= 0; i--) {
    const at = offset + i
    const isSeparator = bytes[at] !== UNDERSCORE &&
      bytes[at + 1] === UNDERSCORE && bytes[at + 2] === UNDERSCORE && bytes[at + 3] === UNDERSCORE &&
      bytes[at + 4] !== UNDERSCORE
    if (isSeparator) return i + 1
  }
  return length
}
