import { AppError } from '../../errors.js'

/** Reads what arrives in pieces by counts of bytes. */
export interface ByteReader {
  /** The next bytes: exactly so many. */
  take(count: number): Promise<Uint8Array>
  skip(count: number): Promise<void>
}

/** @throws AppError `btf_invalid` from each of its functions, where the data ends before */
export function createByteReader (pieces: AsyncIterator<Uint8Array>, what: string): ByteReader {
  let piece: Uint8Array = new Uint8Array(0)
  const fill = async (): Promise<void> => {
    while (piece.length === 0) {
      const next = await pieces.next()
      if (next.done === true) throw new AppError('btf_invalid', `The ${what} is cut off.`)
      piece = next.value
    }
  }
  return {
    async take (count) {
      const bytes = new Uint8Array(count)
      for (let filled = 0; filled < count;) {
        await fill()
        const part = piece.subarray(0, count - filled)
        bytes.set(part, filled)
        filled += part.length
        piece = piece.subarray(part.length)
      }
      return bytes
    },
    async skip (count) {
      for (let left = count; left > 0;) {
        await fill()
        const skipped = Math.min(left, piece.length)
        piece = piece.subarray(skipped)
        left -= skipped
      }
    }
  }
}
