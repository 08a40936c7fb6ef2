import { dataView } from '../../bytes/checked.js'
import type { ByteReader } from '../byte-reader.js'
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

/** Unpacks LZMA2, the only compression of `.xz`: chunks of at most 2 MiB, each copied or in LZMA. Ends after the last chunk. */
export async function * unpackLzma2 (reader: ByteReader, dictionaryBytes: number): AsyncGenerator<Uint8Array> {
  const window = new Window(dictionaryBytes)
  try {
    yield * unpackChunks(reader, window)
  } finally {
    window.release()
  }
}

async function * unpackChunks (reader: ByteReader, window: Window): AsyncGenerator<Uint8Array> {
  const decoder = new LzmaDecoder(window)
  let needs: number = RESET_DICTIONARY
  for (;;) {
    const [control = END] = await reader.take(1)
    if (control === END) return
    if (control < LZMA) {
      if (control > COPY) throw damaged(`LZMA2 control byte ${control} has no meaning`)
      if (control === RESET_AND_COPY) {
        decoder.resetDictionary()
        needs = Math.min(needs, NEW_PROPERTIES)
      } else if (needs === RESET_DICTIONARY) {
        throw damaged('the first LZMA2 chunk does not reset the dictionary')
      }
      const size = dataView(await reader.take(2)).getUint16(0) + 1
      window.append(await reader.take(size))
      decoder.skip(size)
    } else {
      const level = control >> 5 & 3
      const header = dataView(await reader.take(4))
      const size = ((control & 0x1f) << 16 | header.getUint16(0)) + 1
      const packedSize = header.getUint16(2) + 1
      if (level < needs) throw damaged('an LZMA2 chunk continues a state that was never set')
      needs = 0
      if (level === RESET_DICTIONARY) decoder.resetDictionary()
      if (level >= NEW_PROPERTIES) {
        const properties = parseProperties((await reader.take(1))[0] ?? 0)
        if (properties.lc + properties.lp > 4) throw damaged('LZMA2 allows no more than 4 literal bits')
        decoder.resetState(properties)
      } else if (level === RESET_STATE) {
        decoder.resetState()
      }
      decoder.startInput(await reader.take(packedSize), 0, packedSize)
      const before = window.total
      if (decoder.decode(size) || window.total - before !== size || decoder.at !== packedSize || !decoder.isFinished) {
        throw damaged('an LZMA2 chunk does not have the size that its header claims')
      }
    }
    yield window.take()
  }
}
