import type { Btf } from '../btf/btf.js'
import { relocateDistilledBase } from '../btf/distilled-base.js'
import { parseRawBtf, type ParseRawBtfOptions } from '../btf/parse.js'
import { requireKernelElf } from '../elf/kernel-elf.js'
import { findLastSection, isElf, parseSections, sectionBytes, type ElfFile } from '../elf/sections.js'
import { SHT_PROGBITS } from '../elf/constants.js'
import { AppError, recode } from '../errors.js'

export type ParseBtfOptions = Omit<ParseRawBtfOptions, 'indexNames'>

/**
 * Parses a target BTF: raw, or an ELF file (vmlinux, a module) with a `.BTF` section. The class of the ELF tells the pointer
 * size. A module's `.BTF` that was built on a distilled base (`.BTF.base`) is put on the real one, which must be given.
 *
 * @throws AppError `btf_invalid`
 */
export function parseBtf (bytes: Uint8Array, options: ParseBtfOptions = {}): Btf {
  if (!isElf(bytes)) return parseRawBtf(bytes, options)
  const elf = asBtfError(() => parseSections(bytes))
  requireKernelElf(elf)
  const own = btfSection(elf, '.BTF')
  if (own === undefined) {
    throw new AppError(
      'btf_invalid',
      'The ELF file has no .BTF section; the kernel was built without CONFIG_DEBUG_INFO_BTF, or the section was stripped.',
      { section: '.BTF' }
    )
  }
  const pointerSize = options.pointerSize ?? (elf.is64 ? 8 : 4)
  const distilled = btfSection(elf, '.BTF.base')
  if (distilled === undefined) return parseRawBtf(own, { ...options, pointerSize })
  if (options.base === undefined) {
    throw new AppError(
      'btf_invalid',
      'The file has a distilled base (.BTF.base), so it is the BTF of a module. Give the vmlinux BTF first, which is its base.',
      { section: '.BTF.base' }
    )
  }
  return parseRawBtf(relocateDistilledBase(own, distilled, options.base), { ...options, pointerSize })
}

function btfSection (elf: ElfFile, name: string): Uint8Array | undefined {
  const section = findLastSection(elf, name)
  if (section === undefined) return undefined
  if (section.type !== SHT_PROGBITS) {
    throw new AppError('btf_invalid', `Section ${name} has type ${section.type} instead of PROGBITS (1).`, { section: name })
  }
  return sectionBytes(elf, section)
}

function asBtfError<T> (parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw error instanceof AppError && error.code === 'object_invalid' ? recode(error, 'btf_invalid') : error
  }
}
