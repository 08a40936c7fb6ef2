import { LIMITS } from '../limits.js'

/** Strings that end in a NUL byte, as ELF and BTF string sections keep them. Offsets are in bytes from the start of `bytes`. */

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Offset of the NUL that ends the string at `offset`, or the length of `bytes` where none follows. */
export function endOfString (bytes: Uint8Array, offset: number): number {
  const end = bytes.indexOf(0, offset)
  return end === -1 ? bytes.length : end
}

/** Whether the string at `offset` is longer than what is read as text, LIMITS.nameBytes. Looks no further than that. */
function isTooLong (bytes: Uint8Array, offset: number): boolean {
  const end = offset + LIMITS.nameBytes
  return end < bytes.length && bytes.subarray(offset, end + 1).indexOf(0) === -1
}

/**
 * The string at `offset` as text. Bytes that are not UTF-8 become U+FFFD: names are shown, never looked up, in this form. Of a
 * string longer than LIMITS.nameBytes the beginning, and U+2026, which no name that we look for has.
 */
export function stringAt (bytes: Uint8Array, offset: number): string {
  const short = shortStringAt(bytes, offset)
  if (short !== undefined) return short
  if (isTooLong(bytes, offset)) return decode(bytes, offset, offset + LIMITS.nameBytes) + '\u2026'
  return decode(bytes, offset, endOfString(bytes, offset))
}

/** Characters of most names, paths and lines of source. To read them at once costs less than to call the decoder. */
const SHORT = 200
/** Those of the string that is read: to let a list grow for each string costs as much again. */
const characters = new Array<number>(SHORT + 1).fill(0)

/** The string at `offset` where it is short and of ASCII alone, as nearly all are; undefined otherwise. */
export function shortStringAt (bytes: Uint8Array, offset: number): string | undefined {
  for (let length = 0; length <= SHORT; length++) {
    const byte = bytes[offset + length] ?? 0
    if (byte === 0) return String.fromCharCode(...characters.slice(0, length))
    if (byte > 0x7f) break
    characters[length] = byte
  }
  return undefined
}

/** From a copy on purpose: browsers' TextDecoder refuses views of shared memory. */
function decode (bytes: Uint8Array, start: number, end: number): string { return decoder.decode(bytes.slice(start, end)) }

/** Reads names of one table of strings, up to a bound of all of them together. */
export interface NameReader {
  /**
   * @throws whatever `refuse` gives, for a name that is longer than LIMITS.nameBytes, or where the names together pass
   * LIMITS.namesBytes
   */
  read(offset: number): string
}

/** @param refuse makes the error, of what the table has: `a name of more than 8192 bytes` */
export function createNameReader (bytes: Uint8Array, refuse: (problem: string, offset: number) => Error): NameReader {
  const known = new Map<number, string>()
  let left: number = LIMITS.namesBytes
  return {
    read (offset) {
      const text = known.get(offset)
      if (text !== undefined) return text
      if (isTooLong(bytes, offset)) throw refuse(`a name of more than ${LIMITS.nameBytes} bytes`, offset)
      left -= endOfString(bytes, offset) - offset
      if (left < 0) throw refuse(`names of more than ${LIMITS.namesBytes} bytes altogether`, offset)
      const made = stringAt(bytes, offset)
      known.set(offset, made)
      return made
    }
  }
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
