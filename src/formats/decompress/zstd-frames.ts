import { dataView } from '../../bytes/checked.js'
import type { ByteReader } from '../byte-reader.js'
import { damaged } from './damaged.js'
import { MAX_DICTIONARY_BYTES } from './lzma.js'

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const RLE_BLOCK = 1
const RESERVED_BLOCK = 3

/**
 * The zstd frames that follow each other from the start, block by block. They are walked by their block headers, so that what a
 * decoder is given is whole, needs no dictionary, and asks for no more memory than allowed. What comes after the last is left alone.
 *
 * @throws AppError where the first thing is no frame, or a frame is not whole
 * @see https://www.rfc-editor.org/rfc/rfc8878#section-3
 */
export async function * zstdFrames (reader: ByteReader): AsyncGenerator<Uint8Array> {
  for (let isFirst = true; ; isFirst = false) {
    const head = await reader.peek(8)
    const magic = head.length < 8 ? 0 : dataView(head).getUint32(0, true)
    if (((magic & 0xfffffff0) >>> 0) === SKIPPABLE_MAGIC) await reader.skip(8 + dataView(head).getUint32(4, true))
    else if (magic === FRAME_MAGIC) yield * frame(reader)
    else if (isFirst) throw damaged('it does not start with the magic bytes of zstd')
    else return
  }
}

async function * frame (reader: ByteReader): AsyncGenerator<Uint8Array> {
  const descriptor = (await reader.peek(5))[4] ?? 0
  const isSingleSegment = (descriptor & 0x20) !== 0
  const hasChecksum = (descriptor & 4) !== 0
  if ((descriptor & 8) !== 0) throw damaged('a zstd frame header sets a reserved bit')
  if ((descriptor & 3) !== 0) throw damaged('a zstd frame needs a dictionary, which the file does not contain')
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  const header = await reader.take(5 + (isSingleSegment ? 0 : 1) + sizeBytes)
  const window = isSingleSegment ? contentSize(dataView(header), header.length - sizeBytes, sizeBytes) : windowSize(header[5] ?? 0)
  if (window > MAX_DICTIONARY_BYTES) throw damaged(`it needs a window of ${window} bytes; at most ${MAX_DICTIONARY_BYTES} are allowed`)
  yield header
  for (let isLast = false; !isLast;) {
    const block = await reader.take(3)
    const word = dataView(block).getUint16(0, true) | (block[2] ?? 0) << 16
    const type = word >> 1 & 3
    if (type === RESERVED_BLOCK) throw damaged('a zstd block has the reserved type')
    isLast = (word & 1) === 1
    yield Buffer.concat([block, await reader.take(type === RLE_BLOCK ? 1 : word >> 3)])
  }
  if (hasChecksum) yield await reader.take(4)
}

/** An exponent in the upper 5 bits and eighths of it in the lower 3. */
function windowSize (descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + base / 8 * (descriptor & 7)
}

function contentSize (view: DataView, at: number, bytes: number): number {
  switch (bytes) {
    case 1: return view.getUint8(at)
    case 2: return view.getUint16(at, true) + 256
    case 4: return view.getUint32(at, true)
    default: return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000
  }
}
