/** ELF constants, by their names in elf.h. @see https://gabi.xinuos.com/elf/a-ecodes.html */

export const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46] as const

export const ELFCLASS32 = 1
export const ELFCLASS64 = 2
export const ELFDATA2LSB = 1
export const ELFDATA2MSB = 2

export const ET_REL = 1

export const EM_NONE = 0
export const EM_BPF = 247

/** The real section name index is in sh_link of section 0. */
export const SHN_XINDEX = 0xffff

export const SHT_PROGBITS = 1
export const SHT_SYMTAB = 2
export const SHT_NOBITS = 8
export const SHT_REL = 9

export const SHF_EXECINSTR = 0x4

export const STB_LOCAL = 0
export const STB_WEAK = 2
export const STT_NOTYPE = 0
export const STT_OBJECT = 1
export const STT_FUNC = 2
export const STV_INTERNAL = 1
export const STV_HIDDEN = 2

/** Names of the machines that people upload by mistake, for a message that says what the file is. */
export const MACHINE_NAMES: ReadonlyMap<number, string> = new Map([
  [3, 'x86'], [8, 'MIPS'], [20, 'PowerPC'], [21, 'PowerPC64'], [22, 's390'], [40, 'ARM'],
  [62, 'x86-64'], [183, 'AArch64'], [243, 'RISC-V'], [258, 'LoongArch']
])
