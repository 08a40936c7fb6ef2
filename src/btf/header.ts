import type { ByteOrder } from '../bytes/byte-order.js'
import { dataView } from '../bytes/checked.js'
import { AppError } from '../errors.js'
import type { Pages } from './btf.js'
import { BTF_MAGIC } from './constants.js'
import { BTF_HEADER } from './layout.js'

/** Where the parts of a BTF blob are. All in bytes from the start of the blob. */
export interface BtfHeader {
  readonly byteOrder: ByteOrder
  readonly typeStart: number
  readonly typeEnd: number
  readonly strStart: number
  readonly strLen: number
  readonly layoutStart: number
  /** 0 where there is no layout section. */
  readonly layoutLen: number
}

/** The byte order that the magic tells, or undefined where the bytes are neither BTF nor `.BTF.ext`. */
export function detectByteOrder (bytes: Uint8Array): ByteOrder | undefined {
  if (bytes.length < 2) return undefined
  const magic = dataView(bytes).getUint16(BTF_HEADER.magic, true)
  if (magic === BTF_MAGIC) return 'little'
  return magic === 0x9feb ? 'big' : undefined
}

/**
 * Reads and checks the header by libbpf 1.8's rules (btf_parse_hdr, btf_parse_str_sec, btf_parse_type_sec), with one addition:
 * `hdr_len` below 24 is refused in both byte orders.
 *
 * @param isSplit whether the BTF has a base, so that its own strings may be empty and need not start with a NUL
 * @param pages where not all of the bytes are there
 * @throws AppError `btf_invalid` with `offset` in bytes
 */
export function parseBtfHeader (bytes: Uint8Array, isSplit: boolean, pages?: Pages): BtfHeader {
  if (bytes.length < BTF_HEADER.MIN_SIZE) {
    throw invalid(`The BTF has ${bytes.length} bytes; its header alone has ${BTF_HEADER.MIN_SIZE}.`, 0)
  }
  pages?.bring(0, Math.min(bytes.length, BTF_HEADER.LAYOUT_SIZE))
  const byteOrder = detectByteOrder(bytes)
  if (byteOrder === undefined) throw invalid('The data is not BTF: it does not start with 9f eb or eb 9f.', 0)
  const littleEndian = byteOrder === 'little'
  const view = dataView(bytes)
  const word = (offset: number): number => view.getUint32(offset, littleEndian)

  const hdrLen = word(BTF_HEADER.hdrLen)
  if (hdrLen < BTF_HEADER.MIN_SIZE) {
    throw invalid(
      `The BTF header says that it has ${hdrLen} bytes; the shortest has ${BTF_HEADER.MIN_SIZE}.`,
      BTF_HEADER.hdrLen
    )
  }
  if (bytes.length < hdrLen) throw invalid(`The BTF header has ${hdrLen} bytes, but the data only ${bytes.length}.`, BTF_HEADER.hdrLen)
  const typeOff = word(BTF_HEADER.typeOff)
  const typeLen = word(BTF_HEADER.typeLen)
  const strOff = word(BTF_HEADER.strOff)
  const strLen = word(BTF_HEADER.strLen)
  const hasLayout = hdrLen >= BTF_HEADER.LAYOUT_SIZE
  const layoutOff = hasLayout ? word(BTF_HEADER.layoutOff) : 0
  const layoutLen = hasLayout ? word(BTF_HEADER.layoutLen) : 0

  if (bytes.length - hdrLen < strOff + strLen) {
    throw invalid(
      `The BTF strings end at ${hdrLen + strOff + strLen}, past the data of ${bytes.length} bytes.`,
      BTF_HEADER.strOff
    )
  }
  if (typeOff + typeLen > strOff) {
    throw invalid(
      `The BTF types end at ${typeOff + typeLen}, past the start of the strings at ${strOff}.`,
      BTF_HEADER.typeOff
    )
  }
  if (typeOff % 4 !== 0) throw invalid(`The BTF types start at ${typeOff}, which is not a multiple of 4.`, BTF_HEADER.typeOff)
  if (layoutLen !== 0) {
    const isPlaced = layoutOff % 4 === 0 && layoutLen % 4 === 0 && layoutOff >= typeOff + typeLen && layoutOff + layoutLen <= strOff
    if (!isPlaced) {
      throw invalid(
        `The BTF layout section (${layoutLen} bytes at ${layoutOff}) does not lie between the types and the strings.`,
        BTF_HEADER.layoutOff
      )
    }
  }

  const strStart = hdrLen + strOff
  checkStrings(bytes, strStart, strLen, isSplit, pages)
  return {
    byteOrder,
    typeStart: hdrLen + typeOff,
    typeEnd: hdrLen + typeOff + typeLen,
    strStart,
    strLen,
    layoutStart: hdrLen + layoutOff,
    layoutLen
  }
}

function checkStrings (bytes: Uint8Array, strStart: number, strLen: number, isSplit: boolean, pages: Pages | undefined): void {
  if (isSplit && strLen === 0) return
  if (strLen === 0) throw invalid('The BTF has no strings.', BTF_HEADER.strLen)
  if (strLen - 1 > 0x7fffffff) throw invalid(`The BTF has ${strLen} bytes of strings; at most 2147483648 are read.`, BTF_HEADER.strLen)
  for (const offset of [strStart, strStart + strLen - 1]) pages?.bring(offset, 1)
  if (bytes[strStart + strLen - 1] !== 0) throw invalid('The last BTF string does not end in a NUL byte.', strStart + strLen - 1)
  if (!isSplit && bytes[strStart] !== 0) {
    throw invalid('The first BTF string is not empty, so this is the BTF of a module. Give the vmlinux BTF first, which is its base.',
      strStart)
  }
}

function invalid (message: string, offset: number): AppError {
  return new AppError('btf_invalid', message, { offset })
}
