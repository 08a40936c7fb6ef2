import { dataView } from '../../bytes/checked.js'
import { damaged } from '../decompress/damaged.js'
import { createLzma2, lzma2ChunkBytes, LZMA2_CHUNK_HEADER } from '../decompress/lzma2.js'
import { readBlockHeader, STREAM_EDGE_SIZE, XZ_CHECKS } from '../decompress/xz.js'
import { isXz } from '../xz-magic.js'
import type { ByteSource } from './byte-source.js'

/**
 * Unpacks the first stream of `.xz` as it arrives, chunk by chunk, so that whoever has what he wants can stop there.
 *
 * The checks within the file are left out: this is for what is verified as a whole by its hash.
 *
 * @throws AppError `btf_invalid`
 * @see unpackXz for the same with checks, of bytes that are all at hand
 */
export function * unpackXzStream (source: ByteSource): Generator<Uint8Array> {
  const edge = source.take(STREAM_EDGE_SIZE)
  if (!isXz(edge)) throw damaged('it does not begin as xz does')
  const check = XZ_CHECKS[dataView(edge).getUint16(6)]
  if (check === undefined) throw damaged('the xz stream has flags that are not known')
  for (;;) {
    const size = source.peek(1)[0]
    if (size === undefined) throw damaged('the xz stream ends before its index')
    if (size === 0) return
    const { dictionaryBytes, filter } = readBlockHeader(source.take((size + 1) * 4), 0)
    const lzma2 = createLzma2(dictionaryBytes)
    let packed = 0
    for (;;) {
      const bytes = lzma2ChunkBytes(source.peek(LZMA2_CHUNK_HEADER), 0)
      packed += bytes
      const { unpacked } = lzma2.chunk(source.take(bytes), 0)
      if (unpacked === undefined) break
      const piece = filter === undefined ? unpacked : filter.update(unpacked)
      if (piece.length > 0) yield piece
    }
    const rest = filter?.finish()
    if (rest !== undefined && rest.length > 0) yield rest
    source.skip((4 - packed % 4) % 4 + check.size)
  }
}
