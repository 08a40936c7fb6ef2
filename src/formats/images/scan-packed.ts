import { dataView } from '../../bytes/checked.js'
import { BTF_MAGIC } from '../../btf/constants.js'
import { BTF_HEADER } from '../../btf/layout.js'
import type { Evidence } from '../../identity/evidence.js'
import { BOUNDS } from '../bounds.js'
import { detectCompression, unpack } from '../decompress/decompress.js'
import { findBanner } from './banner.js'
import { buildIdOfNotes } from '../../identity/build-id.js'
import { noteRanges } from './build-id.js'
import { elfArch } from './elf-kernel.js'
import { findX86Payload } from './kernel-image.js'
import { isKernelBtf, plausibleLength } from './scan-btf.js'

/** What was found on the way through a packed kernel. */
export interface ScannedKernel {
  /** Raw BTF, not validated further than that it is a kernel's. */
  readonly btf: Uint8Array
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
  readonly bytes: Uint8Array
  filled: number
}

/**
 * Looks for BTF, banner and build-id in the vmlinux of a bzImage while that is being unpacked, and ends when it has all three: the
 * whole of it has 70 MB, and what is wanted 5. What is found is what readFileOfKernel finds, which reads the table of sections at the end.
 *
 * @param onUnpacked called from time to time: what was unpacked before is garbage
 * @returns undefined where the image is of another form, or not everything was found
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function scanPackedKernel (image: Uint8Array, onUnpacked: () => void = () => {}): Promise<ScannedKernel | undefined> {
  const payload = findX86Payload(image)
  const compression = payload === undefined ? undefined : detectCompression(payload)
  if (payload === undefined || compression === undefined) return undefined
  const pieces = createWindow()
  let window = pieces.bytes
  let offset = 0
  let arch: string | undefined
  let notes: Range[] | undefined
  let banner: ReturnType<typeof findBanner>
  let btf: Uint8Array | undefined
  const candidates = new Map<number, Range>()
  let tried = 0
  let sinceStep = 0

  for await (const piece of unpack(compression, payload, BOUNDS.image)) {
    for (const range of [...notes ?? [], ...candidates.values()]) fill(range, piece, offset + window.length)
    window = pieces.push(piece)
    if (window.length < OVERLAP) continue
    if (notes === undefined) {
      arch = elfArch(window)
      if (arch === undefined) return undefined
      notes = noteRanges(window).map(({ start, size }) => ({ start, bytes: new Uint8Array(Math.min(size, OVERLAP)), filled: 0 }))
      for (const range of notes) fill(range, window, 0)
    }
    banner ??= bannerIn(window)
    for (const [start, range] of candidates) {
      if (range.filled < range.bytes.length) continue
      candidates.delete(start)
      if (isKernelBtf(range.bytes)) btf ??= range.bytes
    }
    const buildId = notes.every(({ bytes, filled }) => filled === bytes.length)
      ? notes.map(({ bytes }) => buildIdOfNotes(bytes)).find(id => id !== undefined)
      : undefined
    if (btf !== undefined && banner !== undefined && buildId !== undefined) return { btf, evidence: { arch, buildId, ...banner } }
    if (btf === undefined) {
      for (const start of headersIn(window)) {
        const length = plausibleLength(window, start, true, LARGEST_BTF)
        if (length === undefined || candidates.has(offset + start) || candidates.size === MOST_CANDIDATES || ++tried > MOST_TRIED) continue
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
  return undefined
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
