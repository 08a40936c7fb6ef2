import { Readable } from 'node:stream'
import { crc32, createInflateRaw } from 'node:zlib'
import { dataView } from '../../bytes/checked.js'
import { endOfString } from '../../bytes/strings.js'
import { damaged } from './damaged.js'

const GZIP_MAGIC = [0x1f, 0x8b, 0x08] as const
const HAS_HEADER_CRC = 2
const HAS_EXTRA = 4
const HAS_NAME = 8
const HAS_COMMENT = 16
/** CRC-32 and size of what is in it. */
const TRAILER_SIZE = 8

/**
 * Unpacks gzip: any number of members. Bytes after the last one are left alone, which Node's own gunzip refuses.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1952
 */
export async function * unpackGzip (input: Uint8Array): AsyncGenerator<Uint8Array> {
  let at = 0
  do at = yield * unpackMember(input, at)
  while (GZIP_MAGIC.every((byte, i) => input[at + i] === byte))
}

async function * unpackMember (input: Uint8Array, start: number): AsyncGenerator<Uint8Array, number> {
  const body = endOfHeader(input, start)
  const inflate = createInflateRaw({ chunkSize: 256 * 1024 })
  let check = 0
  let size = 0
  try {
    for await (const piece of Readable.from([input.subarray(body)], { objectMode: false }).pipe(inflate)) {
      check = crc32(piece, check)
      size += piece.length
      yield piece
    }
  } catch (error) {
    throw damaged(`inflate says: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    inflate.destroy()
  }
  const end = body + inflate.bytesWritten
  if (end + TRAILER_SIZE > input.length) throw damaged('the gzip data ends before its checksum')
  const view = dataView(input)
  if (view.getUint32(end, true) !== check || view.getUint32(end + 4, true) !== size % 0x1_0000_0000) throw damaged('what was unpacked does not have the checksum that gzip stored')
  return end + TRAILER_SIZE
}

function endOfHeader (input: Uint8Array, start: number): number {
  if (!GZIP_MAGIC.every((byte, i) => input[start + i] === byte)) throw damaged('it does not begin as gzip does')
  const flags = input[start + 3] ?? 0
  let at = start + 10
  if ((flags & HAS_EXTRA) !== 0) at += 2 + ((input[at] ?? 0) | (input[at + 1] ?? 0) << 8)
  if ((flags & HAS_NAME) !== 0) at = endOfString(input, at) + 1
  if ((flags & HAS_COMMENT) !== 0) at = endOfString(input, at) + 1
  if ((flags & HAS_HEADER_CRC) !== 0) at += 2
  if (at > input.length) throw damaged('the gzip data ends within its header')
  return at
}
