import { dataView } from '../bytes/checked.js'
import { AppError } from '../errors.js'

/** What the kernel gives its own notes in: all of the .notes section of vmlinux, without those of its vDSOs. */
export const KERNEL_NOTES = '/sys/kernel/notes'

/** include/uapi/linux/elf.h */
const NT_GNU_BUILD_ID = 3
const OWNER = 'GNU\0'

/**
 * One note of an ELF file. Name and descriptor are each padded to 4 bytes, in the byte order of the machine.
 *
 *     struct elf64_note { __u32 n_namesz; __u32 n_descsz; __u32 n_type; };  char name[]; char desc[];
 *
 * @see https://docs.kernel.org/next/userspace-api/ELF.html
 */
const NOTE = { nameSize: 0, descriptorSize: 4, type: 8, SIZE: 12 } as const

/** Bytes of a build-id: 8 of a short hash to 64 of the longest; a linker's default has 20. */
const MIN_BYTES = 8
const MAX_BYTES = 64

/**
 * The GNU build-id among a kernel's notes, in lower-case hex: the content of /sys/kernel/notes, or of the note segment of a vmlinux.
 *
 * @returns undefined where there is none, as with a kernel linked without --build-id
 */
export function buildIdOfNotes (notes: Uint8Array, littleEndian = true): string | undefined {
  const view = dataView(notes)
  for (let at = 0; at + NOTE.SIZE <= notes.length;) {
    const nameSize = view.getUint32(at + NOTE.nameSize, littleEndian)
    const descriptorSize = view.getUint32(at + NOTE.descriptorSize, littleEndian)
    const nameStart = at + NOTE.SIZE
    const start = nameStart + padded(nameSize)
    const end = start + descriptorSize
    if (end > notes.length) return undefined
    const isBuildId = view.getUint32(at + NOTE.type, littleEndian) === NT_GNU_BUILD_ID && nameSize === OWNER.length &&
      [...OWNER].every((character, i) => notes[nameStart + i] === character.charCodeAt(0))
    if (isBuildId && descriptorSize >= MIN_BYTES && descriptorSize <= MAX_BYTES) return toHex(notes.subarray(start, end))
    at = start + padded(descriptorSize)
  }
  return undefined
}

/**
 * A build-id as a caller writes it, in lower case.
 *
 * @throws AppError `invalid_request`
 */
export function parseBuildId (text: string): string {
  if (!/^(?:[0-9A-Fa-f]{2})+$/.test(text) || text.length < 2 * MIN_BYTES || text.length > 2 * MAX_BYTES) {
    throw new AppError('invalid_request',
      `kernel_build_id must be the kernel's GNU build-id in hex, ${2 * MIN_BYTES} to ${2 * MAX_BYTES} digits, ` +
      `as its notes in ${KERNEL_NOTES} have it.`,
      { field: 'kernel_build_id' })
  }
  return text.toLowerCase()
}

function padded (size: number): number { return Math.ceil(size / 4) * 4 }

function toHex (bytes: Uint8Array): string { return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('') }
