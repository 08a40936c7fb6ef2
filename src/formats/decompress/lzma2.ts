import { dataView } from '../../bytes/checked.js'
import { damaged } from './damaged.js'
import { LzmaDecoder, parseProperties } from './lzma-decoder.js'
import { Window } from './window.js'

/** What an LZMA2 chunk's control byte asks for. */
const END = 0
const RESET_AND_COPY = 1
const COPY = 2
const LZMA = 0x80

/** Levels of reset in bits 5 and 6 of an LZMA chunk's control byte. Each does what the ones below it do. */
const RESET_STATE = 1
const NEW_PROPERTIES = 2
const RESET_DICTIONARY = 3

/** Bytes that tell how long a chunk is. */
export const LZMA2_CHUNK_HEADER = 5

/**
 * Bytes of the chunk that begins there, its header included. The header has up to LZMA2_CHUNK_HEADER bytes, of which the caller has seen to it
 * that they are there; the mark of the end has one.
 */
export function lzma2ChunkBytes (header: Uint8Array, at: number): number {
  const control = header[at] ?? END
  const u16 = (offset: number): number => (header[at + offset] ?? 0) << 8 | (header[at + offset + 1] ?? 0)
  if (control === END) return 1
  if (control < LZMA) return 3 + u16(1) + 1
  return 5 + ((control >> 5 & 3) >= NEW_PROPERTIES ? 1 : 0) + u16(3) + 1
}

/** Unpacks LZMA2 chunk by chunk. */
export interface Lzma2 {
  /**
   * Unpacks the chunk that begins there, which has to be whole.
   *
   * @returns where the input goes on, and what was in the chunk; undefined for what was in it at the mark of the end
   */
  chunk(input: Uint8Array, start: number): { readonly at: number, readonly unpacked: Uint8Array | undefined }
}

export function createLzma2 (dictionaryBytes: number): Lzma2 {
  const window = new Window(dictionaryBytes)
  const decoder = new LzmaDecoder(window)
  let needs: number = RESET_DICTIONARY
  return {
    chunk (input, start) {
      const view = dataView(input)
      let at = start
      const requireBytes = (count: number): void => {
        if (at + count > input.length) throw damaged('the LZMA2 data ends within a chunk')
      }
      requireBytes(1)
      const control = input[at++] ?? END
      if (control === END) return { at, unpacked: undefined }
      if (control < LZMA) {
        if (control > COPY) throw damaged(`LZMA2 control byte ${control} has no meaning`)
        if (control === RESET_AND_COPY) {
          decoder.resetDictionary()
          needs = Math.min(needs, NEW_PROPERTIES)
        } else if (needs === RESET_DICTIONARY) {
          throw damaged('the first LZMA2 chunk does not reset the dictionary')
        }
        requireBytes(2)
        const size = view.getUint16(at) + 1
        at += 2
        requireBytes(size)
        window.append(input.subarray(at, at + size))
        decoder.skip(size)
        at += size
      } else {
        const level = control >> 5 & 3
        requireBytes(level >= NEW_PROPERTIES ? 5 : 4)
        const size = ((control & 0x1f) << 16 | view.getUint16(at)) + 1
        const packed = view.getUint16(at + 2) + 1
        at += 4
        if (level < needs) throw damaged('an LZMA2 chunk goes on from a state that was never set')
        needs = 0
        if (level === RESET_DICTIONARY) decoder.resetDictionary()
        if (level >= NEW_PROPERTIES) {
          const properties = parseProperties(input[at++] ?? 0)
          if (properties.lc + properties.lp > 4) throw damaged('LZMA2 allows no more than 4 literal bits')
          decoder.resetState(properties)
        } else if (level === RESET_STATE) {
          decoder.resetState()
        }
        requireBytes(packed)
        decoder.startInput(input, at, at + packed)
        const before = window.total
        if (decoder.decode(size) || window.total - before !== size || decoder.at !== at + packed || !decoder.isFinished) {
          throw damaged('an LZMA2 chunk does not have the size that it says')
        }
        at += packed
      }
      return { at, unpacked: window.take() }
    }
  }
}

/**
 * Unpacks LZMA2, the only compression of `.xz`: chunks of at most 2 MiB, each copied or in LZMA.
 *
 * @returns where the input goes on after the last chunk
 */
export function * unpackLzma2 (input: Uint8Array, start: number, dictionaryBytes: number): Generator<Uint8Array, number> {
  const lzma2 = createLzma2(dictionaryBytes)
  for (let at = start; ;) {
    const next = lzma2.chunk(input, at)
    if (next.unpacked === undefined) return next.at
    yield next.unpacked
    at = next.at
  }
}
