import { Readable, type Transform, type TransformOptions } from 'node:stream'
import * as zlib from 'node:zlib'
import { AppError } from '../../errors.js'
import type { ByteReader } from '../byte-reader.js'
import { damaged } from './damaged.js'
import { zstdFrames } from './zstd-frames.js'

const MAX_WINDOW_LOG = 27

/** A stream that holds so much asks for the next piece only when the one before is used up. */
const ONE_PIECE = 1

/** Node's own decoder, which it has from 22.15 on. The types are those of Node 20. */
interface ZlibWithZstd {
  readonly createZstdDecompress?: (options: TransformOptions & { params: Record<number, number> }) => Transform
  readonly constants: { readonly ZSTD_d_windowLogMax?: number }
}

/** Unpacks zstd frames. Bytes after the last frame are left alone. */
export async function * unpackZstd (reader: ByteReader): AsyncGenerator<Uint8Array> {
  const { createZstdDecompress, constants } = zlib as ZlibWithZstd
  try {
    if (createZstdDecompress !== undefined && constants.ZSTD_d_windowLogMax !== undefined) {
      const frames = Readable.from(zstdFrames(reader), { objectMode: false, highWaterMark: ONE_PIECE })
      const params = { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG }
      const decoder = createZstdDecompress({ writableHighWaterMark: ONE_PIECE, params })
      frames.on('error', error => decoder.destroy(error))
      try {
        yield * frames.pipe(decoder)
      } finally {
        frames.destroy()
      }
    } else {
      yield * unpackInWasm(zstdFrames(reader))
    }
  } catch (error) {
    throw error instanceof AppError ? error : damaged(`zstd says: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The same by zstddec, for Node 20. It does not look at error codes, and would ask for the same piece endlessly. */
async function * unpackInWasm (frames: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { ZSTDDecoder } = await import('zstddec/stream')
  const decoder = new ZSTDDecoder()
  await decoder.init()
  let next: Uint8Array | undefined
  const input = (function * () {
    for (let piece = next; piece !== undefined; piece = next) {
      next = undefined
      yield piece
    }
  })()
  const output = decoder.decodeStreaming(input)
  try {
    // It takes one piece, gives at least one (perhaps empty) for it, and asks for the next one only after that.
    let empties = 0
    for (;;) {
      if (next === undefined) {
        const frame = await frames.next()
        if (frame.done !== true) next = frame.value
      }
      const pending = next
      const { done, value } = output.next()
      if (done === true) return
      const isFed = pending !== next
      empties = value.length === 0 && !isFed ? empties + 1 : 0
      if (empties > 2) throw new Error('the frame is damaged')
      if (value.length > 0) yield value
    }
  } finally {
    // Its memory is freed only where it comes to its end, and it does once there is no more input.
    next = undefined
    finish(output)
    await frames.return(undefined)
  }
}

function finish (output: Generator<Uint8Array>): void {
  try {
    for (let i = 0; i < MAX_FINISHING_PIECES && output.next().done !== true; i++);
  } catch {
    // "Incomplete stream": so it is
  }
}

/** A block has 128 KiB; what it gives fits into two pieces. */
const MAX_FINISHING_PIECES = 16
