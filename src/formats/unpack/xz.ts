import { ReadableStream } from 'node:stream/web'
import xz from 'xz-decompress'
import { AppError } from '../../errors.js'

/** In pieces of this size the decoder gets a file, so that it is known of how much of it something was made. */
const PIECE = 4096

/** Something that was decompressed. */
export interface Unfolded {
  readonly bytes: Uint8Array
  /** Bytes of the file that have been read so far. */
  readonly packedBytes: number
}

/**
 * What an .xz file holds, in pieces of at most 64 KiB, each decompressed when it is asked for. Leaving the loop ends the work.
 * The decoder takes no dictionary above 64 MiB and checks the file's own checksums.
 *
 * @throws AppError `btf_invalid`
 */
export async function * decompressXz (packed: Uint8Array): AsyncGenerator<Unfolded> {
  let packedBytes = 0
  const input = new ReadableStream<Uint8Array>({
    pull (controller) {
      if (packedBytes < packed.length) controller.enqueue(packed.subarray(packedBytes, packedBytes += PIECE))
      else controller.close()
    }
  }, { highWaterMark: 0 })
  const reader = new xz.XzReadableStream(input).getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield { bytes: value, packedBytes }
    }
  } catch (error) {
    throw new AppError('btf_invalid', 'The archive is not a whole .xz file: it is cut off or damaged.', {}, { cause: error })
  } finally {
    await reader.cancel().catch(() => {}) // it has failed, and that is known
  }
}
