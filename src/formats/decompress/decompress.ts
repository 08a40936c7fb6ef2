import { AppError } from '../../errors.js'
import { createByteReader, takeAll, type ByteReader } from '../byte-reader.js'
import { XZ_MAGIC } from '../xz-magic.js'
import { unpackBzip2 } from './bzip2.js'
import { unpackGzip } from './gzip.js'
import { LZ4_LEGACY_MAGIC, LZ4_MAGIC, unpackLz4 } from './lz4.js'
import { unpackLzma } from './lzma.js'
import { LZOP_MAGIC, unpackLzo } from './lzo.js'
import { unpackXz } from './xz.js'
import { unpackZstd } from './zstd.js'

/** What kernels, their modules and their packages are packed with. */
export type Compression = 'gzip' | 'xz' | 'zstd' | 'lz4' | 'bzip2' | 'lzma' | 'lzo'

/** How each begins. LZMA has no magic: what stands here is the default properties and a dictionary of whole 64 KiB. */
export const COMPRESSION_MAGICS: ReadonlyArray<readonly [Compression, readonly number[]]> = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['xz', XZ_MAGIC],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['lz4', LZ4_LEGACY_MAGIC],
  ['lz4', LZ4_MAGIC],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['lzo', LZOP_MAGIC],
  ['lzma', [0x5d, 0x00, 0x00]]
]

/** What the bytes are packed with, by how they begin. Undefined for anything else. */
export function detectCompression (bytes: Uint8Array): Compression | undefined {
  return COMPRESSION_MAGICS.find(([, magic]) => magic.every((byte, i) => bytes[i] === byte))?.[0]
}

/** Packed bytes of the forms that have to be there whole: lzma, lzo and bzip2, of which old packages and images are made. */
const MAX_WHOLE_BYTES = 512 * 1024 * 1024

/**
 * Unpacks piece by piece, and ends with an error as soon as more than `maxBytes` have come, whatever the data announces. Bytes
 * after the end of the packed data are left alone: kernel images append the unpacked size. No more is read than what has been
 * unpacked needs, so that leaving the loop ends the work.
 *
 * @throws AppError `btf_invalid` where the data is damaged or ends too early, `too_large`
 */
export async function * unpack (compression: Compression, input: Uint8Array | ByteReader, maxBytes: number): AsyncGenerator<Uint8Array> {
  const reader = input instanceof Uint8Array ? createByteReader(input, `${compression} data`) : input
  let total = 0
  for await (const piece of await piecesOf(compression, reader, maxBytes)) {
    total += piece.length
    if (total > maxBytes) throw new AppError('too_large', `The data decompresses to more than ${maxBytes} bytes.`, { limit: maxBytes })
    yield piece
  }
}

/** The same, put together. */
export async function unpackWhole (compression: Compression, input: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of unpack(compression, input, maxBytes)) pieces.push(piece)
  const [only] = pieces
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces)
}

async function piecesOf (
  compression: Compression,
  reader: ByteReader,
  maxBytes: number
): Promise<Iterable<Uint8Array> | AsyncIterable<Uint8Array>> {
  switch (compression) {
    case 'gzip': return unpackGzip(reader)
    case 'xz': return unpackXz(reader)
    case 'zstd': return unpackZstd(reader)
    case 'lz4': return unpackLz4(reader)
    case 'bzip2': return unpackBzip2(await takeAll(reader, MAX_WHOLE_BYTES), maxBytes)
    case 'lzma': return unpackLzma(await takeAll(reader, MAX_WHOLE_BYTES))
    case 'lzo': return unpackLzo(await takeAll(reader, MAX_WHOLE_BYTES))
    default: return compression satisfies never
  }
}
