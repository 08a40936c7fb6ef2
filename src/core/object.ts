import { parseBpfElf, type BpfElf, type ElfFunction } from '../elf/functions.js'
import { findLastSection, sectionBytes } from '../elf/sections.js'
import { SHT_PROGBITS } from '../elf/constants.js'
import type { Btf } from '../btf/btf.js'
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
 * unrelocated, is an error here, and so is an object without `.BTF`.
 *
 * @throws AppError `object_invalid` with the section and byte offset in `details`
 */
export function parseObject (bytes: Uint8Array): BpfObject {
  const elf = parseBpfElf(bytes)
  const btf = parseOwnBtf(elf)
  const section = findLastSection(elf, '.BTF.ext')
  if (section === undefined) return { bytes, elf, btf, ext: undefined, extOffset: 0 }
  requireProgbits(section)
  return { bytes, elf, btf, ext: parseBtfExt(sectionBytes(elf, section), btf), extOffset: section.offset }
}

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
    throw new AppError('object_invalid', 'The object has no .BTF section, so that nothing tells what its instructions mean; compile it with clang -g, and strip it with llvm-strip -g at most.', { section: '.BTF' })
  }
  requireProgbits(section)
  const bytes = sectionBytes(elf, section)
  const byteOrder = detectByteOrder(bytes)
  if (byteOrder !== undefined && byteOrder !== elf.byteOrder) {
    throw new AppError('object_invalid', `The object is ${elf.byteOrder}-endian, but its .BTF is ${byteOrder}-endian.`, { section: '.BTF', offset: 0 })
  }
  try {
    return parseRawBtf(bytes, { pointerSize: 8, indexNames: false })
  } catch (error) {
    throw error instanceof AppError && error.code === 'btf_invalid' ? recode(error, 'object_invalid', { section: '.BTF' }) : error
  }
}

function requireProgbits (section: { name: string, type: number }): void {
  if (section.type !== SHT_PROGBITS) throw new AppError('object_invalid', `Section ${section.name} has type ${section.type} instead of PROGBITS (1).`, { section: section.name })
}
