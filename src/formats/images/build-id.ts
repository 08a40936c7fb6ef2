import { dataView, isInside } from '../../bytes/checked.js'
import { isElf, readU64, sectionBytes, type ElfFile } from '../../elf/sections.js'
import { buildIdOfNotes } from '../../identity/build-id.js'

const SHT_NOTE = 7
const PT_NOTE = 4
const NT_GNU_BUILD_ID = 3
/** The longest note of a build-id. */
const MAX_NOTE_BYTES = 12 + 4 + 64
/** ELF files within an image that are looked at: its vDSOs are two to four. */
const MAX_EMBEDDED = 256
/** Notes in an image that may be the kernel's. */
const MAX_NOTES = 64

/** A program header's members by byte offset. */
const PHDR = { type: 0, offset: 8, fileSize: 32, SIZE: 56 } as const
const PHDR32 = { type: 0, offset: 4, fileSize: 16, SIZE: 32 } as const
/** Where the ELF header says where the program headers are, and how many. */
const EHDR_PHDRS = { offset: 32, count: 56 } as const
const EHDR32_PHDRS = { offset: 28, count: 44 } as const

/**
 * The GNU build-id of a vmlinux, as `/sys/kernel/notes` shows it on the machine that runs it.
 *
 * Read from the note sections, else from the PT_NOTE segments, and from nowhere else in the file: the vDSOs that a kernel carries
 * in its data are ELF files with build-ids of their own.
 *
 * @returns lower-case hex; undefined where there is none
 * @see https://refspecs.linuxbase.org/elf/gabi4+/ch5.pheader.html#note_section
 */
export function readBuildId (elf: ElfFile): string | undefined {
  for (const section of elf.sections) {
    const id = section.type === SHT_NOTE ? buildIdOfNotes(sectionBytes(elf, section), elf.littleEndian) : undefined
    if (id !== undefined) return id
  }
  for (const segment of noteSegments(elf)) {
    const id = buildIdOfNotes(segment, elf.littleEndian)
    if (id !== undefined) return id
  }
  return undefined
}

/** Where the notes are in a little-endian ELF file, by the program headers at its start. */
export function noteRanges (start: Uint8Array): Array<{ readonly start: number, readonly size: number }> {
  return segmentsOf(start, start[4] === 2, true).filter(({ type }) => type === PT_NOTE).map(({ offset, size }) => ({ start: offset, size }))
}

/**
 * The same for an image without ELF headers (arm64's `Image`, what a zImage unpacks to): the one build-id note that is in none of
 * the ELF files within the image.
 *
 * @returns undefined where there is none, or where several are left
 */
export function scanForBuildId (image: Uint8Array): string | undefined {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength)
  const embedded = embeddedFiles(image, bytes)
  const found = new Set<string>()
  let tried = 0
  for (const littleEndian of [true, false]) {
    const type = littleEndian ? [NT_GNU_BUILD_ID, 0, 0, 0] : [0, 0, 0, NT_GNU_BUILD_ID]
    const pattern = Buffer.from([...type, 0x47, 0x4e, 0x55, 0])
    for (let at = bytes.indexOf(pattern); at >= 0; at = bytes.indexOf(pattern, at + 1)) {
      const start = at - 8
      if (start < 0 || start % 4 !== 0 || embedded.some(file => start >= file.start && start < file.end)) continue
      if (++tried > MAX_NOTES) return undefined
      const id = buildIdOfNotes(image.subarray(start, start + MAX_NOTE_BYTES), littleEndian)
      if (id !== undefined) found.add(id)
    }
  }
  const [only] = found
  return found.size === 1 ? only : undefined
}

function noteSegments (elf: ElfFile): Uint8Array[] {
  return segmentsOf(elf.bytes, elf.is64, elf.littleEndian)
    .filter(({ type, offset, size }) => type === PT_NOTE && isInside(offset, size, elf.bytes.length))
    .map(({ offset, size }) => elf.bytes.subarray(offset, offset + size))
}

interface Segment {
  readonly type: number
  /** In bytes, from the start of the file. */
  readonly offset: number
  readonly size: number
}

/** The program headers of an ELF file; none where the table does not lie within it. */
function segmentsOf (file: Uint8Array, is64: boolean, littleEndian: boolean): Segment[] {
  const [header, layout] = is64 ? [EHDR_PHDRS, PHDR] as const : [EHDR32_PHDRS, PHDR32] as const
  const view = dataView(file)
  const long = (at: number): number => is64 ? readU64(view, at, littleEndian) : view.getUint32(at, littleEndian)
  if (file.length < header.count + 2) return []
  const table = long(header.offset)
  const count = view.getUint16(header.count, littleEndian)
  if (!isInside(table, count * layout.SIZE, file.length)) return []
  return Array.from({ length: count }, (_, i) => {
    const at = table + i * layout.SIZE
    return { type: view.getUint32(at + layout.type, littleEndian), offset: long(at + layout.offset), size: long(at + layout.fileSize) }
  })
}

/** Where in the image ELF files are: as far as their segments reach. */
function embeddedFiles (image: Uint8Array, bytes: Buffer): Array<{ readonly start: number, readonly end: number }> {
  const magic = Buffer.from([0x7f, 0x45, 0x4c, 0x46])
  const files: Array<{ start: number, end: number }> = []
  for (let start = bytes.indexOf(magic); start >= 0 && files.length < MAX_EMBEDDED; start = bytes.indexOf(magic, start + 4)) {
    const file = image.subarray(start)
    if (!isElf(file) || (file[4] !== 1 && file[4] !== 2) || (file[5] !== 1 && file[5] !== 2)) continue
    const ends = segmentsOf(file, file[4] === 2, file[5] === 1).map(({ offset, size }) => offset + size).filter(end => end <= file.length)
    if (ends.length > 0) files.push({ start, end: start + Math.max(...ends) })
  }
  return files
}
