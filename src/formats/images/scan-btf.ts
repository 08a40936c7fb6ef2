import { dataView } from '../../bytes/checked.js'
import { BTF_MAGIC, BtfKind } from '../../btf/constants.js'
import { findCandidates, nameBytesOf } from '../../btf/find.js'
import { BTF_HEADER } from '../../btf/layout.js'
import { parseRawBtf } from '../../btf/parse.js'
import { newWork } from '../../btf/work.js'
import { AppError } from '../../errors.js'

/** Fewer bytes have no kernel's types in them; small BTF in an image is that of eBPF programs which the kernel carries. */
const MIN_BYTES = 64 * 1024
/** Candidates that are validated. Each costs time in the size it claims. */
const MAX_CANDIDATES = 16

/** A type that every kernel has, and hardly anything else. */
const TASK_STRUCT = nameBytesOf('task_struct')

/**
 * Finds a kernel's BTF in an image without sections (arm64's `Image`, what a zImage unpacks to): by its header, which has to be
 * plausible, and then by being whole, valid, and the BTF of a kernel, that is, to have `struct task_struct`.
 *
 * @returns a view of the image; undefined where there is none
 * @throws AppError `btf_invalid` where several parts of the image pass
 */
export function scanForBtf (image: Uint8Array): Uint8Array | undefined {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength)
  const found: Uint8Array[] = []
  let tried = 0
  for (const littleEndian of [true, false]) {
    const start = littleEndian ? [BTF_MAGIC & 0xff, BTF_MAGIC >> 8] : [BTF_MAGIC >> 8, BTF_MAGIC & 0xff]
    const magic = Buffer.from([...start, 1, 0]) // version 1, no flags
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      const length = plausibleLength(image, at, littleEndian)
      if (length === undefined) continue
      if (++tried > MAX_CANDIDATES) throw new AppError('btf_invalid', `The image has more than ${MAX_CANDIDATES} parts that look like BTF.`)
      const candidate = image.subarray(at, at + length)
      if (isKernelBtf(candidate)) found.push(candidate)
    }
  }
  if (found.length > 1) {
    throw new AppError('btf_invalid', `The image has ${found.length} parts that are BTF of a kernel; corelo cannot tell which one to use.`)
  }
  return found[0]
}

/**
 * Length of the BTF whose header this is; undefined where the header does not describe two sections that follow each other.
 *
 * @param room bytes that it may have
 */
export function plausibleLength (image: Uint8Array, start: number, littleEndian: boolean, room = image.length - start): number | undefined {
  if (start + BTF_HEADER.MIN_SIZE > image.length) return undefined
  const view = dataView(image)
  const word = (offset: number): number => view.getUint32(start + offset, littleEndian)
  const hdrLen = word(BTF_HEADER.hdrLen)
  const strOff = word(BTF_HEADER.strOff)
  const strLen = word(BTF_HEADER.strLen)
  const length = hdrLen + strOff + strLen
  const isPlausible = hdrLen >= BTF_HEADER.MIN_SIZE && hdrLen <= 64 && word(BTF_HEADER.typeOff) === 0 &&
    strOff >= word(BTF_HEADER.typeLen) && strOff % 4 === 0 && length >= MIN_BYTES && length <= room
  return isPlausible ? length : undefined
}

/** Whether the bytes are whole, valid, and a kernel's BTF. */
export function isKernelBtf (bytes: Uint8Array): boolean {
  try {
    return findCandidates(parseRawBtf(bytes), BtfKind.STRUCT, TASK_STRUCT, false, newWork()).length > 0
  } catch (error) {
    if (error instanceof AppError && error.code === 'btf_invalid') return false
    throw error
  }
}
