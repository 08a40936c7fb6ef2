import { damaged } from './damaged.js'

/** Where a match of three bytes begins that follows literals: behind what the two-byte form reaches. */
const FAR_OFFSET = 0x0801
const FAR_BASE = 0x4000

/**
 * Unpacks one LZO1X block. Written here because the packages on npm for LZO need a compiler, or bound nothing.
 *
 * @param size bytes of output, exactly
 * @see https://docs.kernel.org/staging/lzo.html
 */
export function unpackLzo1x (input: Uint8Array, size: number): Uint8Array {
  const output = new Uint8Array(size)
  let at = 0
  let written = 0
  const next = (): number => {
    const byte = input[at++]
    if (byte === undefined) throw damaged('an lzo block ends too early')
    return byte
  }
  /** A length that does not fit into its bits continues in further bytes; each zero byte adds 255. */
  const longLength = (base: number): number => {
    for (let length = base; ; length += 255) {
      const byte = next()
      if (byte !== 0) return length + byte
    }
  }
  const literals = (count: number): void => {
    if (at + count > input.length || written + count > size) throw damaged('lzo literals go past their block')
    output.set(input.subarray(at, at + count), written)
    at += count
    written += count
  }
  const match = (distance: number, length: number): void => {
    if (distance > written || written + length > size) throw damaged('an lzo match goes past its block')
    for (let i = 0; i < length; i++) output[written + i] = output[written + i - distance] ?? 0
    written += length
  }

  // How many literals came before: none, 1 to 3 with the last match, or (4) a run of them. It changes what a small instruction means.
  let state = 0
  const first = input[0] ?? 0
  if (first > 17) {
    at = 1
    literals(first - 17)
    state = Math.min(first - 17, 4)
  }
  for (;;) {
    const code = next()
    if (code < 16 && state === 0) {
      literals(code === 0 ? longLength(15) + 3 : code + 3)
      state = 4
      continue
    }
    let extra = code & 3
    if (code < 16) {
      const near = (code >> 2) + (next() << 2)
      if (state === 4) match(near + FAR_OFFSET, 3)
      else match(near + 1, 2)
    } else if (code >= 64) {
      match((code >> 2 & 7) + (next() << 3) + 1, (code >> 5) + 1)
    } else if (code >= 32) {
      const length = (code & 31) === 0 ? longLength(31) + 2 : (code & 31) + 2
      const word = next() | next() << 8
      extra = word & 3
      match((word >> 2) + 1, length)
    } else {
      const length = (code & 7) === 0 ? longLength(7) + 2 : (code & 7) + 2
      const word = next() | next() << 8
      extra = word & 3
      const distance = ((code & 8) << 11) + (word >> 2)
      if (distance === 0) break // the end marker
      match(distance + FAR_BASE, length)
    }
    literals(extra)
    state = extra
  }
  if (written !== size) throw damaged(`an lzo block holds ${written} bytes instead of ${size}`)
  return output
}
