import { dataView } from '../../bytes/checked.js'
import { BTF_MAGIC } from '../../btf/constants.js'
import { BTF_HEADER } from '../../btf/layout.js'
import { AppError } from '../../errors.js'
import type { Evidence } from '../../identity/evidence.js'
import { BOUNDS } from '../bounds.js'
import { createByteReader } from '../byte-reader.js'
import { detectCompression, unpack } from '../decompress/decompress.js'
import { findBanner } from './banner.js'
import { buildIdOfNotes } from '../../identity/build-id.js'
import { noteRanges } from './build-id.js'
import { elfArch } from './elf-kernel.js'
import { findX86Payload } from './kernel-image.js'
import { isKernelBtf, plausibleLength } from './scan-btf.js'

/** What was found on the way through a packed kernel. */
export interface ScannedKernel {
  /** Raw BTF, not validated further than that it is a kernel's. Undefined where there is none. */
  readonly btf: Uint8Array<ArrayBuffer> | undefined
  readonly evidence: Evidence
}

/** What is looked at together of two pieces that follow each other: longer than a banner or a BTF header. */
const OVERLAP = 4096
const LONGEST_BANNER = 2048
const BANNER = Buffer.from('Linux version ')
const LARGEST_BTF = 64 * 1024 * 1024
/** Candidates that are gathered at once, and tried in all. */
const MOST_CANDIDATES = 4
const MOST_TRIED = 16
/** Bytes between two calls of `onUnpacked`. */
const STEP_BYTES = 1024 * 1024

interface Range {
  readonly start: number
  readonly bytes: Uint8Array<ArrayBuffer>
  filled: number
}

/**
 * Looks for BTF, banner and build-id in the vmlinux of a bzImage while that is being unpacked, and ends when it has all three: the
 * whole of it has 70 MB, and what is wanted 5. What is found is what readFileOfKernel finds, which reads the table of sections at the end.
 *
 * @param image in pieces, of which the first has all that comes before the vmlinux. They leave the list as they are read, since what is
 *   unpacked needs their room; where undefined is returned, all are still in it
 * @param onUnpacked called from time to time: what was read and unpacked before is garbage
 * @returns undefined where the image is of another form
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function scanPackedKernel (image: Uint8Array[], onUnpacked: () => void = () => {}): Promise<ScannedKernel | undefined> {
  const head = image[0] ?? new Uint8Array(0)
  const payload = findX86Payload(head, image.reduce((sum, { length }) => sum + length, 0))
  const compression = payload === undefined ? undefined : detectCompression(head.subarray(payload.start))
  if (payload === undefined || compression === undefined) return undefined
  return await scan(unpack(compression, createByteReader(takeOut(image, payload), 'kernel image'), BOUNDS.image), onUnpacked)
}

/** A part of what is in the list. Each piece leaves the list when it is its turn. */
async function * takeOut (
  pieces: Uint8Array[], { start, length }: { readonly start: number, readonly length: number }
): AsyncGenerator<Uint8Array> {
  let [passed, left] = [start, length]
  for (let piece = pieces.shift(); piece !== undefined && left > 0; piece = pieces.shift()) {
    const part = piece.subarray(passed, passed + left)
    passed = Math.max(0, passed - piece.length)
    left -= part.length
    if (part.length > 0) yield part
  }
}

async function scan (unpacked: AsyncIterable<Uint8Array>, onUnpacked: () => void): Promise<ScannedKernel> {
  const pieces = createWindow()
  let window = pieces.bytes
  let offset = 0
  let arch: string | undefined
  let notes: Range[] | undefined
  let banner: ReturnType<typeof findBanner>
  let buildId: string | undefined
  let btf: Uint8Array<ArrayBuffer> | undefined
  const candidates = new Map<number, Range>()
  let tried = 0
  let isPassedOver = false
  let sinceStep = 0

  /** Tries the candidates that are whole. */
  const settle = (): void => {
    for (const [start, range] of candidates) {
      if (range.filled < range.bytes.length) continue
      candidates.delete(start)
      if (isKernelBtf(range.bytes)) btf ??= range.bytes
    }
  }

  for await (const piece of unpacked) {
    for (const range of [...notes ?? [], ...candidates.values()]) fill(range, piece, offset + window.length)
    window = pieces.push(piece)
    if (window.length < OVERLAP) continue
    if (notes === undefined) {
      arch = elfArch(window)
      if (arch === undefined) throw new AppError('btf_invalid', 'The bzImage does not have an ELF file of a known machine in it.')
      notes = noteRanges(window).map(({ start, size }) => ({ start, bytes: new Uint8Array(Math.min(size, OVERLAP)), filled: 0 }))
      for (const range of notes) fill(range, window, 0)
    }
    banner ??= bannerIn(window)
    settle()
    if (notes.every(({ bytes, filled }) => filled === bytes.length)) {
      buildId ??= notes.map(({ bytes }) => buildIdOfNotes(bytes)).find(id => id !== undefined)
    }
    if (btf !== undefined && banner !== undefined && buildId !== undefined) return { btf, evidence: { arch, buildId, ...banner } }
    if (btf === undefined) {
      for (const start of headersIn(window)) {
        const length = plausibleLength(window, start, true, LARGEST_BTF)
        if (length === undefined || candidates.has(offset + start)) continue
        if (candidates.size === MOST_CANDIDATES || ++tried > MOST_TRIED) {
          isPassedOver = true
          continue
        }
        const range: Range = { start: offset + start, bytes: new Uint8Array(length), filled: 0 }
        fill(range, window, offset)
        candidates.set(range.start, range)
      }
    }
    offset += window.length - OVERLAP
    window = pieces.keep(OVERLAP)
    sinceStep += piece.length
    if (sinceStep > STEP_BYTES) {
      sinceStep = 0
      onUnpacked()
    }
  }
  settle()
  if (btf === undefined && isPassedOver) {
    throw new AppError('btf_invalid',
      `The kernel has more parts that look like BTF than are tried: ${MOST_CANDIDATES} at once, and ${MOST_TRIED} in all.`)
  }
  return { btf, evidence: { arch, buildId, ...banner } }
}

/** The last bytes of what came, in one buffer: two copies of each piece would be garbage of twice the kernel. */
function createWindow () {
  let room = Buffer.alloc(0)
  let length = 0
  return {
    get bytes (): Buffer { return room.subarray(0, length) },
    push (piece: Uint8Array): Buffer {
      if (length + piece.length > room.length) {
        const larger = Buffer.alloc(2 * (length + piece.length))
        room.copy(larger, 0, 0, length)
        room = larger
      }
      room.set(piece, length)
      length += piece.length
      return room.subarray(0, length)
    },
    /** All but the last bytes go. */
    keep (bytes: number): Buffer {
      room.copyWithin(0, length - bytes, length)
      length = bytes
      return room.subarray(0, length)
    }
  }
}

/** Takes what a range is still missing out of bytes that begin at an offset. */
function fill (range: Range, bytes: Uint8Array, offset: number): void {
  const from = range.start + range.filled - offset
  if (from < 0 || from >= bytes.length || range.filled === range.bytes.length) return
  const part = bytes.subarray(from, from + range.bytes.length - range.filled)
  range.bytes.set(part, range.filled)
  range.filled += part.length
}

function bannerIn (window: Buffer): ReturnType<typeof findBanner> {
  for (let at = window.indexOf(BANNER); at >= 0 && at + LONGEST_BANNER <= window.length; at = window.indexOf(BANNER, at + 1)) {
    const banner = findBanner(window.subarray(at, at + LONGEST_BANNER))
    if (banner !== undefined) return banner
  }
  return undefined
}

/** Where BTF may begin, with its header in the window. */
function headersIn (window: Buffer): number[] {
  const magic = Buffer.from([BTF_MAGIC & 0xff, BTF_MAGIC >> 8, 1, 0])
  const found: number[] = []
  const view = dataView(window)
  for (let at = window.indexOf(magic); at >= 0 && at + BTF_HEADER.MIN_SIZE <= window.length; at = window.indexOf(magic, at + 1)) {
    if (view.getUint32(at + BTF_HEADER.hdrLen, true) <= 64) found.push(at)
  }
  return found
}
