import { crc32 } from 'node:zlib'
import { dataView } from '../../bytes/checked.js'
import type { ByteReader } from '../byte-reader.js'
import { isXz, XZ_MAGIC } from '../xz-magic.js'
import { branchFilter, type BranchFilter } from './branch-filter.js'
import { crc32Checksum, crc64Checksum, sha256Checksum, type Checksum } from './checksum.js'
import { damaged } from './damaged.js'
import { MAX_DICTIONARY_BYTES } from './lzma.js'
import { unpackLzma2 } from './lzma2.js'

/** Of the header (magic, flags, CRC-32) and of the footer (CRC-32, index size, flags, magic). */
const STREAM_EDGE_SIZE = 12
const FILTER_LZMA2 = 0x21
/** Blocks of one stream. `xz -T` begins one every 24 MiB. */
const MAX_BLOCKS = 65_536

interface Check {
  /** Bytes. */
  readonly size: number
  readonly start: () => Checksum
}

const CHECKS: Readonly<Record<number, Check | undefined>> = {
  0: { size: 0, start: () => ({ update () {}, digest: () => new Uint8Array(0) }) },
  1: { size: 4, start: crc32Checksum },
  4: { size: 8, start: crc64Checksum },
  10: { size: 32, start: sha256Checksum }
}

/**
 * Unpacks `.xz`: any number of streams of any number of blocks, with checks, branch filters and large dictionaries, as kernel
 * images have them. Bytes after the last stream are left alone.
 *
 * @see https://tukaani.org/xz/xz-file-format.txt
 */
export async function * unpackXz (reader: ByteReader): AsyncGenerator<Uint8Array> {
  do {
    yield * unpackStream(reader)
    while (isPadding(await reader.peek(4))) await reader.skip(4)
  } while (isXz(await reader.peek(XZ_MAGIC.length)))
}

/** Streams may be padded, in steps of four zeros. */
function isPadding (word: Uint8Array): boolean { return word.length === 4 && word.every(byte => byte === 0) }

interface BlockSizes {
  readonly unpadded: number
  readonly unpacked: number
}

async function * unpackStream (reader: ByteReader): AsyncGenerator<Uint8Array> {
  const header = await reader.take(STREAM_EDGE_SIZE)
  if (!isXz(header)) throw damaged('it does not start with the magic bytes of xz')
  const flags = dataView(header).getUint16(6)
  if (dataView(header).getUint32(8, true) !== crc32(header.subarray(6, 8))) throw damaged("the xz header's CRC is wrong")
  const check = CHECKS[flags]
  if (check === undefined) throw damaged(`the xz stream flags ${flags.toString(16)} are unknown`)

  const blocks: BlockSizes[] = []
  for (;;) {
    const [size = 0] = await reader.take(1)
    if (size === 0) break
    if (blocks.length === MAX_BLOCKS) throw damaged(`an xz stream has more than ${MAX_BLOCKS} blocks`)
    blocks.push(yield * unpackBlock(reader, size, check))
  }
  const indexSize = await checkIndex(reader, blocks)
  const footer = await reader.take(STREAM_EDGE_SIZE)
  const view = dataView(footer)
  const isFooter = view.getUint32(0, true) === crc32(footer.subarray(4, 10)) &&
    (view.getUint32(4, true) + 1) * 4 === indexSize && view.getUint16(8) === flags && view.getUint16(10) === 0x595a
  if (!isFooter) throw damaged('the xz footer does not fit its stream')
}

async function * unpackBlock (reader: ByteReader, sizeByte: number, check: Check): AsyncGenerator<Uint8Array, BlockSizes> {
  const start = reader.consumed - 1
  const header = await readBlockHeader(reader, sizeByte)
  const dataStart = reader.consumed
  const checksum = check.start()
  let unpacked = 0
  const settle = (piece: Uint8Array): Uint8Array => {
    unpacked += piece.length
    if (header.unpacked !== undefined && unpacked > header.unpacked) throw damaged('an xz block decompresses to more than its header says')
    checksum.update(piece)
    return piece
  }
  for await (const chunk of unpackLzma2(reader, header.dictionaryBytes)) {
    const piece = header.filter === undefined ? chunk : header.filter.update(chunk)
    if (piece.length > 0) yield settle(piece)
  }
  const rest = header.filter?.finish()
  if (rest !== undefined && rest.length > 0) yield settle(rest)

  const packed = reader.consumed - dataStart
  const size = reader.consumed - start
  await reader.skip((4 - size % 4) % 4)
  const stored = await reader.take(check.size)
  if (header.packed !== undefined && header.packed !== packed) throw damaged('an xz block does not have the compressed size in its header')
  if (header.unpacked !== undefined && header.unpacked !== unpacked) throw damaged('an xz block decompresses to less than its header says')
  if (Buffer.compare(checksum.digest(), stored) !== 0) throw damaged('the decompressed data does not match the checksum that xz stored')
  return { unpadded: size + check.size, unpacked }
}

interface BlockHeader {
  readonly dictionaryBytes: number
  readonly filter: BranchFilter | undefined
  readonly packed: number | undefined
  readonly unpacked: number | undefined
}

async function readBlockHeader (reader: ByteReader, sizeByte: number): Promise<BlockHeader> {
  const fields = Buffer.concat([Uint8Array.of(sizeByte), await reader.take(sizeByte * 4 + 3)])
  const end = fields.length - 4
  if (fields.readUInt32LE(end) !== crc32(fields.subarray(0, end))) throw damaged("an xz block header's CRC is wrong")
  const flags = fields[1] ?? 0
  if ((flags & 0x3c) !== 0) throw damaged('an xz block header has unknown flags')
  let at = 2
  const number = (): number => {
    const read = readNumber(fields.subarray(0, end), at)
    at = read.end
    return read.value
  }
  const packed = (flags & 0x40) === 0 ? undefined : number()
  const unpacked = (flags & 0x80) === 0 ? undefined : number()
  let filter: BranchFilter | undefined
  let dictionaryBytes: number | undefined
  for (let i = 0; i <= (flags & 3); i++) {
    const id = number()
    const size = number()
    if (id === FILTER_LZMA2) {
      if (size !== 1 || i !== (flags & 3)) throw damaged('LZMA2 is not the last filter of an xz block')
      dictionaryBytes = dictionarySize(fields[at] ?? 0xff)
    } else {
      if (filter !== undefined || size !== 0) {
        throw damaged('an xz block has more than one branch filter, or one with an offset, which kernels do not use')
      }
      filter = branchFilter(id)
      if (filter === undefined) throw damaged(`the xz filter ${id} is unknown`)
    }
    at += size
  }
  if (dictionaryBytes === undefined || at > end) throw damaged('an xz block header does not name LZMA2')
  return { dictionaryBytes, filter, packed, unpacked }
}

/** 2 or 3 times a power of two; 40 stands for 4 GiB - 1. */
function dictionarySize (code: number): number {
  const bytes = code > 40 ? Infinity : (2 | code & 1) * 2 ** (Math.floor(code / 2) + 11)
  if (bytes > MAX_DICTIONARY_BYTES) throw damaged(`it needs a dictionary of ${bytes} bytes; at most ${MAX_DICTIONARY_BYTES} are allowed`)
  return bytes
}

/** The index repeats the sizes of all blocks. Its first byte, a zero, has been read. @returns its bytes */
async function checkIndex (reader: ByteReader, blocks: readonly BlockSizes[]): Promise<number> {
  const read: number[] = [0]
  const number = async (): Promise<number> => {
    const { value, end } = readNumber(await reader.peek(MAX_NUMBER_BYTES), 0)
    read.push(...await reader.take(end))
    return value
  }
  const wrong = (): Error => damaged('the xz index does not fit its blocks')
  if (await number() !== blocks.length) throw wrong()
  for (const block of blocks) if (await number() !== block.unpadded || await number() !== block.unpacked) throw wrong()
  read.push(...await reader.take((4 - read.length % 4) % 4))
  if (dataView(await reader.take(4)).getUint32(0, true) !== crc32(Uint8Array.from(read))) throw damaged("the xz index's CRC is wrong")
  return read.length + 4
}

const MAX_NUMBER_BYTES = 9

/** Seven bits a byte, least significant first; the top bit says that more follow. Nine bytes at most. */
function readNumber (bytes: Uint8Array, start: number): { value: number, end: number } {
  let value = 0
  for (let i = 0; i < MAX_NUMBER_BYTES; i++) {
    const byte = bytes[start + i]
    if (byte === undefined) throw damaged('the xz data ends within a number')
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return { value, end: start + i + 1 }
  }
  throw damaged('a number in the xz data is longer than nine bytes')
}
