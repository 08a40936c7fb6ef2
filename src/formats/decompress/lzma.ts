import { dataView } from '../../bytes/checked.js'
import { damaged } from './damaged.js'
import { LzmaDecoder, parseProperties } from './lzma-decoder.js'
import { Window } from './window.js'

/** Largest dictionary taken: that of the kernel build's own `xz` and `zstd`, and twice what the largest preset has. */
export const MAX_DICTIONARY_BYTES = 128 * 1024 * 1024
/** Written between two pieces of output. */
export const PIECE_BYTES = 1024 * 1024

/** properties: 1 byte, dictionary size: u32, size of what is in it: u64, all ones where it is not known. */
const HEADER_SIZE = 13

/** Unpacks `.lzma` (also called LZMA alone). Bytes after the end are left alone. */
export function * unpackLzma (input: Uint8Array): Generator<Uint8Array> {
  if (input.length < HEADER_SIZE) throw damaged(`an LZMA header has ${HEADER_SIZE} bytes, but the data has only ${input.length}`)
  const view = dataView(input)
  const dictionaryBytes = view.getUint32(1, true)
  if (dictionaryBytes > MAX_DICTIONARY_BYTES) {
    throw damaged(`it needs a dictionary of ${dictionaryBytes} bytes; at most ${MAX_DICTIONARY_BYTES} are allowed`)
  }
  const low = view.getUint32(5, true)
  const high = view.getUint32(9, true)
  const hasSize = low !== 0xffffffff || high !== 0xffffffff
  let left = hasSize ? high * 0x1_0000_0000 + low : Infinity

  const window = new Window(dictionaryBytes)
  const decoder = new LzmaDecoder(window)
  decoder.resetState(parseProperties(input[0] ?? 0))
  decoder.startInput(input, HEADER_SIZE, input.length)
  for (let isEnd = false; !isEnd && left > 0;) {
    isEnd = decoder.decode(Math.min(PIECE_BYTES, left))
    const piece = window.take()
    if (piece.length > left) throw damaged('the last LZMA match goes past the announced size')
    left -= piece.length
    if (isEnd && hasSize && left > 0) throw damaged(`the LZMA data ends ${left} bytes before the announced size`)
    if (piece.length > 0) yield piece
  }
}
