import { dataView } from '../../bytes/checked.js'

/**
 * Undoes a branch filter ("BCJ"): before packing, relative branch targets were made absolute, which packs better. The kernel's
 * build filters its image for the architecture it is for.
 *
 * Rules after xz-embedded (public domain). @see https://tukaani.org/xz/xz-file-format.txt, 5.3.2
 */
export interface BranchFilter {
  /** Gives the bytes that are settled by now; a few last ones may wait for what follows. Changes the array it is given. */
  update(bytes: Uint8Array): Uint8Array
  /** What was waiting: it is as it should be. */
  finish(): Uint8Array
}

/**
 * Converts instructions in place, as many as are whole; gives the number of bytes that are settled. `position` is that of the first
 * byte.
 */
type Convert = (bytes: Uint8Array, position: number) => number

/** The filter of that number in a `.xz` block header; undefined where it is none that we know. */
export function branchFilter (id: number): BranchFilter | undefined {
  const convert = converterOf(id)
  if (convert === undefined) return undefined
  let waiting = new Uint8Array(0)
  let position = 0
  return {
    update (piece) {
      let bytes = piece
      if (waiting.length > 0) {
        bytes = new Uint8Array(waiting.length + piece.length)
        bytes.set(waiting)
        bytes.set(piece, waiting.length)
      }
      const settled = convert(bytes, position)
      position += settled
      waiting = bytes.slice(settled)
      return bytes.subarray(0, settled)
    },
    finish: () => waiting
  }
}

function converterOf (id: number): Convert | undefined {
  switch (id) {
    case 0x04: return x86()
    case 0x05: return eachWord(powerpc, false)
    case 0x07: return eachWord(arm, true)
    case 0x08: return armThumb
    case 0x0a: return eachWord(arm64, true)
    default: return undefined
  }
}

/** Architectures whose instructions are words of 4 bytes. */
function eachWord (convert: (word: number, position: number) => number, littleEndian: boolean): Convert {
  return (bytes, position) => {
    const view = dataView(bytes)
    const settled = bytes.length - bytes.length % 4
    for (let i = 0; i < settled; i += 4) {
      const word = view.getUint32(i, littleEndian)
      const converted = convert(word, position + i)
      if (converted !== word) view.setUint32(i, converted, littleEndian)
    }
    return settled
  }
}

/** bl: 0x48000001 with a 24-bit word offset in the middle. */
function powerpc (word: number, position: number): number {
  return ((word & 0xfc000003) >>> 0) === 0x48000001 ? (0x48000001 | ((word & 0x03fffffc) - position) & 0x03fffffc) >>> 0 : word
}

/** bl: 0xeb and a 24-bit word offset, counted from 8 bytes on. */
function arm (word: number, position: number): number {
  return word >>> 24 === 0xeb ? (0xeb000000 | (((word & 0xffffff) << 2) - (position + 8)) >>> 2 & 0xffffff) >>> 0 : word
}

/** bl: 0x94000000 and a 26-bit word offset; adrp: a 21-bit page offset in two parts, filtered within 512 MiB only. */
function arm64 (word: number, position: number): number {
  if (word >>> 26 === 0x25) return (0x94000000 | (word - (position >>> 2)) & 0x03ffffff) >>> 0
  if (((word & 0x9f000000) >>> 0) !== 0x90000000) return word
  const page = (word >>> 29 & 3) | (word >>> 3 & 0x1ffffc)
  if (((page + 0x020000) & 0x1c0000) !== 0) return word
  const relative = page - (position >>> 12)
  return ((word & 0x9000001f) | (relative & 3) << 29 | (relative & 0x03fffc) << 3 | -(relative & 0x020000) & 0xe00000) >>> 0
}

/** bl is two halfwords, each with 11 bits of the offset. */
function armThumb (bytes: Uint8Array, position: number): number {
  let i = 0
  for (; i + 4 <= bytes.length; i += 2) {
    const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = bytes.subarray(i, i + 4)
    if ((b1 & 0xf8) !== 0xf0 || (b3 & 0xf8) !== 0xf8) continue
    const target = (b1 & 7) << 19 | b0 << 11 | (b3 & 7) << 8 | b2
    const relative = ((target << 1) - (position + i + 4)) >>> 1
    bytes.set([relative >>> 11 & 0xff, 0xf0 | relative >>> 19 & 7, relative & 0xff, 0xf8 | relative >>> 8 & 7], i)
    i += 2
  }
  return i
}

/** Which histories of opcode bytes just before allow a conversion, and at which byte the number is looked at again. */
const ALLOWED = [true, true, true, false, true, false, false, false] as const
const BIT_NUMBER = [0, 1, 2, 2, 3, 3, 3, 3] as const

/** call and jmp (e8, e9) with a 32-bit offset, which counts from the next instruction. */
function x86 (): Convert {
  let history = 0
  return (bytes, position) => {
    const view = dataView(bytes)
    const end = bytes.length - 4
    let last = -1
    let i = 0
    for (; i < end; i++) {
      if (((bytes[i] ?? 0) & 0xfe) !== 0xe8) continue
      const gap = i - last
      last = i
      if (gap > 3) {
        history = 0
      } else {
        history = history << (gap - 1) & 7
        if (history !== 0 && (ALLOWED[history] === false || isSignByte(bytes[i + 4 - (BIT_NUMBER[history] ?? 0)]))) {
          history = history << 1 | 1
          continue
        }
      }
      if (!isSignByte(bytes[i + 4])) {
        history = history << 1 | 1
        continue
      }
      let source = view.getInt32(i + 1, true)
      let target: number
      for (;;) {
        target = source - (position + i + 5) | 0
        if (history === 0) break
        const shift = (BIT_NUMBER[history] ?? 0) * 8
        if (!isSignByte(target >>> (24 - shift) & 0xff)) break
        source = target ^ (2 ** (32 - shift) - 1)
      }
      view.setInt32(i + 1, target << 7 >> 7, true)
      i += 4
    }
    i = Math.max(i, 0)
    const gap = i - last
    history = gap > 3 ? 0 : history << (gap - 1)
    return Math.min(i, bytes.length)
  }
}

function isSignByte (byte: number | undefined): boolean { return byte === 0 || byte === 0xff }
