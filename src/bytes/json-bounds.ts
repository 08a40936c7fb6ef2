/** What a JSON text may ask of memory beyond its own size. */
export interface JsonBounds {
  /** Arrays and objects within each other. */
  readonly depth: number
  /** Values in it: members, items, arrays and objects. */
  readonly values: number
}

/**
 * Whether a JSON text, in UTF-8, stays within bounds: to be asked before it is parsed, since a parser makes an object of every two
 * bytes of `[[[[…`, forty times the text's size. Says nothing of whether it is JSON.
 */
export function isWithinJsonBounds (text: Uint8Array, { depth, values }: JsonBounds): boolean {
  let level = 0
  let count = 0
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    if (byte === QUOTE) {
      for (at++; at < text.length && text[at] !== QUOTE; at++) if (text[at] === BACKSLASH) at++ // an escaped quote ends nothing
    } else if (byte === ARRAY || byte === OBJECT) {
      if (++level > depth || ++count > values) return false
    } else if (byte === ARRAY_END || byte === OBJECT_END) {
      level--
    } else if (byte === COMMA && ++count > values) {
      return false
    }
  }
  return true
}

const QUOTE = 0x22
const COMMA = 0x2c
const ARRAY = 0x5b
const BACKSLASH = 0x5c
const ARRAY_END = 0x5d
const OBJECT = 0x7b
const OBJECT_END = 0x7d
