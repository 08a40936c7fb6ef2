import { dataView } from '../bytes/checked.js'

export const isLittleEndianHost = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/**
 * A stretch of 32-bit words in the host's order, for walks that read all of them: typed arrays are twice as fast as a DataView
 * there. A view where order and alignment allow it, as for the BTF of a kernel on a machine of the same byte order; otherwise a copy.
 *
 * Signed, because a small integer is cheaper than an unsigned one that may need a float; negative numbers are those past 2^31.
 *
 * @param start, end in bytes; a rest of fewer than 4 bytes is left out
 */
export function wordsOf (bytes: Uint8Array, start: number, end: number, littleEndian: boolean): Int32Array {
  const count = Math.floor((end - start) / 4)
  if (littleEndian === isLittleEndianHost && (bytes.byteOffset + start) % 4 === 0) {
    return new Int32Array(bytes.buffer, bytes.byteOffset + start, count)
  }
  const view = dataView(bytes)
  const words = new Int32Array(count)
  for (let i = 0; i < count; i++) words[i] = view.getInt32(start + 4 * i, littleEndian)
  return words
}
