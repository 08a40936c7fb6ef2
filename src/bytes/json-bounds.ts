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
    switch (text[at]) {
      case 0x22: // a string, up to the next quote that no backslash escapes
        for (at++; at < text.length && text[at] !== 0x22; at++) if (text[at] === 0x5c) at++
        break
      case 0x5b: case 0x7b:
        if (++level > depth || ++count > values) return false
        break
      case 0x5d: case 0x7d: level--; break
      case 0x2c: if (++count > values) return false
    }
  }
  return true
}
