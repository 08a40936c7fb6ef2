import { dataView } from '../../bytes/checked.js'
import type { ByteReader } from '../byte-reader.js'
import { damaged } from './damaged.js'
import { createXxhash32 } from './xxhash32.js'

/** How each of the two frames begins. */
export const LZ4_LEGACY_MAGIC = [0x02, 0x21, 0x4c, 0x18] as const
export const LZ4_MAGIC = [0x04, 0x22, 0x4d, 0x18] as const
/** Of what a block of the legacy frame holds. Only the last block may hold less. */
const LEGACY_BLOCK_BYTES = 8 * 1024 * 1024
/** How far back a match may reach, into blocks before its own where those are linked. */
const HISTORY_BYTES = 64 * 1024
const MIN_MATCH = 4

/**
 * Unpacks lz4 in both of its frames. The packages on npm read only the newer one, and it whole.
 *
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
export async function * unpackLz4 (reader: ByteReader): AsyncGenerator<Uint8Array> {
  const head = await reader.take(4)
  if (LZ4_LEGACY_MAGIC.every((byte, i) => head[i] === byte)) return yield * unpackLegacy(reader)
  if (!LZ4_MAGIC.every((byte, i) => head[i] === byte)) throw damaged('it does not start with the magic bytes of lz4')
  yield * unpackFrame(reader)
  while (LZ4_MAGIC.every(await startsWith(reader))) {
    await reader.skip(4)
    yield * unpackFrame(reader)
  }
}

async function startsWith (reader: ByteReader): Promise<(byte: number, i: number) => boolean> {
  const head = await reader.peek(4)
  return (byte, i) => head[i] === byte
}

/**
 * The legacy frame, which the kernel's build uses: blocks after each other, each with its packed size before it. Ends where no
 * plausible size follows, since the kernel's build appends the unpacked size.
 */
async function * unpackLegacy (reader: ByteReader): AsyncGenerator<Uint8Array> {
  for (let isFirst = true, isLast = false; !isLast; isFirst = false) {
    const word = await reader.peek(4)
    if (word.length < 4 && !isFirst) return
    await reader.skip(4)
    if (LZ4_LEGACY_MAGIC.every((byte, i) => word[i] === byte)) continue
    const size = dataView(word).getUint32(0, true)
    if (size === 0 || size > maxPackedBytes(LEGACY_BLOCK_BYTES)) throw damaged(`an lz4 block claims ${size} bytes`)
    const block = unpackBlock(await reader.take(size), NOTHING, LEGACY_BLOCK_BYTES)
    isLast = block.length < LEGACY_BLOCK_BYTES
    yield block
  }
}

/** Flags of a frame's first byte after the magic; the upper two bits are the version, 1. */
const IS_INDEPENDENT = 0x20
const HAS_BLOCK_CHECKSUM = 0x10
const HAS_SIZE = 0x08
const HAS_CHECKSUM = 0x04
const HAS_DICTIONARY = 0x01
/** In a block's size: the block is stored as it is. */
const IS_STORED = 0x80000000

async function * unpackFrame (reader: ByteReader): AsyncGenerator<Uint8Array> {
  const [flags = 0, sizes = 0] = await reader.take(2)
  const sizeCode = sizes >> 4
  if (flags >> 6 !== 1 || (flags & 2) !== 0 || sizeCode < 4 || sizeCode > 7 || (sizes & 0x8f) !== 0) {
    throw damaged('an lz4 frame header is malformed')
  }
  if ((flags & HAS_DICTIONARY) !== 0) throw damaged('an lz4 frame needs a dictionary, which the file does not contain')
  const size = (flags & HAS_SIZE) === 0 ? new Uint8Array(0) : await reader.take(8)
  const header = createXxhash32()
  header.update(Uint8Array.of(flags, sizes))
  header.update(size)
  if ((await reader.take(1))[0] !== (header.digest() >> 8 & 0xff)) throw damaged('the checksum of an lz4 frame header is wrong')

  const maxBytes = 2 ** (8 + 2 * sizeCode)
  const check = createXxhash32()
  let history: Uint8Array = NOTHING
  for (;;) {
    const word = dataView(await reader.take(4)).getUint32(0, true)
    if (word === 0) break
    const packedSize = word & 0x7fffffff
    if (packedSize > maxBytes) throw damaged(`an lz4 block claims ${packedSize} bytes`)
    const packed = await reader.take(packedSize)
    if ((flags & HAS_BLOCK_CHECKSUM) !== 0) await requireChecksum(reader, packed, 'block')
    const block = (word & IS_STORED) === 0 ? unpackBlock(packed, history, maxBytes) : packed
    if ((flags & IS_INDEPENDENT) === 0) history = Buffer.concat([history, block]).subarray(-HISTORY_BYTES)
    if ((flags & HAS_CHECKSUM) !== 0) check.update(block)
    yield block
  }
  if ((flags & HAS_CHECKSUM) !== 0 && dataView(await reader.take(4)).getUint32(0, true) !== check.digest()) {
    throw damaged('the decompressed data does not match the checksum that lz4 stored')
  }
}

async function requireChecksum (reader: ByteReader, bytes: Uint8Array, what: string): Promise<void> {
  const hash = createXxhash32()
  hash.update(bytes)
  if (dataView(await reader.take(4)).getUint32(0, true) !== hash.digest()) {
    throw damaged(`an lz4 ${what} does not match its stored checksum`)
  }
}

const NOTHING = new Uint8Array(0)

/** The most that lz4 takes for a block that does not pack. */
function maxPackedBytes (blockBytes: number): number { return blockBytes + Math.ceil(blockBytes / 255) + 16 }

/** A block is sequences: a token with two lengths, literals, and a match with what was written before. */
function unpackBlock (input: Uint8Array, history: Uint8Array, maxBytes: number): Uint8Array {
  const output = new Uint8Array(history.length + maxBytes)
  output.set(history)
  let at = 0
  let written = history.length
  const longLength = (length: number): number => {
    if (length < 15) return length
    for (;;) {
      const byte = input[at++]
      if (byte === undefined) throw damaged('an lz4 block ends within a length')
      length += byte
      if (byte < 255) return length
    }
  }
  while (at < input.length) {
    const token = input[at++] ?? 0
    const literals = longLength(token >> 4)
    if (at + literals > input.length || written + literals > output.length) throw damaged('lz4 literals go past their block')
    output.set(input.subarray(at, at + literals), written)
    at += literals
    written += literals
    if (at === input.length) break
    const distance = (input[at] ?? 0) | (input[at + 1] ?? 0) << 8
    at += 2
    const length = longLength(token & 15) + MIN_MATCH
    if (distance === 0 || distance > written || written + length > output.length) throw damaged('an lz4 match goes past its block')
    if (distance >= length) output.copyWithin(written, written - distance, written - distance + length)
    else for (let i = 0; i < length; i++) output[written + i] = output[written + i - distance] ?? 0
    written += length
  }
  return output.slice(history.length, written)
}
