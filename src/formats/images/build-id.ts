import { dataView } from '../../bytes/checked.js'
import { isElf } from '../../elf/sections.js'

/** p_type, and where p_offset and p_filesz are in a program header of either class. */
const PT_NOTE = 4
const NT_GNU_BUILD_ID = 3
const GNU = 'GNU\0'
/** Program headers of a kernel: five at most. */
const MOST_PROGRAM_HEADERS = 64
/** The kernel's own note is that of SHA-1, and so are those of the vDSOs in it. */
const MIN_BYTES = 8
const MAX_BYTES = 64

/**
 * The GNU build-id of a kernel: from its own PT_NOTE where it is an ELF file, which is what /sys/kernel/notes shows. The images of the vDSOs
 * inside have build-ids of their own, so that a search through the bytes would not do. In an image without program headers the notes of the
 * kernel are those in which the build-id is beside the kernel's own notes (`Linux`, `Xen`), or is no vDSO's, in one place only.
 *
 * @returns hex; undefined where it cannot be told
 */
export function findBuildId (image: Uint8Array): string | undefined {
  return isElf(image) ? fromElf(image) : fromImage(image)
}

function fromElf (bytes: Uint8Array): string | undefined {
  const view = dataView(bytes)
  if (bytes.length < 64) return undefined
  const is64 = bytes[4] === 2
  const littleEndian = bytes[5] === 1
  const start = is64 ? Number(view.getBigUint64(32, littleEndian)) : view.getUint32(28, littleEndian)
  const size = view.getUint16(is64 ? 54 : 42, littleEndian)
  const count = Math.min(view.getUint16(is64 ? 56 : 44, littleEndian), MOST_PROGRAM_HEADERS)
  for (let i = 0; i < count; i++) {
    const at = start + i * size
    if (at + size > bytes.length || size < (is64 ? 56 : 32)) return undefined
    if (view.getUint32(at, littleEndian) !== PT_NOTE) continue
    const offset = is64 ? Number(view.getBigUint64(at + 8, littleEndian)) : view.getUint32(at + 4, littleEndian)
    const length = is64 ? Number(view.getBigUint64(at + 32, littleEndian)) : view.getUint32(at + 16, littleEndian)
    const found = inNotes(bytes.subarray(offset, offset + length), littleEndian)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * A note: namesz:u32 descsz:u32 type:u32, then name and descriptor, each filled up to a multiple of four.
 *
 * @see https://man7.org/linux/man-pages/man5/elf.5.html "Notes (Nhdr)"
 */
function inNotes (notes: Uint8Array, littleEndian: boolean): string | undefined {
  const view = dataView(notes)
  for (let at = 0; at + 12 <= notes.length;) {
    const nameSize = view.getUint32(at, littleEndian)
    const size = view.getUint32(at + 4, littleEndian)
    const type = view.getUint32(at + 8, littleEndian)
    const name = at + 12
    const descriptor = name + align(nameSize)
    const end = descriptor + align(size)
    if (end > notes.length) return undefined
    if (type === NT_GNU_BUILD_ID && text(notes, name, name + nameSize) === GNU && size >= MIN_BYTES && size <= MAX_BYTES) return hex(notes, descriptor, descriptor + size)
    at = end
  }
  return undefined
}

/**
 * In an image the kernel's notes follow each other, and `Linux` notes (LINUX_ELFNOTE_BUILD_SALT, since 4.19) are among them; a vDSO has one too,
 * but its image is an ELF file within the image, and begins less than a page before.
 */
function fromImage (image: Uint8Array): string | undefined {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength)
  const pattern = Buffer.from([4, 0, 0, 0, 20, 0, 0, 0, NT_GNU_BUILD_ID, 0, 0, 0, ...Buffer.from(GNU)])
  const found = new Set<string>()
  for (let at = bytes.indexOf(pattern); at >= 0; at = bytes.indexOf(pattern, at + 1)) {
    const before = bytes.subarray(Math.max(0, at - VDSO_REACH), at)
    if (before.includes(ELF_MAGIC)) continue
    found.add(hex(image, at + pattern.length, at + pattern.length + 20))
  }
  const [only] = found
  return found.size === 1 ? only : undefined
}

/** A vDSO's notes are within its first pages. */
const VDSO_REACH = 8192
const ELF_MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46])

function align (size: number): number { return size + (4 - size % 4) % 4 }

function text (bytes: Uint8Array, start: number, end: number): string { return Buffer.from(bytes.subarray(start, end)).toString('latin1') }

function hex (bytes: Uint8Array, start: number, end: number): string { return Buffer.from(bytes.subarray(start, end)).toString('hex') }
