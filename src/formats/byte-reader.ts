import { AppError } from '../errors.js'

/** Reads what arrives in pieces by counts of bytes. What was read is let go of, so that a stream of any length fits in memory. */
export interface ByteReader {
  /** Bytes that were taken or skipped so far. */
  readonly consumed: number
  /** The next bytes: exactly so many. May be a view of what arrived. */
  take(count: number): Promise<Uint8Array>
  /** What is there of the next bytes, at most so many and at least one. Empty at the end. */
  takeSome(maxCount: number): Promise<Uint8Array>
  /** The next bytes without taking them: so many, or all that are left. */
  peek(count: number): Promise<Uint8Array>
  skip(count: number): Promise<void>
  /** Skips up to the first such byte, and it. */
  skipThrough(byte: number): Promise<void>
  /** Gives back the last bytes that were taken, to be taken again. */
  putBack(bytes: Uint8Array): void
  /** Ends the source. */
  close(): Promise<void>
}

/** A kernel's image has up to 64 MB. */
const MOST_AT_ONCE = 64 * 1024 * 1024

/**
 * @param what is read, for the message
 * @throws AppError `btf_invalid` from take, skip and skipThrough, where the data ends before
 */
export function createByteReader (source: Uint8Array | AsyncIterable<Uint8Array>, what: string): ByteReader {
  const pieces = source instanceof Uint8Array ? undefined : source[Symbol.asyncIterator]()
  let piece: Uint8Array = source instanceof Uint8Array ? source : new Uint8Array(0)
  let isAtEnd = pieces === undefined
  let consumed = 0

  /** Whether a byte is there. */
  const fill = async (): Promise<boolean> => {
    while (piece.length === 0 && !isAtEnd) {
      const next = await pieces?.next()
      if (next === undefined || next.done === true) isAtEnd = true
      else piece = next.value
    }
    return piece.length > 0
  }
  const advance = (count: number): Uint8Array => {
    const part = piece.subarray(0, count)
    piece = piece.subarray(part.length)
    consumed += part.length
    return part
  }
  const requireMore = async (): Promise<void> => {
    if (piece.length === 0 && !await fill()) throw new AppError('btf_invalid', `The ${what} is cut off.`)
  }
  return {
    get consumed () { return consumed },
    async take (count) {
      if (piece.length >= count) return advance(count)
      const parts: Uint8Array[] = []
      // A count is what a header says. Up to here its room is taken at once, which costs only addresses until it is filled, so that
      // there is never a second copy of it.
      const whole = count <= MOST_AT_ONCE ? new Uint8Array(count) : undefined
      for (let left = count; left > 0;) {
        await requireMore()
        const part = advance(left)
        if (whole === undefined) parts.push(part)
        else whole.set(part, count - left)
        left -= part.length
      }
      return whole ?? Buffer.concat(parts)
    },
    async takeSome (maxCount) {
      await fill()
      return advance(maxCount)
    },
    async peek (count) {
      if (piece.length >= count) return piece.subarray(0, count)
      const parts = [piece]
      for (let length = piece.length; length < count && !isAtEnd;) {
        const next = await pieces?.next()
        if (next === undefined || next.done === true) {
          isAtEnd = true
        } else {
          parts.push(next.value)
          length += next.value.length
        }
      }
      if (parts.length > 1) piece = Buffer.concat(parts)
      return piece.subarray(0, count)
    },
    async skip (count) {
      for (let left = count; left > 0;) {
        await requireMore()
        left -= advance(left).length
      }
    },
    async skipThrough (byte) {
      for (;;) {
        await requireMore()
        const at = piece.indexOf(byte)
        advance(at === -1 ? piece.length : at + 1)
        if (at !== -1) return
      }
    },
    putBack (bytes) {
      consumed -= bytes.length
      piece = piece.length === 0 ? bytes : Buffer.concat([bytes, piece])
    },
    async close () {
      isAtEnd = true
      piece = new Uint8Array(0)
      await pieces?.return?.()
    }
  }
}

/** All that is left. @throws AppError `too_large` as soon as more than `maxBytes` have come */
export async function takeAll (reader: ByteReader, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let total = 0
  for (;;) {
    const part = await reader.takeSome(Infinity)
    if (part.length === 0) break
    total += part.length
    if (total > maxBytes) throw new AppError('too_large', `The data has more than ${maxBytes} bytes.`, { limit: maxBytes })
    parts.push(part)
  }
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
}

/** All that is left, as it arrives. */
export async function * takePieces (reader: ByteReader): AsyncGenerator<Uint8Array> {
  for (let piece = await reader.takeSome(Infinity); piece.length > 0; piece = await reader.takeSome(Infinity)) yield piece
}
