import { dataView } from '../../bytes/checked.js'
import { damaged } from './damaged.js'
import { MAX_DICTIONARY_BYTES } from './lzma.js'

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const RLE_BLOCK = 1
const RESERVED_BLOCK = 3

/**
 * Where the last of the zstd frames ends that follow each other from the start. Frames are walked by their block headers, so that
 * what a decoder is given is whole, needs no dictionary, and asks for no more memory than allowed.
 *
 * @throws AppError where the first thing is no frame, or a frame is not whole
 * @see https://www.rfc-editor.org/rfc/rfc8878#section-3
 */
export function endOfZstdFrames (input: Uint8Array): number {
  const view = dataView(input)
  let at = 0
  while (at + 8 <= input.length) {
    const magic = view.getUint32(at, true)
    if (((magic & 0xfffffff0) >>> 0) === SKIPPABLE_MAGIC) at += 8 + view.getUint32(at + 4, true)
    else if (magic === FRAME_MAGIC) at = endOfFrame(input, view, at)
    else break
    if (at > input.length) throw damaged('the zstd data ends within a frame')
  }
  if (at === 0) throw damaged('it does not begin as zstd does')
  return at
}

function endOfFrame (input: Uint8Array, view: DataView, start: number): number {
  const descriptor = input[start + 4] ?? 0
  const isSingleSegment = (descriptor & 0x20) !== 0
  const hasChecksum = (descriptor & 4) !== 0
  if ((descriptor & 8) !== 0) throw damaged('a zstd frame header has a bit set that is reserved')
  if ((descriptor & 3) !== 0) throw damaged('a zstd frame needs a dictionary, which is not at hand')
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  let at = start + 5 + (isSingleSegment ? 0 : 1) + sizeBytes
  if (at > input.length) throw damaged('the zstd data ends within a frame header')
  const window = isSingleSegment ? contentSize(view, at - sizeBytes, sizeBytes) : windowSize(input[start + 5] ?? 0)
  if (window > MAX_DICTIONARY_BYTES) throw damaged(`it asks for a window of ${window} bytes; at most ${MAX_DICTIONARY_BYTES} are given`)

  for (;;) {
    if (at + 3 > input.length) throw damaged('the zstd data ends within a block header')
    const header = view.getUint16(at, true) | (input[at + 2] ?? 0) << 16
    const type = header >> 1 & 3
    if (type === RESERVED_BLOCK) throw damaged('a zstd block has the type that is reserved')
    at += 3 + (type === RLE_BLOCK ? 1 : header >> 3)
    if (at > input.length) throw damaged('the zstd data ends within a block')
    if ((header & 1) === 1) break
  }
  return at + (hasChecksum ? 4 : 0)
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
