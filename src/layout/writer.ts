/** A growing stretch of bytes in which what is inside a layout is written and hashed before the rest of it. */
export interface Writer {
  /** Where the next byte goes. */
  readonly at: number
  byte(value: number): void
  /** 32 bits, little endian. */
  word(value: number): void
  /** A string that ends in a NUL byte, and the NUL. */
  name(bytes: Uint8Array, offset: number): void
  /** Characters below 256, a byte each: all, or the first ones. */
  text(text: string, length?: number): void
  /** So many bytes of an array that is not this writer's. */
  copy(source: Uint8Array, offset: number, length: number): void
  /** All that is written, and what room there is behind it. Another array once that is used up. */
  readonly bytes: Uint8Array
  /** What was written from `start` on, until more is written. */
  since(start: number): Uint8Array
  /** Takes away what was written from `start` on. */
  dropTo(start: number): void
  /** Bytes that were written altogether. */
  readonly written: number
}

/** @param initialBytes that there is room for before it grows */
export function createWriter (initialBytes = 64 * 1024): Writer {
  let bytes = new Uint8Array(initialBytes)
  let at = 0
  let written = 0
  const grow = (count: number): void => {
    const larger = new Uint8Array(2 * (at + count))
    larger.set(bytes.subarray(0, at))
    bytes = larger
  }
  const reserve = (count: number): void => {
    written += count
    if (at + count > bytes.length) grow(count)
  }
  return {
    get at () { return at },
    get written () { return written },
    byte (value) {
      reserve(1)
      bytes[at++] = value
    },
    word (value) {
      reserve(4)
      const to = at
      bytes[to] = value
      bytes[to + 1] = value >>> 8
      bytes[to + 2] = value >>> 16
      bytes[to + 3] = value >>> 24
      at = to + 4
    },
    // Most of what is written is names: the loop has by itself all that it uses.
    name (source, offset) {
      let [output, to] = [bytes, at]
      for (let from = offset, byte = 1; byte !== 0; from++, to++) {
        if (to === output.length) {
          written += to - at
          at = to
          grow(1)
          output = bytes
        }
        byte = source[from] ?? 0
        output[to] = byte
      }
      written += to - at
      at = to
    },
    text (text, length = text.length) {
      reserve(length)
      const [output, start] = [bytes, at]
      for (let i = 0; i < length; i++) output[start + i] = text.charCodeAt(i)
      at = start + length
    },
    copy (source, offset, length) {
      reserve(length)
      const [output, start] = [bytes, at]
      for (let i = 0; i < length; i++) output[start + i] = source[offset + i] ?? 0
      at = start + length
    },
    get bytes () { return bytes },
    since: start => bytes.subarray(start, at),
    dropTo (start) { at = start }
  }
}
