import { crc32 } from 'node:zlib'
import { dataView } from '../../bytes/checked.js'
import { isXz } from '../xz-magic.js'
import { branchFilter, type BranchFilter } from './branch-filter.js'
import { crc32Checksum, crc64Checksum, sha256Checksum, type Checksum } from './checksum.js'
import { damaged } from './damaged.js'
import { MAX_DICTIONARY_BYTES } from './lzma.js'
import { unpackLzma2 } from './lzma2.js'

/** Of the header (magic, flags, CRC-32) and of the footer (CRC-32, index size, flags, magic). */
export const STREAM_EDGE_SIZE = 12
const FILTER_LZMA2 = 0x21

export const XZ_CHECKS: Readonly<Record<number, { readonly size: number, readonly start: () => Checksum } | undefined>> = {
  0: { size: 0, start: () => ({ update () {}, digest: () => new Uint8Array(0) }) },
  1: { size: 4, start: crc32Checksum },
  4: { size: 8, start: crc64Checksum },
  10: { size: 32, start: sha256Checksum }
}

/**
 * Unpacks `.xz`: any number of streams of any number of blocks, with checks. Bytes after the last stream are left alone.
 *
 * Not xz-decompress, which takes no branch filter, no dictionary above 64 MiB and no SHA-256: kernel images use the first two.
 *
 * @see https://tukaani.org/xz/xz-file-format.txt
 */
export function * unpackXz (input: Uint8Array): Generator<Uint8Array> {
  let at = yield * unpackStream(input, 0)
  for (;;) {
    let next = at
    while (input[next] === 0) next++ // streams may be padded, in steps of four zeros
    if ((next - at) % 4 !== 0 || !isXz(input, next)) return
    at = yield * unpackStream(input, next)
  }
}

interface BlockSizes {
  readonly unpadded: number
  readonly unpacked: number
}

function * unpackStream (input: Uint8Array, start: number): Generator<Uint8Array, number> {
  if (input.length - start < 2 * STREAM_EDGE_SIZE) throw damaged('the xz stream ends within its header')
  if (!isXz(input, start)) throw damaged('it does not begin as xz does')
  const view = dataView(input)
  const flags = view.getUint16(start + 6)
  if (view.getUint32(start + 8, true) !== crc32(input.subarray(start + 6, start + 8))) throw damaged("the xz header's CRC is wrong")
  const check = XZ_CHECKS[flags]
  if (check === undefined) throw damaged(`xz stream flags ${flags.toString(16)} are not known`)

  const blocks: BlockSizes[] = []
  let at = start + STREAM_EDGE_SIZE
  while ((input[at] ?? 0) !== 0) {
    const block = yield * unpackBlock(input, at, check)
    blocks.push(block.sizes)
    at = block.end
  }
  const end = checkIndex(input, at, blocks)
  if (end + STREAM_EDGE_SIZE > input.length) throw damaged('the xz stream ends before its footer')
  const isFooter = view.getUint32(end, true) === crc32(input.subarray(end + 4, end + 10)) &&
    (view.getUint32(end + 4, true) + 1) * 4 === end - at && view.getUint16(end + 8) === flags && view.getUint16(end + 10) === 0x595a
  if (!isFooter) throw damaged('the xz footer does not fit its stream')
  return end + STREAM_EDGE_SIZE
}

function * unpackBlock (input: Uint8Array, start: number, check: { readonly size: number, readonly start: () => Checksum }): Generator<Uint8Array, { sizes: BlockSizes, end: number }> {
  const header = readBlockHeader(input, start)
  const checksum = check.start()
  let unpacked = 0
  const settle = (piece: Uint8Array): Uint8Array => {
    unpacked += piece.length
    if (header.unpacked !== undefined && unpacked > header.unpacked) throw damaged('an xz block holds more than it says')
    checksum.update(piece)
    return piece
  }
  const pieces = unpackLzma2(input, header.end, header.dictionaryBytes)
  let next = pieces.next()
  for (; next.done !== true; next = pieces.next()) {
    const piece = header.filter === undefined ? next.value : header.filter.update(next.value)
    if (piece.length > 0) yield settle(piece)
  }
  const rest = header.filter?.finish()
  if (rest !== undefined && rest.length > 0) yield settle(rest)

  const packedEnd = next.value
  const padded = packedEnd + (4 - (packedEnd - start) % 4) % 4
  const end = padded + check.size
  if (end > input.length) throw damaged('the xz data ends within the check of a block')
  if (header.packed !== undefined && header.packed !== packedEnd - header.end) throw damaged('an xz block takes another room than it says')
  if (header.unpacked !== undefined && header.unpacked !== unpacked) throw damaged('an xz block holds less than it says')
  if (Buffer.compare(checksum.digest(), input.subarray(padded, end)) !== 0) throw damaged('what was unpacked does not have the checksum that xz stored')
  return { sizes: { unpadded: packedEnd - start + check.size, unpacked }, end }
}

export interface BlockHeader {
  readonly end: number
  readonly dictionaryBytes: number
  readonly filter: BranchFilter | undefined
  readonly packed: number | undefined
  readonly unpacked: number | undefined
}

export function readBlockHeader (input: Uint8Array, start: number): BlockHeader {
  const end = start + ((input[start] ?? 0) + 1) * 4
  if (end > input.length) throw damaged('the xz data ends within a block header')
  const fields = input.subarray(0, end - 4)
  if (dataView(input).getUint32(end - 4, true) !== crc32(input.subarray(start, end - 4))) throw damaged("an xz block header's CRC is wrong")
  const flags = fields[start + 1] ?? 0
  if ((flags & 0x3c) !== 0) throw damaged('an xz block header has flags that are not known')
  let at = start + 2
  const number = (): number => {
    const read = readNumber(fields, at)
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
      if (filter !== undefined || size !== 0) throw damaged('an xz block has more than one branch filter, or one with an offset, which kernels do not use')
      filter = branchFilter(id)
      if (filter === undefined) throw damaged(`xz filter ${id} is not known`)
    }
    at += size
  }
  if (dictionaryBytes === undefined || at > end - 4) throw damaged('an xz block header does not name LZMA2')
  return { end, dictionaryBytes, filter, packed, unpacked }
}

/** 2 or 3 times a power of two; 40 stands for 4 GiB - 1. */
function dictionarySize (code: number): number {
  const bytes = code > 40 ? Infinity : (2 | code & 1) * 2 ** (Math.floor(code / 2) + 11)
  if (bytes > MAX_DICTIONARY_BYTES) throw damaged(`it asks for a dictionary of ${bytes} bytes; at most ${MAX_DICTIONARY_BYTES} are given`)
  return bytes
}

/** The index repeats the sizes of all blocks. @returns where it ends */
function checkIndex (input: Uint8Array, start: number, blocks: readonly BlockSizes[]): number {
  let at = start + 1
  const number = (): number => {
    const read = readNumber(input, at)
    at = read.end
    return read.value
  }
  const isEqual = number() === blocks.length && blocks.every(block => number() === block.unpadded && number() === block.unpacked)
  if (!isEqual) throw damaged('the xz index does not fit its blocks')
  at += (4 - (at - start) % 4) % 4
  if (at + 4 > input.length || dataView(input).getUint32(at, true) !== crc32(input.subarray(start, at))) throw damaged("the xz index's CRC is wrong")
  return at + 4
}

/** Seven bits a byte, least significant first; the top bit says that more follow. Nine bytes at most. */
function readNumber (bytes: Uint8Array, start: number): { value: number, end: number } {
  let value = 0
  for (let i = 0; i < 9; i++) {
    const byte = bytes[start + i]
    if (byte === undefined) throw damaged('the xz data ends within a number')
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return { value, end: start + i + 1 }
  }
  throw damaged('a number in the xz data is longer than nine bytes')
}
