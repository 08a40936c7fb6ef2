import { AppError } from '../../errors.js'
import { damaged } from './damaged.js'
import { PIECE_BYTES } from './lzma.js'

/**
 * Unpacks bzip2, one stream. Unlike the others it cannot pause, so that the bound has to be known here.
 *
 * @throws AppError `too_large`
 */
export async function unpackBzip2 (input: Uint8Array, maxBytes: number): Promise<Uint8Array[]> {
  const { default: Bunzip } = await import('seek-bzip') // few files need it, and threads start faster without
  const pieces: Uint8Array[] = []
  let piece = new Uint8Array(PIECE_BYTES)
  let filled = 0
  let at = 0
  const readByte = (): number => {
    const byte = input[at++]
    if (byte === undefined) throw damaged('the bzip2 data ends too early') // the library would take the end for zeros
    return byte
  }
  const source = {
    readByte,
    read (buffer: Uint8Array, offset: number, length: number) {
      for (let i = 0; i < length; i++) buffer[offset + i] = readByte()
      return length
    }
  }
  const sink = {
    writeByte (byte: number) {
      if (filled === piece.length) {
        pieces.push(piece)
        if (pieces.length * PIECE_BYTES >= maxBytes) {
          throw new AppError('too_large', `The data decompresses to more than ${maxBytes} bytes.`, { limit: maxBytes })
        }
        piece = new Uint8Array(PIECE_BYTES)
        filled = 0
      }
      piece[filled++] = byte
    },
    flush () {}
  }
  try {
    Bunzip.decode(source, sink, false)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw damaged(`bzip2 says: ${error instanceof Error ? error.message : String(error)}`)
  }
  return [...pieces, piece.subarray(0, filled)]
}
