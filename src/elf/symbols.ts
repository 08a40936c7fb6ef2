import { stringAt } from '../bytes/strings.js'
import { LIMITS } from '../limits.js'
import { SHT_REL, SHT_SYMTAB } from './constants.js'
import { REL, SYM } from './layout.js'
import { readU64, sectionBytes, type ElfFile, type ElfSection } from './sections.js'

/** A row of the symbol table. */
export interface ElfSymbol {
  /** Empty for the symbol of a section itself. */
  readonly name: string
  /** Index of the section that defines it; 0 for an extern. */
  readonly sectionIndex: number
  /** Bytes from the start of its section. */
  readonly value: number
  /** Bytes. */
  readonly size: number
  /** STT_FUNC, STT_OBJECT, STT_SECTION and so on. */
  readonly type: number
  /** STB_LOCAL, STB_GLOBAL or STB_WEAK. */
  readonly binding: number
}

/** The symbol table. A row is read when it is asked for, since an object has thousands and a question is about a few. */
export interface ElfSymbols {
  /** Rows. */
  readonly count: number
  /** Undefined past the table's end. */
  at (index: number): ElfSymbol | undefined
  /** Index of the section that defines a symbol of the table; 0 for an extern. */
  sectionOf (index: number): number
  /** Those that a section defines, in the table's order. */
  definedIn (sectionIndex: number): readonly ElfSymbol[]
}

/** They follow from the file alone, which is relocated for many kernels. */
const known = new WeakMap<ElfFile, ElfSymbols>()

/**
 * None where the object has no table. A name past the string table reads as empty, and so do all once those that were read have
 * more than LIMITS.namesBytes: names may overlap in the file, so that its size does not bound them.
 */
export function symbolsOf (elf: ElfFile): ElfSymbols {
  let symbols = known.get(elf)
  if (symbols === undefined) known.set(elf, symbols = readTable(elf))
  return symbols
}

function readTable (elf: ElfFile): ElfSymbols {
  const table = elf.sections.find(section => section.type === SHT_SYMTAB)
  const strings = elf.sections[table?.link ?? 0]
  if (table === undefined || strings === undefined) return { count: 0, at: () => undefined, sectionOf: () => 0, definedIn: () => [] }
  const names = sectionBytes(elf, strings)
  const count = Math.floor(table.size / SYM.SIZE)
  const rows = new Map<number, ElfSymbol>()
  const sections = new Map<number, readonly ElfSymbol[]>()
  let left: number = LIMITS.namesBytes

  const nameOf = (row: number): string => {
    const offset = elf.view.getUint32(row + SYM.name, elf.littleEndian)
    if (offset >= names.length || left <= 0) return ''
    const name = stringAt(names, offset)
    left -= name.length
    return name
  }
  const sectionOf = (index: number): number => elf.view.getUint16(table.offset + index * SYM.SIZE + SYM.shndx, elf.littleEndian)
  const at = (index: number): ElfSymbol | undefined => {
    if (index < 0 || index >= count) return undefined
    let symbol = rows.get(index)
    if (symbol === undefined) {
      symbol = new Row(elf, table.offset + index * SYM.SIZE, sectionOf(index), nameOf)
      rows.set(index, symbol)
    }
    return symbol
  }
  return {
    count,
    at,
    sectionOf,
    definedIn (sectionIndex) {
      let defined = sections.get(sectionIndex)
      if (defined === undefined) {
        const found: ElfSymbol[] = []
        for (let index = 0; index < count; index++) {
          const symbol = sectionOf(index) === sectionIndex ? at(index) : undefined
          if (symbol !== undefined) found.push(symbol)
        }
        sections.set(sectionIndex, defined = found)
      }
      return defined
    }
  }
}

/** A class, so that the accessor of the name is one of all rows: an accessor of each row's own costs as much as all the rest of it. */
class Row implements ElfSymbol {
  readonly sectionIndex: number
  readonly value: number
  readonly size: number
  readonly type: number
  readonly binding: number
  private readonly at: number
  private readonly nameOf: (row: number) => string
  private read: string | undefined

  /** @param at bytes from the start of the file */
  constructor ({ view, littleEndian }: ElfFile, at: number, sectionIndex: number, nameOf: (row: number) => string) {
    const info = view.getUint8(at + SYM.info)
    this.sectionIndex = sectionIndex
    this.value = readU64(view, at + SYM.value, littleEndian)
    this.size = readU64(view, at + SYM.size, littleEndian)
    this.type = info & 0xf
    this.binding = info >> 4
    this.at = at
    this.nameOf = nameOf
  }

  get name (): string {
    this.read ??= this.nameOf(this.at)
    return this.read
  }
}

/** Symbol indices of the ELF relocations of a section, by byte offset within the section. */
export type SymbolIndices = (section: ElfSection) => ReadonlyMap<number, number>

const knownIndices = new WeakMap<ElfFile, SymbolIndices>()

/** A section's relocations are read when they are first asked for; they follow from the file alone, which is relocated for many kernels. */
export function symbolIndices (elf: ElfFile): SymbolIndices {
  let indices = knownIndices.get(elf)
  if (indices === undefined) knownIndices.set(elf, indices = readIndices(elf))
  return indices
}

function readIndices (elf: ElfFile): SymbolIndices {
  let tables: ReadonlyMap<number, readonly ElfSection[]> | undefined
  const read = new Map<number, ReadonlyMap<number, number>>()
  return ({ index }) => {
    const known = read.get(index)
    if (known !== undefined) return known
    const indices = new Map<number, number>()
    tables ??= relocationTables(elf)
    for (const table of tables.get(index) ?? []) addIndices(elf, table, indices)
    read.set(index, indices)
    return indices
  }
}

/** By the index of the section that they are about. */
function relocationTables ({ sections }: ElfFile): ReadonlyMap<number, readonly ElfSection[]> {
  const tables = new Map<number, ElfSection[]>()
  for (const table of sections) {
    if (table.type !== SHT_REL || table.entsize !== REL.SIZE) continue
    const known = tables.get(table.info)
    if (known === undefined) tables.set(table.info, [table])
    else known.push(table)
  }
  return tables
}

function addIndices (elf: ElfFile, table: ElfSection, indices: Map<number, number>): void {
  for (let at = table.offset; at + REL.SIZE <= table.offset + table.size; at += REL.SIZE) {
    const offset = readU64(elf.view, at + REL.offset, elf.littleEndian)
    indices.set(offset, elf.view.getUint32(at + REL.info + (elf.littleEndian ? 4 : 0), elf.littleEndian))
  }
}
