import { ByteWriter, concat, type ByteOrder } from './byte-writer.js'

export const SHT = { NULL: 0, PROGBITS: 1, SYMTAB: 2, STRTAB: 3, NOBITS: 8, REL: 9 } as const
export const SHF = { ALLOC: 2, EXECINSTR: 4 } as const
export const STT = { NOTYPE: 0, OBJECT: 1, FUNC: 2, SECTION: 3 } as const
export const STB = { LOCAL: 0, GLOBAL: 1, WEAK: 2 } as const
const EM_BPF = 247
export const ET = { REL: 1, EXEC: 2 } as const

export interface ElfSection {
  readonly name: string
  readonly type?: number
  readonly flags?: number
  readonly data: Uint8Array
  readonly link?: number
  readonly info?: number
  readonly entsize?: number
  /** Replaces the offset written in the section header. */
  readonly shOffset?: number | bigint
  /** Replaces the size written in the section header. */
  readonly shSize?: number | bigint
}

export interface ElfSymbol {
  readonly name: string
  readonly value?: number | bigint
  readonly size?: number | bigint
  readonly type?: number
  readonly binding?: number
  readonly section?: number
}

export interface ElfHeaderOptions {
  readonly byteOrder?: ByteOrder
  readonly elfClass?: 32 | 64
  /** Replaces EI_DATA, for values that no byte order has. */
  readonly data?: number
  readonly type?: number
  readonly machine?: number
  readonly shoff?: number | bigint
  readonly shentsize?: number
  readonly shnum?: number
  readonly shstrndx?: number
  /** Section count and name table index moved to section header 0. */
  readonly extendedNumbering?: boolean
}

export interface ElfSpec extends ElfHeaderOptions {
  readonly sections: readonly ElfSection[]
}

export interface PlacedSection {
  readonly name: string
  readonly index: number
  readonly offset: number
  readonly size: number
  readonly headerOffset: number
}

export interface BuiltElf {
  readonly bytes: Uint8Array
  readonly sections: readonly PlacedSection[]
}

/** Writes an ELF file: header, section contents, a name table, section headers. Sections are numbered from 1. */
export function elf (spec: ElfSpec): BuiltElf {
  const byteOrder = spec.byteOrder ?? 'little'
  const wide = (spec.elfClass ?? 64) === 64
  const headerSize = wide ? 64 : 52
  const entrySize = wide ? 64 : 40

  const names = new ByteWriter(byteOrder).u8(0)
  const nameOffsets = [...spec.sections.map(section => section.name), '.shstrtab'].map(name => {
    const offset = names.length
    names.text(name).u8(0)
    return offset
  })
  const sections: ElfSection[] = [...spec.sections, { name: '.shstrtab', type: SHT.STRTAB, data: names.finish() }]

  const body = new ByteWriter(byteOrder).zeros(headerSize)
  const offsets = sections.map(section => {
    body.align(8)
    const offset = body.length
    body.bytes(section.data)
    return offset
  })
  body.align(8)
  const headersAt = body.length
  const count = sections.length + 1
  const nameTable = sections.length

  const word = (writer: ByteWriter, value: number | bigint) => wide ? writer.u64(value) : writer.u32(Number(value))
  const headers = new ByteWriter(byteOrder)
  const sectionHeader = (
    nameOff: number,
    type: number,
    flags: number,
    offset: number | bigint,
    size: number | bigint,
    link: number,
    info: number,
    entsize: number
  ) => {
    headers.u32(nameOff).u32(type)
    word(headers, flags)
    word(headers, 0)
    word(headers, offset)
    word(headers, size)
    headers.u32(link).u32(info)
    word(headers, 1)
    word(headers, entsize)
  }
  const extended = spec.extendedNumbering === true
  sectionHeader(0, SHT.NULL, 0, 0, extended ? count : 0, extended ? nameTable : 0, 0, 0)
  sections.forEach((section, i) => {
    sectionHeader(nameOffsets[i] ?? 0, section.type ?? SHT.PROGBITS, section.flags ?? 0, section.shOffset ?? offsets[i] ?? 0,
      section.shSize ?? section.data.length, section.link ?? 0, section.info ?? 0, section.entsize ?? 0)
  })

  const header = new ByteWriter(byteOrder)
    .bytes(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, spec.data ?? (byteOrder === 'little' ? 1 : 2), 1))
    .zeros(9)
    .u16(spec.type ?? ET.REL)
    .u16(spec.machine ?? EM_BPF)
    .u32(1)
  word(header, 0)
  word(header, 0)
  word(header, spec.shoff ?? headersAt)
  header.u32(0).u16(headerSize).u16(0).u16(0)
    .u16(spec.shentsize ?? entrySize)
    .u16(spec.shnum ?? (extended ? 0 : count))
    .u16(spec.shstrndx ?? (extended ? 0xffff : nameTable))

  const bytes = concat(header.finish(), body.finish().subarray(headerSize), headers.finish())
  return {
    bytes,
    sections: sections.map((section, i) => ({
      name: section.name,
      index: i + 1,
      offset: offsets[i] ?? 0,
      size: section.data.length,
      headerOffset: headersAt + (i + 1) * entrySize
    }))
  }
}

/** The contents of a 64-bit symbol table and of its string table. Local symbols come first, as the format asks. */
export function symbolTable (byteOrder: ByteOrder, symbols: readonly ElfSymbol[]): {
  symtab: Uint8Array
  strtab: Uint8Array
  firstGlobal: number
} {
  const strings = new ByteWriter(byteOrder).u8(0)
  const table = new ByteWriter(byteOrder).zeros(24)
  const locals = symbols.filter(symbol => symbol.binding === STB.LOCAL)
  const others = symbols.filter(symbol => symbol.binding !== STB.LOCAL)
  for (const symbol of [...locals, ...others]) {
    const nameOff = strings.length
    strings.text(symbol.name).u8(0)
    table
      .u32(nameOff)
      .u8(((symbol.binding ?? STB.GLOBAL) << 4) | (symbol.type ?? STT.FUNC))
      .u8(0)
      .u16(symbol.section ?? 0)
      .u64(symbol.value ?? 0)
      .u64(symbol.size ?? 0)
  }
  return { symtab: table.finish(), strtab: strings.finish(), firstGlobal: locals.length + 1 }
}

/** An ELF file that carries BTF, as a kernel image or a module does. */
export function btfElf (
  parts: { btf: Uint8Array, base?: Uint8Array, byteOrder?: ByteOrder, elfClass?: 32 | 64, machine?: number }
): Uint8Array {
  const sections: ElfSection[] = [{ name: '.BTF', data: parts.btf }]
  if (parts.base !== undefined) sections.push({ name: '.BTF.base', data: parts.base })
  return elf({
    byteOrder: parts.byteOrder ?? 'little',
    elfClass: parts.elfClass ?? 64,
    machine: parts.machine ?? 62,
    sections
  }).bytes
}
