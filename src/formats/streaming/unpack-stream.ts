import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { AppError } from '../../errors.js'
import { damaged } from '../decompress/damaged.js'
import { detectCompression } from '../decompress/decompress.js'
import { unpackZstdStream } from '../decompress/zstd.js'
import { piecesOf, type ByteSource } from './byte-source.js'
import { unpackXzStream } from './xz-stream.js'

/** The longest of the magic numbers by which packed data is told. */
const MAGIC_BYTES = 8

/**
 * Unpacks what arrives, by how it begins; what is not packed comes as it is. Ends with an error as soon as more than `maxBytes` have come.
 *
 * @param count packed bytes, Infinity where they go on to the end
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function * unpackStream (source: ByteSource, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
  const compression = detectCompression(source.peek(MAGIC_BYTES))
  const pieces = piecesOf(source, count)
  let total = 0
  for await (const piece of unpacked()) {
    total += piece.length
    if (total > maxBytes) throw new AppError('too_large', `The data unpacks to more than ${maxBytes} bytes.`, { limit: maxBytes })
    yield piece
  }

  function unpacked (): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
    switch (compression) {
      case undefined: return pieces
      case 'xz': return unpackXzStream(source)
      case 'zstd': return unpackZstdStream(pieces)
      case 'gzip': return gunzip(pieces)
      default: throw damaged(`packages that are packed with ${compression} are not read as they arrive`)
    }
  }
}

async function * gunzip (pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unzip = createGunzip({ chunkSize: 256 * 1024 })
  const input = Readable.from(pieces, { objectMode: false })
  input.on('error', error => { unzip.destroy(error) })
  try {
    yield * input.pipe(unzip)
  } catch (error) {
    throw error instanceof AppError ? error : damaged(`gunzip says: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    input.destroy()
    unzip.destroy()
  }
}
