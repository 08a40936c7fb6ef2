/**
 * Offsets and sizes, in bytes, of the ELF64 records that we read.
 *
 *     Elf64_Ehdr: e_ident[16] e_type:u16 e_machine:u16 e_version:u32 e_entry:u64 e_phoff:u64 e_shoff:u64 e_flags:u32
 *                 e_ehsize:u16 e_phentsize:u16 e_phnum:u16 e_shentsize:u16 e_shnum:u16 e_shstrndx:u16
 *     Elf64_Shdr: sh_name:u32 sh_type:u32 sh_flags:u64 sh_addr:u64 sh_offset:u64 sh_size:u64 sh_link:u32 sh_info:u32
 *                 sh_addralign:u64 sh_entsize:u64
 *     Elf64_Sym:  st_name:u32 st_info:u8 st_other:u8 st_shndx:u16 st_value:u64 st_size:u64
 *     Elf64_Rel:  r_offset:u64 r_info:u64
 *
 * @see https://gabi.xinuos.com/elf/02-eheader.html
 */
export const EHDR = { class: 4, data: 5, type: 16, machine: 18, shoff: 40, shentsize: 58, shnum: 60, shstrndx: 62, SIZE: 64 } as const
export const SHDR = { name: 0, type: 4, flags: 8, offset: 24, size: 32, link: 40, info: 44, entsize: 56, SIZE: 64 } as const
export const SYM = { name: 0, info: 4, other: 5, shndx: 6, value: 8, size: 16, SIZE: 24 } as const
/** The high half of r_info is the symbol's index. */
export const REL = { offset: 0, info: 8, SIZE: 16 } as const

/** The fields of a 32-bit object that are needed to find a section: a target BTF may come in one (a 32-bit kernel's vmlinux). */
export const EHDR32 = { shoff: 32, shentsize: 46, shnum: 48, shstrndx: 50, SIZE: 52 } as const
export const SHDR32 = { name: 0, type: 4, flags: 8, offset: 16, size: 20, link: 24, info: 28, entsize: 36, SIZE: 40 } as const
