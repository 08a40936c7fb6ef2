import { crc32 } from 'node:zlib'
import { dataView } from '../../bytes/checked.js'
import { damaged } from './damaged.js'
import { unpackLzo1x } from './lzo1x.js'

export const LZOP_MAGIC = [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a] as const

/** From this version on the header has a level and the upper half of a time. */
const LONGER_HEADER = 0x0940
const HAS_FILTER = 0x800
/** Which checksums stand before a block: of what it holds (D), and of its packed bytes (C), where it is packed at all. */
const ADLER32_D = 0x1
const ADLER32_C = 0x2
const CRC32_D = 0x100
const CRC32_C = 0x200
/** lzop takes blocks of 256 KiB, and reads at most these. */
const MAX_BLOCK_BYTES = 64 * 1024 * 1024

/** Unpacks what `lzop` makes. Bytes after the end mark are left alone. @see lib/decompress_unlzo.c of the kernel */
export function * unpackLzo (input: Uint8Array): Generator<Uint8Array> {
  const view = dataView(input)
  const requireBytes = (end: number): void => {
    if (end > input.length) throw damaged('the lzo data ends too early')
  }
  requireBytes(30)
  const isLong = view.getUint16(9) >= LONGER_HEADER
  let at = isLong ? 17 : 14 // magic, version, library version, (version needed,) method, (level)
  const flags = view.getUint32(at)
  at += 4 + ((flags & HAS_FILTER) === 0 ? 0 : 4) + 8 + (isLong ? 4 : 0) // mode and time
  requireBytes(at + 1)
  at += 1 + view.getUint8(at) + 4 // name, checksum of the header

  for (;;) {
    requireBytes(at + 4)
    const size = view.getUint32(at)
    if (size === 0) return
    requireBytes(at + 8)
    const packedSize = view.getUint32(at + 4)
    at += 8
    if (size > MAX_BLOCK_BYTES || packedSize > size) {
      throw damaged(`an lzo block claims ${packedSize} bytes compressed and ${size} decompressed`)
    }
    const checksums = [flags & ADLER32_D, flags & CRC32_D, packedSize < size && flags & ADLER32_C, packedSize < size && flags & CRC32_C]
    const stored = at
    at += 4 * checksums.filter(Boolean).length
    requireBytes(at + packedSize)
    const packed = input.subarray(at, at + packedSize)
    const block = packedSize === size ? packed : unpackLzo1x(packed, size)
    if ((flags & ADLER32_D) !== 0 && view.getUint32(stored) !== adler32(block)) {
      throw damaged('an lzo block does not match its stored checksum')
    }
    if ((flags & CRC32_D) !== 0 && view.getUint32(stored + ((flags & ADLER32_D) === 0 ? 0 : 4)) !== crc32(block)) {
      throw damaged('an lzo block does not match its stored CRC')
    }
    at += packedSize
    yield block
  }
}

function adler32 (bytes: Uint8Array): number {
  let a = 1
  let b = 0
  for (const byte of bytes) {
    a = (a + byte) % 65_521
    b = (b + a) % 65_521
  }
  return (b << 16 | a) >>> 0
}
