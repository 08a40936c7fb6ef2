/**
 * A growing stretch of bytes, to be hashed once all is written. It has no accessors: an object that is made with one has a class of its own
 * to V8, which would compile what uses it for each kernel of a check.
 */
export interface Writer {
  byte(value: number): void
  /** 32 bits, little endian. */
  word(value: number): void
  /** Characters below 256, a byte each. */
  text(text: string): void
  /** What was written from `start` on, until more is written. */
  since(start: number): Uint8Array
}

/** @param initialBytes that there is room for before it grows */
export function createWriter (initialBytes: number): Writer {
  let bytes = new Uint8Array(initialBytes)
  let at = 0
  const reserve = (count: number): void => {
    if (at + count <= bytes.length) return
    const larger = new Uint8Array(2 * (at + count))
    larger.set(bytes.subarray(0, at))
    bytes = larger
  }
  return {
    byte (value) {
      reserve(1)
      bytes[at++] = value
    },
    word (value) {
      reserve(4)
      for (let shift = 0; shift < 32; shift += 8) bytes[at++] = value >>> shift
    },
    text (text) {
      reserve(text.length)
      for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
    },
    since: start => bytes.subarray(start, at)
  }
}
