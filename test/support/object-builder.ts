import type { BtfBuilder } from './btf-builder.js'
import { ByteWriter, concat, type ByteOrder } from './byte-writer.js'
import {
  elf, SHF, SHT, STB, STT, symbolTable, type ElfHeaderOptions, type ElfSection, type ElfSymbol, type PlacedSection
} from './elf-writer.js'

const RELO = {
  byte_off: 0,
  byte_sz: 1,
  field_exists: 2,
  signed: 3,
  lshift_u64: 4,
  rshift_u64: 5,
  local_type_id: 6,
  target_type_id: 7,
  type_exists: 8,
  type_size: 9,
  enumval_exists: 10,
  enumval_value: 11,
  type_matches: 12
} as const

export type ReloName = keyof typeof RELO

export interface ProgramSpec {
  readonly section: string
  readonly name: string
  readonly code: Uint8Array
  readonly binding?: 'local' | 'global' | 'weak'
  /** `false` leaves the code in no function, as an eliminated weak function is. */
  readonly symbol?: boolean
  readonly aliases?: readonly string[]
  readonly symbolValue?: number | bigint
  readonly symbolSize?: number | bigint
  readonly symbolType?: number
}

export interface CoreRecord {
  readonly section: string
  readonly insnOff: number
  readonly typeId: number
  readonly access?: string
  /** Replaces the string offset of `access`. */
  readonly accessOff?: number
  readonly kind: ReloName | number
}

export interface CoreBlock {
  readonly section: string
  /** Replaces the string offset of the section name. */
  readonly sectionNameOff?: number
  readonly records: readonly CoreRecord[]
  readonly numInfo?: number
}

export type ExtPart = 'func_info' | 'line_info' | 'core_relo'

export interface ExtPartOptions {
  /** Replaces the content of the subsection, its leading record size included. */
  readonly content?: Uint8Array
  readonly off?: number
  readonly len?: number
  readonly recordSize?: number
}

export interface ExtOptions {
  readonly byteOrder?: ByteOrder
  readonly magic?: number
  readonly version?: number
  readonly flags?: number
  readonly hdrLen?: number
  readonly headerFill?: number
  /** Order in which the subsections follow each other. */
  readonly order?: readonly ExtPart[]
  readonly parts?: Partial<Record<ExtPart, ExtPartOptions>>
  /** Replaces the blocks that the records would be grouped into. */
  readonly blocks?: readonly CoreBlock[]
  readonly trailing?: Uint8Array
}

export interface ObjectSpec {
  readonly header?: ElfHeaderOptions
  /** Types of the object. It also gets the strings that records, section names and lines need. */
  readonly local: BtfBuilder
  /** Replaces the `.BTF` content; `null` leaves the section out. */
  readonly btf?: Uint8Array | null
  readonly programs: readonly ProgramSpec[]
  readonly records?: readonly CoreRecord[]
  readonly ext?: ExtOptions
  /** Replaces the `.BTF.ext` content; `null` leaves the section out. */
  readonly btfExt?: Uint8Array | null
  readonly sectionsBefore?: readonly ElfSection[]
  readonly sectionsAfter?: readonly ElfSection[]
  readonly symbols?: readonly ElfSymbol[]
  /** `false` leaves the symbol table out. */
  readonly symtab?: boolean
  readonly relocations?: ReadonlyArray<{ readonly section: string, readonly offset: number, readonly type?: number }>
}

export interface BuiltObject {
  readonly bytes: Uint8Array
  readonly byteOrder: ByteOrder
  readonly sections: readonly PlacedSection[]
  section: (name: string) => PlacedSection
  /** File offset of the 4 bytes that hold core_relo_len. */
  readonly coreReloLenOffset: number
}

/** Builds a relocatable eBPF object: programs, `.BTF`, `.BTF.ext` and symbols, each of which can be bent out of shape. */
export function buildObject (spec: ObjectSpec): BuiltObject {
  const byteOrder = spec.header?.byteOrder ?? spec.local.byteOrder
  const ext = spec.btfExt === undefined ? buildBtfExt(spec, spec.ext?.byteOrder ?? byteOrder) : spec.btfExt
  const btf = spec.btf === undefined ? spec.local.bytes() : spec.btf

  const sections: ElfSection[] = [...(spec.sectionsBefore ?? [])]
  const symbols: ElfSymbol[] = [...(spec.symbols ?? [])]
  for (const [name, programs] of groupBySection(spec.programs)) {
    sections.push({ name, type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.EXECINSTR, data: concat(...programs.map(program => program.code)) })
    let start = 0
    for (const program of programs) {
      for (const symbolName of program.symbol === false ? [] : [program.name, ...(program.aliases ?? [])]) {
        symbols.push({
          name: symbolName,
          value: program.symbolValue ?? start,
          size: program.symbolSize ?? program.code.length,
          type: program.symbolType ?? STT.FUNC,
          binding: STB[(program.binding ?? 'global').toUpperCase() as keyof typeof STB],
          section: sections.length
        })
      }
      start += program.code.length
    }
  }
  if (btf !== null) sections.push({ name: '.BTF', data: btf })
  if (ext !== null) sections.push({ name: '.BTF.ext', data: ext })
  sections.push(...(spec.sectionsAfter ?? []))
  const relocated = groupBySection(spec.relocations ?? [])
  for (const [name, entries] of relocated) {
    const writer = new ByteWriter(byteOrder)
    for (const entry of entries) writer.u64(entry.offset).u64((1n << 32n) | BigInt(entry.type ?? 1))
    const symtabIndex = sections.length + relocated.size + 1
    const info = sections.findIndex(section => section.name === name) + 1
    sections.push({ name: `.rel${name}`, type: SHT.REL, data: writer.finish(), link: symtabIndex, info, entsize: 16 })
  }
  if (spec.symtab !== false) {
    const table = symbolTable(byteOrder, symbols)
    sections.push({
      name: '.symtab', type: SHT.SYMTAB, data: table.symtab, link: sections.length + 2, info: table.firstGlobal, entsize: 24
    })
    sections.push({ name: '.strtab', type: SHT.STRTAB, data: table.strtab })
  }

  const built = elf({ byteOrder, ...spec.header, sections })
  const section = (name: string): PlacedSection => {
    const found = built.sections.find(candidate => candidate.name === name)
    if (found === undefined) throw new Error(`the built object has no section ${name}`)
    return found
  }
  const extSection = built.sections.find(candidate => candidate.name === '.BTF.ext')
  return {
    bytes: built.bytes,
    byteOrder,
    sections: built.sections,
    section,
    coreReloLenOffset: extSection === undefined ? -1 : extSection.offset + 28
  }
}

function groupBySection<T extends { readonly section: string }> (items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(item.section, [...(groups.get(item.section) ?? []), item])
  return groups
}

function buildBtfExt (spec: ObjectSpec, byteOrder: ByteOrder): Uint8Array {
  const options = spec.ext ?? {}
  const contents: Record<ExtPart, Uint8Array> = {
    func_info: options.parts?.func_info?.content ?? funcInfo(spec, byteOrder),
    line_info: options.parts?.line_info?.content ?? lineInfo(spec, byteOrder),
    core_relo: options.parts?.core_relo?.content ?? coreRelo(spec, byteOrder)
  }
  const offsets: Record<ExtPart, number> = { func_info: 0, line_info: 0, core_relo: 0 }
  let data: Uint8Array = new Uint8Array()
  for (const part of options.order ?? ['func_info', 'line_info', 'core_relo'] as const) {
    offsets[part] = data.length
    data = concat(data, contents[part])
  }

  const hdrLen = options.hdrLen ?? 32
  const header = new ByteWriter(byteOrder)
    .u16(options.magic ?? 0xeb9f)
    .u8(options.version ?? 1)
    .u8(options.flags ?? 0)
    .u32(hdrLen)
  for (const part of hdrLen >= 32 ? ['func_info', 'line_info', 'core_relo'] as const : ['func_info', 'line_info'] as const) {
    header.u32(options.parts?.[part]?.off ?? offsets[part]).u32(options.parts?.[part]?.len ?? contents[part].length)
  }
  while (header.length < hdrLen) header.u8(options.headerFill ?? 0)
  return concat(header.finish(), data, options.trailing ?? new Uint8Array())
}

function coreRelo (spec: ObjectSpec, byteOrder: ByteOrder): Uint8Array {
  const recordSize = spec.ext?.parts?.core_relo?.recordSize ?? 16
  const blocks = spec.ext?.blocks ?? consecutiveBlocks(spec.records ?? [])
  if (blocks.length === 0) return new Uint8Array()
  const writer = new ByteWriter(byteOrder).u32(recordSize)
  for (const block of blocks) {
    writer.u32(block.sectionNameOff ?? spec.local.string(block.section)).u32(block.numInfo ?? block.records.length)
    for (const record of block.records) {
      const fields = new ByteWriter(byteOrder)
        .u32(record.insnOff)
        .u32(record.typeId)
        .u32(record.accessOff ?? spec.local.string(record.access ?? '0'))
        .u32(typeof record.kind === 'number' ? record.kind : RELO[record.kind])
        .zeros(Math.max(0, recordSize - 16))
        .finish()
      writer.bytes(fields.subarray(0, recordSize))
    }
  }
  return writer.finish()
}

function consecutiveBlocks (records: readonly CoreRecord[]): CoreBlock[] {
  const blocks: Array<{ section: string, records: CoreRecord[] }> = []
  for (const record of records) {
    const last = blocks.at(-1)
    if (last !== undefined && last.section === record.section) last.records.push(record)
    else blocks.push({ section: record.section, records: [record] })
  }
  return blocks
}

function funcInfo (spec: ObjectSpec, byteOrder: ByteOrder): Uint8Array {
  const writer = new ByteWriter(byteOrder).u32(8)
  forEachProgramBlock(spec, writer, start => writer.u32(start).u32(0))
  return writer.length === 4 ? new Uint8Array() : writer.finish()
}

function lineInfo (spec: ObjectSpec, byteOrder: ByteOrder): Uint8Array {
  const writer = new ByteWriter(byteOrder).u32(16)
  forEachProgramBlock(spec, writer, start => {
    writer.u32(start).u32(spec.local.string('test.bpf.c')).u32(spec.local.string('  return 0;')).u32((1 << 10) | 3)
  })
  return writer.length === 4 ? new Uint8Array() : writer.finish()
}

function forEachProgramBlock (spec: ObjectSpec, writer: ByteWriter, record: (start: number) => void): void {
  for (const [name, programs] of groupBySection(spec.programs)) {
    if (name === '') continue
    writer.u32(spec.local.string(name)).u32(programs.length)
    let start = 0
    for (const program of programs) {
      record(start)
      start += program.code.length
    }
  }
}
