/** Strings that end in a NUL byte, as ELF and BTF string sections keep them. Offsets are in bytes from the start of `bytes`. */

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Offset of the NUL that ends the string at `offset`, or the length of `bytes` where none follows. */
export function endOfString (bytes: Uint8Array, offset: number): number {
  const end = bytes.indexOf(0, offset)
  return end === -1 ? bytes.length : end
}

/** The string at `offset` as text. Bytes that are not UTF-8 become U+FFFD: names are shown, never looked up, in this form. */
export function stringAt (bytes: Uint8Array, offset: number): string {
  const end = endOfString(bytes, offset)
  if (end - offset <= 64) {
    let text = ''
    for (let i = offset; i < end; i++) {
      const byte = bytes[i] ?? 0
      if (byte > 0x7f) return decoder.decode(bytes.slice(offset, end))
      text += String.fromCharCode(byte)
    }
    return text
  }
  // A copy on purpose: browsers' TextDecoder refuses views of shared memory.
  return decoder.decode(bytes.slice(offset, end))
}

/** Whether the two NUL-terminated strings are the same bytes. */
export function sameString (a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): boolean {
  for (let i = 0; ; i++) {
    const byte = a[aOffset + i] ?? 0
    if (byte !== (b[bOffset + i] ?? 0)) return false
    if (byte === 0) return true
  }
}

/** Whether `length` bytes from each offset are the same. */
export function sameBytes (a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number, length: number): boolean {
  for (let i = 0; i < length; i++) {
    if (a[aOffset + i] !== b[bOffset + i]) return false
  }
  return true
}
