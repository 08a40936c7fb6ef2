import { Readable, type Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { ZSTDDecoder } from 'zstddec/stream'
import { damaged } from './damaged.js'
import { endOfZstdFrames } from './zstd-frames.js'

/** Input handed to the decoder at a time. */
const STEP_BYTES = 1024 * 1024
const MAX_WINDOW_LOG = 27

/** Node's own decoder, which it has from 22.15 on. The types are those of Node 20. */
interface ZlibWithZstd {
  readonly createZstdDecompress?: (options: { params: Record<number, number> }) => Transform
  readonly constants: { readonly ZSTD_d_windowLogMax?: number }
}

/** Unpacks zstd frames. Bytes after the last frame are left alone. */
export async function * unpackZstd (input: Uint8Array): AsyncGenerator<Uint8Array> {
  const frames = input.subarray(0, endOfZstdFrames(input))
  const { createZstdDecompress, constants } = zlib as ZlibWithZstd
  try {
    if (createZstdDecompress !== undefined && constants.ZSTD_d_windowLogMax !== undefined) {
      yield * Readable.from([frames]).pipe(createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } }))
    } else {
      yield * unpackInWasm(frames)
    }
  } catch (error) {
    throw damaged(`zstd says: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The same by zstddec, for Node 20. It does not look at error codes, and would ask for the same piece for ever. */
async function * unpackInWasm (frames: Uint8Array): AsyncGenerator<Uint8Array> {
  const decoder = new ZSTDDecoder()
  await decoder.init()
  const state = { empties: 0 }
  for (const piece of decoder.decodeStreaming(steps(frames, state))) {
    state.empties = piece.length === 0 ? state.empties + 1 : 0
    if (state.empties > 2) throw new Error('the frame is damaged')
    if (piece.length > 0) yield piece
  }
}

function * steps (input: Uint8Array, state: { empties: number }): Generator<Uint8Array> {
  for (let at = 0; at < input.length; at += STEP_BYTES) {
    state.empties = 0
    yield input.subarray(at, at + STEP_BYTES)
  }
}

/**
 * The same of frames that arrive in pieces. The decoder refuses windows above 128 MiB by itself.
 *
 * @throws AppError `btf_invalid`
 */
export async function * unpackZstdStream (pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decoder = new ZSTDDecoder()
  await decoder.init()
  const state = { empties: 0 }
  const input = function * (): Generator<Uint8Array> {
    for (const piece of pieces) {
      state.empties = 0
      yield piece
    }
  }
  for (const piece of decoder.decodeStreaming(input())) {
    state.empties = piece.length === 0 ? state.empties + 1 : 0
    if (state.empties > MOST_EMPTIES) throw damaged('zstd says: the frame is damaged')
    if (piece.length > 0) yield piece
  }
}

/** Results without a byte that one piece of input may have. A damaged frame has them for ever. */
const MOST_EMPTIES = 16
