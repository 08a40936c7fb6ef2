import { AppError } from '../../errors.js'

/** Bytes that arrive in pieces, read in order by code that waits for them in place. */
export interface ByteSource {
  /**
   * The next bytes, exactly so many.
   *
   * @throws AppError `btf_invalid` where the data ends before
   */
  take(count: number): Uint8Array
  /** The next bytes without reading them; fewer where the data ends before. */
  peek(count: number): Uint8Array
  /** @throws AppError `btf_invalid` where the data ends before */
  skip(count: number): void
  /** What has been pulled and not taken yet. */
  held(): Uint8Array
  /** What has arrived of the next bytes, at most so many; undefined at the end. */
  piece(most: number): Uint8Array | undefined
}

/** @param pull the next piece; undefined at the end. A worker's may block until there is one. */
export function createByteSource (pull: () => Uint8Array | undefined, what: string): ByteSource {
  let piece: Uint8Array = new Uint8Array(0)
  const fill = (): boolean => {
    while (piece.length === 0) {
      const next = pull()
      if (next === undefined) return false
      piece = next
    }
    return true
  }
  const cutOff = (): AppError => new AppError('btf_invalid', `The ${what} is cut off.`)
  const source: ByteSource = {
    take (count) {
      if (piece.length >= count) {
        const bytes = piece.subarray(0, count)
        piece = piece.subarray(count)
        return bytes
      }
      const bytes = new Uint8Array(count)
      for (let filled = 0; filled < count;) {
        const part = source.piece(count - filled)
        if (part === undefined) throw cutOff()
        bytes.set(part, filled)
        filled += part.length
      }
      return bytes
    },
    peek (count) {
      if (piece.length < count) {
        const parts = [piece]
        let total = piece.length
        while (total < count) {
          const next = pull()
          if (next === undefined) break
          parts.push(next)
          total += next.length
        }
        piece = Buffer.concat(parts)
      }
      return piece.subarray(0, count)
    },
    skip (count) {
      for (let left = count; left > 0;) {
        const part = source.piece(left)
        if (part === undefined) throw cutOff()
        left -= part.length
      }
    },
    held: () => piece,
    piece (most) {
      if (!fill()) return undefined
      const part = piece.subarray(0, most)
      piece = piece.subarray(part.length)
      return part
    }
  }
  return source
}

/** The next bytes, as many as `count` says, in the pieces in which they arrive; all that come where it is Infinity. */
export function * piecesOf (source: ByteSource, count: number): Generator<Uint8Array> {
  for (let left = count; left > 0;) {
    const part = source.piece(Math.min(left, 1 << 20))
    if (part === undefined) {
      if (left === Infinity) return
      throw new AppError('btf_invalid', 'The package is cut off within one of its parts.')
    }
    left -= part.length
    yield part
  }
}
