import { dataView, isInside } from '../../bytes/checked.js'
import { AppError } from '../../errors.js'

/** Where the DOS header says that the PE header is. */
const PE_OFFSET = 0x3c
/** Behind "PE\0\0": machine: u16, sections: u16, 12 bytes, size of the optional header: u16, flags: u16. */
const COFF = { sections: 6, optionalSize: 20, SIZE: 24 } as const
/** name: 8 bytes, size in memory: u32, address: u32, size in the file: u32, place in the file: u32, 16 bytes. */
const SECTION = { size: 8, rawSize: 16, rawOffset: 20, SIZE: 40 } as const
/** What Windows loads at most. */
const MAX_SECTIONS = 96
const KERNEL = '.linux'

/** Whether a file that begins so is a unified kernel image: a PE program with a section `.linux`. */
export function isUki (head: Uint8Array): boolean { return findSection(head) !== undefined }

/**
 * The kernel in a unified kernel image, which is a bootable image of its own.
 *
 * @throws AppError `btf_invalid`
 * @see https://uapi-group.org/specifications/specs/unified_kernel_image/
 */
export function kernelOfUki (bytes: Uint8Array): Uint8Array {
  const section = findSection(bytes)
  if (section === undefined || !isInside(section.offset, section.size, bytes.length)) {
    const { offset, size } = section ?? { offset: 0, size: 0 }
    throw new AppError('btf_invalid', 'The unified kernel image is cut off: ' +
      `its section ${KERNEL} needs bytes ${offset} to ${offset + size}, and the file has ${bytes.length}.`)
  }
  return bytes.subarray(section.offset, section.offset + section.size)
}

function findSection (bytes: Uint8Array): { readonly offset: number, readonly size: number } | undefined {
  if (bytes[0] !== 0x4d || bytes[1] !== 0x5a || bytes.length < PE_OFFSET + 4) return undefined
  const view = dataView(bytes)
  const header = view.getUint32(PE_OFFSET, true)
  if (!isInside(header, COFF.SIZE, bytes.length) || view.getUint32(header) !== 0x50450000) return undefined
  const count = Math.min(view.getUint16(header + COFF.sections, true), MAX_SECTIONS)
  const table = header + COFF.SIZE + view.getUint16(header + COFF.optionalSize, true)
  for (let i = 0; i < count; i++) {
    const at = table + i * SECTION.SIZE
    if (!isInside(at, SECTION.SIZE, bytes.length)) return undefined
    const name = Buffer.from(bytes.subarray(at, at + 8)).toString('latin1').replace(/\0+$/, '')
    if (name !== KERNEL) continue
    const [size, rawSize] = [view.getUint32(at + SECTION.size, true), view.getUint32(at + SECTION.rawSize, true)]
    // In the file it is filled up.
    return { offset: view.getUint32(at + SECTION.rawOffset, true), size: size === 0 ? rawSize : Math.min(size, rawSize) }
  }
  return undefined
}
