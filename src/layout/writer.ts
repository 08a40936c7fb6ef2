/** A growing stretch of bytes in which what is inside a layout is written and hashed before the rest of it. */
export interface Writer {
  /** Where the next byte goes. */
  readonly at: number
  byte(value: number): void
  /** 32 bits, little endian. */
  word(value: number): void
  /** A string that ends in a NUL byte, and the NUL. */
  name(bytes: Uint8Array, offset: number): void
  /** Characters below 256, a byte each. */
  text(text: string): void
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
      bytes[at++] = value
      bytes[at++] = value >>> 8
      bytes[at++] = value >>> 16
      bytes[at++] = value >>> 24
    },
    name (source, offset) {
      const first = at
      for (let from = offset; ; from++) {
        const byte = source[from] ?? 0
        if (at === bytes.length) grow(1)
        bytes[at++] = byte
        if (byte === 0) break
      }
      written += at - first
    },
    text (text) {
      reserve(text.length)
      for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
    },
    since: start => bytes.subarray(start, at),
    dropTo (start) { at = start }
  }
}
