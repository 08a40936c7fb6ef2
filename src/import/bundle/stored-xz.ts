import { crc32 } from 'node:zlib'
import { XZ_MAGIC } from '../../formats/xz-magic.js'

/** Check: CRC-32. */
const FLAGS = [0x00, 0x01]
/** Block header: 12 bytes; one filter, LZMA2, with a dictionary of 64 KiB. */
const BLOCK_HEADER = [0x02, 0x00, 0x21, 0x01, 0x08, 0x00, 0x00, 0x00]
const CHUNK_BYTES = 65_536

/**
 * An `.xz` file in which nothing is packed. A bundle is packed as a whole; its members are files of BTFHub's layout, which have to
 * be `.xz`, and no package for Node writes that without a compiler.
 *
 * @see https://tukaani.org/xz/xz-file-format.txt
 */
export function storedXz (content: Uint8Array): Buffer {
  const chunks: Buffer[] = []
  for (let at = 0; at < content.length; at += CHUNK_BYTES) {
    const chunk = content.subarray(at, at + CHUNK_BYTES)
    chunks.push(Buffer.from([at === 0 ? 1 : 2, (chunk.length - 1) >> 8, (chunk.length - 1) & 0xff]), Buffer.from(chunk))
  }
  const header = Buffer.from(BLOCK_HEADER)
  const body = Buffer.concat([header, word(crc32(header)), ...chunks, Buffer.from([0])])
  const unpadded = body.length + 4
  const block = Buffer.concat([body, padding(body.length), word(crc32(content))])

  const records = Buffer.concat([Buffer.from([0, 1]), number(unpadded), number(content.length)])
  const indexed = Buffer.concat([records, padding(records.length)])
  const index = Buffer.concat([indexed, word(crc32(indexed))])
  const footer = Buffer.concat([word(index.length / 4 - 1), Buffer.from(FLAGS)])
  return Buffer.concat([
    Buffer.from(XZ_MAGIC), Buffer.from(FLAGS), word(crc32(Buffer.from(FLAGS))),
    block,
    index,
    word(crc32(footer)), footer, Buffer.from('YZ')
  ])
}

function word (value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function padding (length: number): Buffer { return Buffer.alloc((4 - length % 4) % 4) }

/** Seven bits a byte, least significant first. */
function number (value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push(rest % 0x80 | 0x80)
  return Buffer.from([...bytes, rest])
}
