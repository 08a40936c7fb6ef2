import { createNameReader, stringAt } from '../bytes/strings.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import {
  EM_BPF, EM_NONE, ET_REL, MACHINE_NAMES, SHF_EXECINSTR, SHT_PROGBITS, SHT_REL, SHT_SYMTAB, STB_LOCAL, STT_FUNC, STV_HIDDEN, STV_INTERNAL
} from './constants.js'
import { REL, SYM } from './layout.js'
import { parseSections, readU64, sectionBytes, type ElfFile, type ElfSection } from './sections.js'
import { symbolIndices } from './symbols.js'

/** Bytes of one BPF instruction slot. */
const INSN_SIZE = 8

/** A function of an executable section: what libbpf calls a program, or a subprogram where the section is `.text`. */
export interface ElfFunction {
  readonly name: string
  readonly section: ElfSection
  /** Bytes from the start of the section. */
  readonly start: number
  /** Bytes, a multiple of 8. */
  readonly size: number
  /** Whether its symbol is seen outside of the object: neither static nor hidden. The kernel verifies such a subprogram by itself. */
  readonly isGlobal: boolean
}

export interface ParseElfOptions {
  /**
   * Leaves out what libbpf has something against, instead of refusing the object: where nothing is relocated, that is its loader's
   * business.
   */
  readonly anyFunctions?: boolean
}

/** An ELF file that has passed the checks libbpf makes before it looks at BTF. */
export interface BpfElf extends ElfFile {
  /** Sorted by section index, then by start. Aliases (two names for one start) stay, in symbol order. */
  readonly functions: readonly ElfFunction[]
}

/**
 * Reads an eBPF object: 64-bit, relocatable, machine 247 (or 0, as old LLVM wrote), one symbol table, and functions that lie
 * within their sections. The rules and their order are libbpf's (bpf_object__elf_init, elf_collect, add_programs).
 *
 * @throws AppError `object_invalid` with the section or symbol in `details`.
 */
export function parseBpfElf (bytes: Uint8Array, { anyFunctions = false }: ParseElfOptions = {}): BpfElf {
  const elf = parseSections(bytes)
  if (!elf.is64) throw invalid('The object is 32-bit ELF; eBPF objects are 64-bit, for 32-bit kernels too.', { offset: 4 })
  if (elf.type !== ET_REL) {
    throw invalid(
      `The ELF file has type ${elf.type}, not relocatable (1); pass the object that clang wrote, not a linked program.`,
      { offset: 16 }
    )
  }
  if (elf.machine !== EM_BPF && elf.machine !== EM_NONE) {
    const name = MACHINE_NAMES.get(elf.machine)
    throw invalid(
      `The ELF file is for machine ${elf.machine}${name === undefined ? '' : ` (${name})`}, not for BPF (247); ` +
      'compile with -target bpf.',
      { offset: 18, machine: elf.machine }
    )
  }
  return withFunctions(elf, readFunctions(elf, anyFunctions))
}

/** Names the members one by one, because V8 gives the copies that spreading makes a new hidden class each. */
function withFunctions (elf: ElfFile, functions: readonly ElfFunction[]): BpfElf {
  const { bytes, view, littleEndian, byteOrder, is64, type, machine, sections, sectionsByName } = elf
  return { bytes, view, littleEndian, byteOrder, is64, type, machine, sections, sectionsByName, functions }
}

/** Whether the section holds instructions. An empty one is skipped, as libbpf does. */
export function isProgramSection (section: ElfSection): boolean {
  return section.type === SHT_PROGBITS && section.size > 0 && Math.floor(section.flags / SHF_EXECINSTR) % 2 === 1
}

/**
 * Byte offsets, within `section`, that ELF relocations (map, call and data references) will rewrite at load.
 *
 * @throws AppError `object_invalid` when a relocation section is malformed.
 */
export function relocatedOffsets (elf: ElfFile, section: ElfSection): { readonly has: (offset: number) => boolean } {
  if (!checked.has(elf)) {
    requireFewRelocations(elf)
    checked.add(elf)
  }
  if (!checked.has(section)) {
    requireWholeEntries(elf, section)
    checked.add(section)
  }
  return symbolIndices(elf)(section)
}

/** Files and sections whose relocations are well-formed: that follows from the file alone, which is relocated for many kernels. */
const checked = new WeakSet<ElfFile | ElfSection>()

/** Tables may overlap in the file, so that its size does not bound them. */
function requireFewRelocations (elf: ElfFile): void {
  const tables = elf.sections.filter(({ type, info }) => {
    const section = elf.sections[info]
    return type === SHT_REL && section !== undefined && isProgramSection(section)
  })
  const count = tables.reduce((sum, { size }) => sum + Math.floor(size / REL.SIZE), 0)
  if (count > LIMITS.elfRelocations) {
    throw invalid(
      `The code of the object has ${count} ELF relocations; at most ${LIMITS.elfRelocations} are read.`,
      { limit: LIMITS.elfRelocations }
    )
  }
}

function requireWholeEntries (elf: ElfFile, section: ElfSection): void {
  for (const table of elf.sections) {
    if (table.type !== SHT_REL || table.info !== section.index) continue
    if (table.entsize !== REL.SIZE || table.size % REL.SIZE !== 0) {
      throw invalid(
        `Relocation section ${table.name} has ${table.size} bytes in entries of ${table.entsize}; entries have ${REL.SIZE}.`,
        { section: table.name }
      )
    }
  }
}

/** An instruction that refers to a symbol which the object does not define. */
export interface ExternReference {
  /** Of the code. */
  readonly sectionIndex: number
  /** Of the instruction, in bytes from the start of the section. */
  readonly offset: number
  readonly name: string
}

/** What ELF relocations say of symbols that the kernel, or user space, is to provide. */
export function externReferences (elf: ElfFile): ExternReference[] {
  const externs = externNames(elf)
  const references: ExternReference[] = []
  if (externs.size === 0) return references
  for (const table of elf.sections) {
    if (table.type !== SHT_REL || table.entsize !== REL.SIZE) continue
    for (let at = table.offset; at + REL.SIZE <= table.offset + table.size; at += REL.SIZE) {
      const name = externs.get(elf.view.getUint32(at + REL.info + (elf.littleEndian ? 4 : 0), elf.littleEndian))
      if (name !== undefined) {
        references.push({ sectionIndex: table.info, offset: readU64(elf.view, at + REL.offset, elf.littleEndian), name })
      }
    }
  }
  return references
}

/** Names of undefined symbols, by the symbol's index. */
function externNames (elf: ElfFile): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  const table = elf.sections.find(section => section.type === SHT_SYMTAB)
  const strings = elf.sections[table?.link ?? 0]
  if (table === undefined || strings === undefined) return names
  const bytes = sectionBytes(elf, strings)
  for (let index = 1; (index + 1) * SYM.SIZE <= table.size; index++) {
    const at = table.offset + index * SYM.SIZE
    const nameOffset = elf.view.getUint32(at + SYM.name, elf.littleEndian)
    const isUndefined = elf.view.getUint16(at + SYM.shndx, elf.littleEndian) === 0
    if (isUndefined && nameOffset > 0 && nameOffset < bytes.length) names.set(index, stringAt(bytes, nameOffset))
  }
  return names
}

/** Visibilities of symbols that no other object sees. */
const UNSEEN: ReadonlySet<number> = new Set([STV_INTERNAL, STV_HIDDEN])

function readFunctions (elf: ElfFile, anyFunctions: boolean): ElfFunction[] {
  const tables = elf.sections.filter(section => section.type === SHT_SYMTAB)
  const table = tables[0]
  if (anyFunctions && tables.length !== 1) return []
  if (table === undefined) {
    throw invalid('The object has no symbol table, so its programs cannot be found. Strip it only with llvm-strip -g, not with -s.', {})
  }
  if (tables.length > 1) throw invalid(`The object has ${tables.length} symbol tables; one is allowed.`, { section: tables[1]?.name })
  const strings = elf.sections[table.link]
  if (table.link === 0 || strings === undefined) {
    throw invalid(`The symbol table names section ${table.link} as its strings, but there is no such section.`, { section: table.name })
  }
  if (table.size % SYM.SIZE !== 0) {
    throw invalid(`The symbol table has ${table.size} bytes, not a multiple of ${SYM.SIZE}.`, { section: table.name })
  }
  const names = sectionBytes(elf, strings)
  const reader = createNameReader(names, (problem, offset) => invalid(
    `The symbols' string table has ${problem}.`,
    { section: strings.name, offset: strings.offset + offset }
  ))

  const functions: ElfFunction[] = []
  for (let at = table.offset; at < table.offset + table.size; at += SYM.SIZE) {
    const info = elf.view.getUint8(at + SYM.info)
    const section = elf.sections[elf.view.getUint16(at + SYM.shndx, elf.littleEndian)]
    if ((info & 0xf) !== STT_FUNC || section === undefined || !isProgramSection(section)) continue
    const nameOffset = elf.view.getUint32(at + SYM.name, elf.littleEndian)
    if (nameOffset >= names.length) {
      throw invalid(`A function of section ${section.name} has its name past the string table.`, { section: section.name, offset: at })
    }
    const fn = {
      name: reader.read(nameOffset),
      section,
      start: readU64(elf.view, at + SYM.value, elf.littleEndian),
      size: readU64(elf.view, at + SYM.size, elf.littleEndian),
      isGlobal: info >> 4 !== STB_LOCAL && !UNSEEN.has(elf.view.getUint8(at + SYM.other) & 3)
    }
    const problem = problemOf(fn, info >> 4)
    if (problem !== undefined && !anyFunctions) throw problem
    if (problem === undefined) functions.push(fn)
  }
  return functions.sort((a, b) => a.section.index - b.section.index || a.start - b.start)
}

/** What libbpf has against a function. */
function problemOf (fn: ElfFunction, binding: number): AppError | undefined {
  const place = { section: fn.section.name, program: fn.name, offset: fn.start }
  if (fn.size === 0 || fn.start % INSN_SIZE !== 0 || fn.size % INSN_SIZE !== 0) {
    return invalid(
      `Function ${fn.name} spans ${fn.size} bytes from ${fn.start}; both must be multiples of ${INSN_SIZE}, the size of an instruction.`,
      place
    )
  }
  if (fn.start + fn.size > fn.section.size) {
    return invalid(
      `Function ${fn.name} ends at ${fn.start + fn.size}, past its section ${fn.section.name} of ${fn.section.size} bytes.`,
      place
    )
  }
  if (binding === STB_LOCAL && fn.section.name !== '.text') {
    return invalid(`Function ${fn.name} in section ${fn.section.name} is static; only functions in .text may be static.`, place)
  }
  return undefined
}

function invalid (message: string, details: Record<string, unknown>): AppError {
  return new AppError('object_invalid', message, details)
}
