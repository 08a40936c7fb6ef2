import { ReadableStream } from 'node:stream/web'
import xz from 'xz-decompress'
import { AppError } from '../../errors.js'

const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]

export function isXz (bytes: Uint8Array): boolean { return MAGIC.every((byte, i) => bytes[i] === byte) }

/**
 * What an .xz file holds, in pieces of 64 KiB, each decompressed when it is asked for. Leaving the loop ends the work. The
 * decoder takes no dictionary above 64 MiB and checks the file's own checksums.
 *
 * @throws AppError `btf_invalid`
 */
export async function * decompressXz (packed: Uint8Array): AsyncGenerator<Uint8Array> {
  const input = new ReadableStream<Uint8Array>({
    start (controller) {
      controller.enqueue(packed)
      controller.close()
    }
  })
  const reader = new xz.XzReadableStream(input).getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } catch (error) {
    throw new AppError('btf_invalid', 'The archive is not a whole .xz file: it is cut off or damaged.', {}, { cause: error })
  } finally {
    await reader.cancel().catch(() => {}) // it has failed, and that is known
  }
}
