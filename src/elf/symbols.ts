import { stringAt } from '../bytes/strings.js'
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
  /** STB_LOCAL, STB_GLOBAL or STB_WEAK. */
  readonly binding: number
  /** STT_FUNC, STT_OBJECT, STT_SECTION and so on. */
  readonly type: number
  /** STV_DEFAULT, STV_INTERNAL, STV_HIDDEN or STV_PROTECTED. */
  readonly visibility: number
}

/** All symbols, in the table's order; none where the object has no table. A name past the string table reads as empty. */
export function readSymbols (elf: ElfFile): ElfSymbol[] {
  const table = elf.sections.find(section => section.type === SHT_SYMTAB)
  const strings = elf.sections[table?.link ?? 0]
  if (table === undefined || strings === undefined) return []
  const names = sectionBytes(elf, strings)
  const symbols: ElfSymbol[] = []
  for (let at = table.offset; at + SYM.SIZE <= table.offset + table.size; at += SYM.SIZE) {
    const nameOffset = elf.view.getUint32(at + SYM.name, elf.littleEndian)
    const info = elf.view.getUint8(at + SYM.info)
    symbols.push({
      name: nameOffset < names.length ? stringAt(names, nameOffset) : '',
      sectionIndex: elf.view.getUint16(at + SYM.shndx, elf.littleEndian),
      value: readU64(elf.view, at + SYM.value, elf.littleEndian),
      size: readU64(elf.view, at + SYM.size, elf.littleEndian),
      binding: info >> 4,
      type: info & 0xf,
      visibility: elf.view.getUint8(at + SYM.other) & 3
    })
  }
  return symbols
}

/** The symbol index of each ELF relocation of a section, by byte offset within the section. */
export function symbolIndices (elf: ElfFile, section: ElfSection): ReadonlyMap<number, number> {
  const indices = new Map<number, number>()
  for (const table of elf.sections) {
    if (table.type !== SHT_REL || table.info !== section.index || table.entsize !== REL.SIZE) continue
    for (let at = table.offset; at + REL.SIZE <= table.offset + table.size; at += REL.SIZE) {
      indices.set(readU64(elf.view, at + REL.offset, elf.littleEndian), elf.view.getUint32(at + REL.info + (elf.littleEndian ? 4 : 0), elf.littleEndian))
    }
  }
  return indices
}
