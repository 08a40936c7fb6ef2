import { parseBpfElf, type BpfElf, type ElfFunction } from '../elf/functions.js'
import { findLastSection, sectionBytes, type ElfFile } from '../elf/sections.js'
import { SHT_PROGBITS } from '../elf/constants.js'
import type { Btf } from '../btf/btf.js'
import { BTF_EXT_HEADER } from '../btf/layout.js'
import { parseBtfExt, type BtfExt } from '../btf/ext.js'
import { detectByteOrder } from '../btf/header.js'
import { parseRawBtf } from '../btf/parse.js'
import { AppError, recode } from '../errors.js'

/** A parsed eBPF object: everything relocation needs to know of it. Holds `bytes` and never changes them. */
export interface BpfObject {
  readonly bytes: Uint8Array
  readonly elf: BpfElf
  /** The object's own ("local") BTF. */
  readonly btf: Btf
  /** Undefined where the object has no `.BTF.ext`, and so no relocations. */
  readonly ext: BtfExt | undefined
  /** Byte offset of `.BTF.ext` in the file. */
  readonly extOffset: number
}

/**
 * Parses an eBPF object.
 *
 * Stricter than libbpf in one thing: broken `.BTF` or `.BTF.ext`, which libbpf drops with a warning and so loads the program
 * unrelocated, is an error here. An object without any relocations does not concern libbpf, so we accept it too: it may
 * lack `.BTF`, and have functions that libbpf refuses and other loaders take.
 *
 * @throws AppError `object_invalid` with the section and byte offset in `details`
 */
export function parseObject (bytes: Uint8Array): BpfObject {
  try {
    return parseWith(parseBpfElf(bytes))
  } catch (error) {
    const plain = error instanceof AppError ? parseWithoutRelocations(bytes) : undefined
    if (plain === undefined) throw error
    return plain
  }
}

function parseWith (elf: BpfElf): BpfObject {
  const { bytes } = elf
  const btf = parseOwnBtf(elf)
  const section = findLastSection(elf, '.BTF.ext')
  if (section === undefined) return { bytes, elf, btf, ext: undefined, extOffset: 0 }
  requireProgbits(section)
  return { bytes, elf, btf, ext: parseBtfExt(sectionBytes(elf, section), btf), extOffset: section.offset }
}

/** An object in which nothing is relocated, whatever libbpf has against it. Undefined where something is, or may be. */
function parseWithoutRelocations (bytes: Uint8Array): BpfObject | undefined {
  try {
    const elf = parseBpfElf(bytes, { anyFunctions: true })
    if (findLastSection(elf, '.BTF') !== undefined) {
      const object = parseWith(elf)
      return object.ext?.coreRelo === undefined ? object : undefined
    }
    if (listsRelocations(elf)) return undefined
    return { bytes, elf, btf: parseRawBtf(EMPTY_BTF[elf.byteOrder], { pointerSize: 8, indexNames: false }), ext: undefined, extOffset: 0 }
  } catch (error) {
    if (error instanceof AppError) return undefined
    throw error
  }
}

/** Whether `.BTF.ext` has relocations, by its header: without `.BTF`, whose strings it needs, it cannot be read. */
export function listsRelocations (elf: ElfFile): boolean {
  const ext = findLastSection(elf, '.BTF.ext')
  if (ext === undefined) return false
  const { offset, size } = ext
  const hdrLen = size < BTF_EXT_HEADER.CORE_SIZE ? 0 : elf.view.getUint32(offset + BTF_EXT_HEADER.hdrLen, elf.littleEndian)
  return hdrLen >= BTF_EXT_HEADER.CORE_SIZE && elf.view.getUint32(offset + BTF_EXT_HEADER.coreReloLen, elf.littleEndian) > 0
}

/** BTF without types: a header of 24 bytes, and one empty string. */
const EMPTY_BTF = {
  little: Uint8Array.of(0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0),
  big: Uint8Array.of(0xeb, 0x9f, 1, 0, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0)
} as const

/** The function that holds the instruction at a byte offset of a section: libbpf's find_prog_by_sec_insn. */
export function findFunction (elf: BpfElf, sectionIndex: number, offset: number): ElfFunction | undefined {
  const { functions } = elf
  let low = 0
  let high = functions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const fn = functions[middle]
    if (fn === undefined) break
    const isBefore = fn.section.index < sectionIndex || (fn.section.index === sectionIndex && fn.start <= offset)
    if (isBefore) low = middle + 1
    else high = middle
  }
  const fn = functions[low - 1]
  return fn !== undefined && fn.section.index === sectionIndex && offset < fn.start + fn.size ? fn : undefined
}

/** Whether libbpf loads the function without being asked: those of `?` sections wait for the application's word. */
export function isAutoloaded (fn: ElfFunction): boolean { return !fn.section.name.startsWith('?') }

function parseOwnBtf (elf: BpfElf): Btf {
  const section = findLastSection(elf, '.BTF')
  if (section === undefined) {
    throw new AppError(
      'object_invalid',
      'The object has no .BTF section, which says what types its instructions use. ' +
      'Compile it with clang -g, and strip it only with llvm-strip -g.',
      { section: '.BTF' }
    )
  }
  requireProgbits(section)
  const bytes = sectionBytes(elf, section)
  const byteOrder = detectByteOrder(bytes)
  if (byteOrder !== undefined && byteOrder !== elf.byteOrder) {
    throw new AppError(
      'object_invalid',
      `The object is ${elf.byteOrder}-endian, but its .BTF is ${byteOrder}-endian.`,
      { section: '.BTF', offset: 0 }
    )
  }
  try {
    return parseRawBtf(bytes, { pointerSize: 8, indexNames: false })
  } catch (error) {
    throw error instanceof AppError && error.code === 'btf_invalid' ? recode(error, 'object_invalid', { section: '.BTF' }) : error
  }
}

function requireProgbits (section: { name: string, type: number }): void {
  if (section.type !== SHT_PROGBITS) {
    throw new AppError(
      'object_invalid',
      `Section ${section.name} has type ${section.type} instead of PROGBITS (1).`,
      { section: section.name }
    )
  }
}
