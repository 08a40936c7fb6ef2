import { dataView, isInside } from '../../bytes/checked.js'
import { AppError } from '../../errors.js'
import { BOUNDS } from '../bounds.js'
import { COMPRESSION_MAGICS, detectCompression, unpackWhole, type Compression } from '../decompress/decompress.js'
import { findBanner } from './banner.js'

/** A kernel as it is in memory once it runs: ELF, or an image without sections. */
export interface UnpackedImage {
  readonly bytes: Uint8Array
  /** As far as the image's own header tells: BTFHub's name. */
  readonly arch: string | undefined
}

type Format = 'x86' | 'zboot' | 'arm64' | 'riscv64' | 'arm' | 's390x'

/** What kind of bootable kernel image the bytes are; undefined for anything else. */
export function detectKernelImage (bytes: Uint8Array): Format | undefined {
  const text = (start: number, end: number): string => Buffer.from(bytes.subarray(start, end)).toString('latin1')
  if (text(0x202, 0x206) === 'HdrS') return 'x86'
  if (text(0, 2) === 'MZ' && text(4, 8) === 'zimg') return 'zboot'
  if (text(0x38, 0x3c) === 'ARM\x64') return 'arm64'
  if (text(0x30, 0x35) === 'RISCV' || text(0x38, 0x3c) === 'RSC\x05') return 'riscv64'
  if (['\x18\x28\x6f\x01', '\x01\x6f\x28\x18'].includes(text(0x24, 0x28))) return 'arm'
  if (text(0x10008, 0x1000e) === 'S390EP') return 's390x'
  return undefined
}

/**
 * Unpacks a bootable kernel image. Where its header says what is packed and where, that is believed and nothing else; otherwise
 * (arm, s390x, old x86) the first part counts that unpacks to something with a kernel's banner.
 *
 * @param maxBytes of what it unpacks to
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function unpackKernelImage (image: Uint8Array, format: Format, maxBytes: number = BOUNDS.image): Promise<UnpackedImage> {
  switch (format) {
    case 'x86': return { bytes: await unpackX86(image, maxBytes), arch: undefined } // 32 or 64 bits: what is inside tells
    case 'zboot': return await unpackZboot(image, maxBytes)
    case 'arm64': case 'riscv64': return { bytes: image, arch: format }
    case 'arm': case 's390x': return { bytes: await searchPayload(image, maxBytes), arch: format }
    default: return format satisfies never
  }
}

/** @see https://docs.kernel.org/arch/x86/boot.html: payload_offset and payload_length count from the end of the setup sectors */
const X86_SETUP = { setupSects: 0x1f1, version: 0x206, payloadOffset: 0x248, payloadLength: 0x24c, END: 0x250 } as const
const X86_WITH_PAYLOAD = 0x208

/**
 * Where the packed vmlinux is in a bzImage whose header says so; undefined for any other image.
 *
 * @param head the first bytes of the image, which has `size` bytes in all
 * @returns in bytes
 */
export function findX86Payload (
  head: Uint8Array, size: number
): { readonly start: number, readonly length: number } | undefined {
  if (detectKernelImage(head) !== 'x86' || head.length < X86_SETUP.END) return undefined
  const view = dataView(head)
  if (view.getUint16(X86_SETUP.version, true) < X86_WITH_PAYLOAD) return undefined
  const start = ((view.getUint8(X86_SETUP.setupSects) || 4) + 1) * 512 + view.getUint32(X86_SETUP.payloadOffset, true)
  const length = view.getUint32(X86_SETUP.payloadLength, true)
  return length > 0 && isInside(start, length, size) ? { start, length } : undefined
}

async function unpackX86 (image: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  if (image.length < X86_SETUP.END) throw invalid('The bzImage ends within its header.')
  const view = dataView(image)
  if (view.getUint16(X86_SETUP.version, true) < X86_WITH_PAYLOAD) return await searchPayload(image, maxBytes)
  const sectors = view.getUint8(X86_SETUP.setupSects) || 4
  const start = (sectors + 1) * 512 + view.getUint32(X86_SETUP.payloadOffset, true)
  const length = view.getUint32(X86_SETUP.payloadLength, true)
  return await unpackPayload(image, start, length, 'bzImage', maxBytes)
}

/** @see drivers/firmware/efi/libstub/zboot-header.S: "MZ", "zimg", payload offset and size, and what packs it as text */
const ZBOOT = { payloadOffset: 8, payloadSize: 12, END: 0x40 } as const

async function unpackZboot (image: Uint8Array, maxBytes: number): Promise<UnpackedImage> {
  if (image.length < ZBOOT.END) throw invalid('The EFI zboot image ends within its header.')
  const view = dataView(image)
  const start = view.getUint32(ZBOOT.payloadOffset, true)
  const length = view.getUint32(ZBOOT.payloadSize, true)
  const bytes = await unpackPayload(image, start, length, 'EFI zboot image', maxBytes)
  const inner = detectKernelImage(bytes)
  return { bytes, arch: inner === 'arm64' || inner === 'riscv64' ? inner : undefined }
}

async function unpackPayload (image: Uint8Array, start: number, length: number, what: string, maxBytes: number): Promise<Uint8Array> {
  if (length === 0 || !isInside(start, length, image.length)) {
    throw invalid(`The ${what} says that its kernel is at ${start} with ${length} bytes, but the image has ${image.length}.`)
  }
  const payload = image.subarray(start, start + length)
  const compression = detectCompression(payload)
  if (compression === undefined) {
    const head = Buffer.from(payload.subarray(0, 8)).toString('hex')
    throw invalid(`The kernel in the ${what} has an unknown compression: it starts with ${head}.`)
  }
  return await unpackWhole(compression, payload, maxBytes)
}

async function searchPayload (image: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  let damage: unknown
  for (const { compression, start } of findPayloads(image)) {
    try {
      const bytes = await unpackWhole(compression, image.subarray(start), maxBytes)
      if (findBanner(bytes) !== undefined) return bytes
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      damage ??= error
    }
  }
  throw new AppError('btf_invalid', 'The image has no kernel: no part of it decompresses to one.', {}, { cause: damage })
}

/** Where packed data may begin, by its first bytes, in the order of the image. */
function findPayloads (image: Uint8Array): Array<{ compression: Compression, start: number }> {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength)
  const found: Array<{ compression: Compression, start: number }> = []
  for (const [compression, magic] of COMPRESSION_MAGICS) {
    const pattern = Buffer.from(magic)
    let count = 0
    for (let start = bytes.indexOf(pattern); start >= 0 && count < BOUNDS.payloads; start = bytes.indexOf(pattern, start + 1)) {
      if (!isPlausible(compression, bytes, start)) continue
      found.push({ compression, start })
      count++
    }
  }
  return found.sort((a, b) => a.start - b.start).slice(0, BOUNDS.payloads)
}

/** What must follow a magic of three bytes, which comes up by chance. */
function isPlausible (compression: Compression, bytes: Buffer, start: number): boolean {
  if (compression === 'bzip2') return bytes.toString('latin1', start + 4, start + 10) === '1AY&SY'
  if (compression === 'gzip') return ((bytes[start + 3] ?? 0xff) & 0xe0) === 0
  if (compression !== 'lzma') return true
  const dictionary = bytes.length >= start + 14 ? bytes.readUInt32LE(start + 1) : 0
  const size = bytes.length >= start + 14 ? bytes.readBigUInt64LE(start + 5) : 0n
  const isPowerOfTwo = dictionary >= 0x10000 && (dictionary & (dictionary - 1)) === 0
  return isPowerOfTwo && bytes[start + 13] === 0 && (size === 0xffffffffffffffffn || (size > 0n && size <= BigInt(BOUNDS.image)))
}

function invalid (message: string): AppError { return new AppError('btf_invalid', message) }
