import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'

/** Collects C source, up to a bound: anonymous types are written where they are used, so that a small BTF could ask for any amount. */
export interface TextWriter {
  /** @throws AppError `btf_invalid` past LIMITS.cTextCharacters */
  write(text: string): void
  text(): string
}

/** Characters that may still be written: of one writer, or of several that share it. */
export interface TextRoom { left: number }

export function newTextRoom (): TextRoom { return { left: LIMITS.cTextCharacters } }

/** Small strings that are joined at once: one by one, each takes more memory than its characters. */
const CHUNKS_OF_BLOCK = 4096

export function createTextWriter (room = newTextRoom()): TextWriter {
  let chunks: string[] = []
  const blocks: string[] = []
  return {
    write (text) {
      room.left -= text.length
      if (room.left < 0) {
        throw new AppError('btf_invalid',
          `As C, the types of this BTF take more than ${LIMITS.cTextCharacters} characters; those of a kernel take about three million.`,
          { limit: LIMITS.cTextCharacters })
      }
      chunks.push(text)
      if (chunks.length < CHUNKS_OF_BLOCK) return
      blocks.push(chunks.join(''))
      chunks = []
    },
    text: () => blocks.join('') + chunks.join('')
  }
}
