import type { ByteOrder } from '../bytes/byte-order.js'
import { dataView, isInside } from '../bytes/checked.js'
import { createNameReader, type NameReader } from '../bytes/strings.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import { ELF_MAGIC, ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFDATA2MSB, SHN_XINDEX, SHT_NOBITS } from './constants.js'
import { EHDR, EHDR32, SHDR, SHDR32 } from './layout.js'

export interface ElfSection {
  readonly index: number
  readonly name: string
  readonly type: number
  readonly flags: number
  /** Bytes from the start of the file. */
  readonly offset: number
  /** Bytes. */
  readonly size: number
  readonly link: number
  readonly info: number
  /** Bytes of one entry, for sections that are tables. */
  readonly entsize: number
}

export interface ElfFile {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly littleEndian: boolean
  readonly byteOrder: ByteOrder
  readonly is64: boolean
  readonly type: number
  readonly machine: number
  /** In header order, section 0 (the null section) included, so that indices are ELF's. */
  readonly sections: readonly ElfSection[]
  /** Sections of each name, in header order; without section 0. */
  readonly sectionsByName: ReadonlyMap<string, readonly ElfSection[]>
}

/** Whether the bytes start like an ELF file of any kind. */
export function isElf (bytes: Uint8Array): boolean {
  return ELF_MAGIC.every((byte, i) => bytes[i] === byte)
}

/**
 * Reads the header and the section table, and checks that every section lies within the file. Accepts both classes, since a
 * 32-bit kernel's vmlinux may carry a target BTF; readers of objects check `is64`.
 *
 * @throws AppError `object_invalid`, with `offset` in bytes or `section` in `details`.
 */
export function parseSections (bytes: Uint8Array): ElfFile {
  if (bytes.length === 0) throw invalid('The file is empty.', { offset: 0 })
  if (!isElf(bytes)) throw invalid('The file is not ELF: it does not start with 7f 45 4c 46.', { offset: 0 })
  if (bytes.length < EHDR32.SIZE) {
    throw invalid(`The file ends after ${bytes.length} bytes, within the ELF header.`, { offset: bytes.length })
  }
  const elfClass = bytes[EHDR.class]
  if (elfClass !== ELFCLASS64 && elfClass !== ELFCLASS32) {
    throw invalid(`ELF class ${elfClass} is neither 32-bit (1) nor 64-bit (2).`, { offset: EHDR.class })
  }
  const is64 = elfClass === ELFCLASS64
  const headerSize = is64 ? EHDR.SIZE : EHDR32.SIZE
  if (bytes.length < headerSize) {
    throw invalid(`The file ends after ${bytes.length} bytes, within the ELF header of ${headerSize}.`, { offset: bytes.length })
  }
  const encoding = bytes[EHDR.data]
  if (encoding !== ELFDATA2LSB && encoding !== ELFDATA2MSB) {
    throw invalid(`ELF data encoding ${encoding} is neither little-endian (1) nor big-endian (2).`, { offset: EHDR.data })
  }

  const littleEndian = encoding === ELFDATA2LSB
  const view = dataView(bytes)
  const table = readTablePlace(view, bytes.length, is64, littleEndian)
  const names = table.namesIndex < table.count
    ? readSectionHeader(view, table.offset + table.namesIndex * table.entrySize, is64, littleEndian)
    : undefined
  if (names === undefined || names.type === SHT_NOBITS || !isInside(names.offset, names.size, bytes.length)) {
    throw invalid(
      `The section name table (section ${table.namesIndex} of ${table.count}) is not in the file.`,
      { section: table.namesIndex }
    )
  }
  const nameBytes = bytes.subarray(names.offset, names.offset + names.size)
  const nameReader = createNameReader(nameBytes, (problem, offset) => invalid(
    `The section name table has ${problem}.`,
    { section: table.namesIndex, offset: names.offset + offset }
  ))
  const sections: ElfSection[] = []
  for (let index = 0; index < table.count; index++) {
    const header = readSectionHeader(view, table.offset + index * table.entrySize, is64, littleEndian)
    sections.push(toSection(header, index, nameBytes.length, nameReader, bytes.length))
  }
  return {
    bytes,
    view,
    littleEndian,
    byteOrder: littleEndian ? 'little' : 'big',
    is64,
    type: view.getUint16(EHDR.type, littleEndian),
    machine: view.getUint16(EHDR.machine, littleEndian),
    sections,
    sectionsByName: groupByName(sections)
  }
}

/** The bytes of a section; empty for a section that occupies none in the file. */
export function sectionBytes (elf: ElfFile, section: ElfSection): Uint8Array {
  return section.type === SHT_NOBITS ? new Uint8Array(0) : elf.bytes.subarray(section.offset, section.offset + section.size)
}

/** The last section of that name: libbpf lets a later `.BTF` or `.BTF.ext` replace an earlier one. */
export function findLastSection (elf: ElfFile, name: string): ElfSection | undefined {
  return elf.sectionsByName.get(name)?.at(-1)
}

function groupByName (sections: readonly ElfSection[]): Map<string, ElfSection[]> {
  const groups = new Map<string, ElfSection[]>()
  for (const section of sections.slice(1)) {
    const group = groups.get(section.name)
    if (group === undefined) groups.set(section.name, [section])
    else group.push(section)
  }
  return groups
}

function readTablePlace (view: DataView, fileSize: number, is64: boolean, littleEndian: boolean) {
  const layout = is64 ? EHDR : EHDR32
  const offset = is64 ? readU64(view, EHDR.shoff, littleEndian) : view.getUint32(EHDR32.shoff, littleEndian)
  const entrySize = view.getUint16(layout.shentsize, littleEndian)
  const size = is64 ? SHDR.SIZE : SHDR32.SIZE
  if (offset === 0) throw invalid('The file has no section table.', { offset: layout.shoff })
  if (entrySize !== size) throw invalid(`A section table entry has ${entrySize} bytes instead of ${size}.`, { offset: layout.shentsize })
  if (!isInside(offset, size, fileSize)) {
    throw invalid(`The section table starts at ${offset}, but the file has ${fileSize} bytes.`, { offset: layout.shoff })
  }

  // With 65,280 sections or more the header's own fields are 0 and SHN_XINDEX, and section 0 has the numbers.
  const first = readSectionHeader(view, offset, is64, littleEndian)
  const count = view.getUint16(layout.shnum, littleEndian) || first.size
  const shstrndx = view.getUint16(layout.shstrndx, littleEndian)
  const namesIndex = shstrndx === SHN_XINDEX ? first.link : shstrndx
  if (count > LIMITS.elfSections) {
    throw invalid(`The file has ${count} sections; at most ${LIMITS.elfSections} are read.`, { limit: LIMITS.elfSections })
  }
  if (!isInside(offset, count * size, fileSize)) {
    throw invalid(`The section table needs bytes ${offset} to ${offset + count * size}, but the file has ${fileSize}.`, { offset })
  }
  return { offset, entrySize, count, namesIndex }
}

type SectionHeader = Omit<ElfSection, 'name' | 'index'> & { readonly nameOffset: number }

/** Names the members one by one: an object built by rest and spread costs a new hidden class each, and what reads it an inline cache. */
function toSection (
  { nameOffset, type, flags, offset, size, link, info, entsize }: SectionHeader,
  index: number,
  namesSize: number,
  names: NameReader,
  fileSize: number
): ElfSection {
  if (index > 0 && nameOffset >= namesSize) {
    throw invalid(`Section ${index} has its name at ${nameOffset}, past the name table of ${namesSize} bytes.`, { section: index })
  }
  const name = index === 0 ? '' : names.read(nameOffset)
  const inFile = index === 0 || type === SHT_NOBITS || isInside(offset, size, fileSize)
  if (!inFile) {
    throw invalid(
      `Section ${name} (${index}) needs bytes ${offset} to ${offset + size}, but the file has ${fileSize}.`,
      { section: name, offset }
    )
  }
  return { index, name, type, flags, offset, size, link, info, entsize }
}

function readSectionHeader (view: DataView, at: number, is64: boolean, littleEndian: boolean): SectionHeader {
  const word = (offset: number): number => view.getUint32(at + offset, littleEndian)
  const long = (offset: number): number => readU64(view, at + offset, littleEndian)
  return is64
    ? {
        nameOffset: word(SHDR.name),
        type: word(SHDR.type),
        flags: long(SHDR.flags),
        offset: long(SHDR.offset),
        size: long(SHDR.size),
        link: word(SHDR.link),
        info: word(SHDR.info),
        entsize: long(SHDR.entsize)
      }
    : {
        nameOffset: word(SHDR32.name),
        type: word(SHDR32.type),
        flags: word(SHDR32.flags),
        offset: word(SHDR32.offset),
        size: word(SHDR32.size),
        link: word(SHDR32.link),
        info: word(SHDR32.info),
        entsize: word(SHDR32.entsize)
      }
}

/** A u64 as a number. Above 2^53 it loses low bits, which no check can miss: such an offset or size is past any file's end. */
export function readU64 (view: DataView, offset: number, littleEndian: boolean): number {
  const first = view.getUint32(offset, littleEndian)
  const second = view.getUint32(offset + 4, littleEndian)
  return littleEndian ? second * 0x1_0000_0000 + first : first * 0x1_0000_0000 + second
}

function invalid (message: string, details: Record<string, unknown>): AppError {
  return new AppError('object_invalid', message, details)
}
