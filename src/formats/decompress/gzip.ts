import { once } from 'node:events'
import { crc32, createInflateRaw } from 'node:zlib'
import { dataView } from '../../bytes/checked.js'
import type { ByteReader } from '../byte-reader.js'
import { damaged } from './damaged.js'

const GZIP_MAGIC = [0x1f, 0x8b, 0x08] as const
const HAS_HEADER_CRC = 2
const HAS_EXTRA = 4
const HAS_NAME = 8
const HAS_COMMENT = 16
const HEADER_SIZE = 10
/** CRC-32 and size of what is in it. */
const TRAILER_SIZE = 8
/** Input handed to inflate at a time. It unfolds to a thousand times as much at most. */
const STEP_BYTES = 16 * 1024

/**
 * Unpacks gzip: any number of members. Bytes after the last one are left alone, which Node's own gunzip refuses.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1952
 */
export async function * unpackGzip (reader: ByteReader): AsyncGenerator<Uint8Array> {
  do yield * unpackMember(reader)
  while (isGzip(await reader.peek(GZIP_MAGIC.length)))
}

function isGzip (head: Uint8Array): boolean { return GZIP_MAGIC.every((byte, i) => head[i] === byte) }

async function * unpackMember (reader: ByteReader): AsyncGenerator<Uint8Array> {
  await skipHeader(reader)
  let check = 0
  let size = 0
  for await (const piece of inflate(reader)) {
    check = crc32(piece, check)
    size += piece.length
    yield piece
  }
  const trailer = dataView(await reader.take(TRAILER_SIZE))
  if (trailer.getUint32(0, true) !== check || trailer.getUint32(4, true) !== size % 0x1_0000_0000) {
    throw damaged('the decompressed data does not match the checksum that gzip stored')
  }
}

/** One deflate stream. What comes after it is put back. */
async function * inflate (reader: ByteReader): AsyncGenerator<Uint8Array> {
  const stream = createInflateRaw({ chunkSize: 256 * 1024 })
  let pieces: Uint8Array[] = []
  stream.on('data', (piece: Uint8Array) => { pieces.push(piece) })
  const ended = once(stream, 'end')
  ended.catch(() => {})
  try {
    let fed = 0
    let step: Uint8Array
    do {
      step = await reader.takeSome(STEP_BYTES)
      fed += step.length
      const isLast = step.length === 0
      await Promise.race([ended, new Promise(resolve => { if (isLast) stream.end(resolve); else stream.write(step, resolve) })])
      if (isLast) await ended
      yield * pieces
      pieces = []
    } while (!stream.readableEnded)
    reader.putBack(step.subarray(step.length - (fed - stream.bytesWritten)))
  } catch (error) {
    throw damaged(`inflate says: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    stream.destroy()
  }
}

async function skipHeader (reader: ByteReader): Promise<void> {
  const header = await reader.take(HEADER_SIZE)
  if (!isGzip(header)) throw damaged('it does not start with the magic bytes of gzip')
  const flags = header[3] ?? 0
  if ((flags & HAS_EXTRA) !== 0) await reader.skip(dataView(await reader.take(2)).getUint16(0, true))
  if ((flags & HAS_NAME) !== 0) await reader.skipThrough(0)
  if ((flags & HAS_COMMENT) !== 0) await reader.skipThrough(0)
  if ((flags & HAS_HEADER_CRC) !== 0) await reader.skip(2)
}
