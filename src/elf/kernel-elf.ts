import { AppError } from '../errors.js'
import { EM_BPF } from './constants.js'
import type { ElfFile } from './sections.js'

/**
 * An eBPF object has a `.BTF` of its own too, which must not be taken for a kernel's.
 *
 * @throws AppError `btf_invalid` for an ELF file of the BPF machine
 */
export function requireKernelElf ({ machine }: ElfFile): void {
  if (machine !== EM_BPF) return
  throw new AppError('btf_invalid',
    "The file is an eBPF object (machine 247): its .BTF is of the program's own types, not of a kernel's. " +
    "Give the kernel's: /sys/kernel/btf/vmlinux, a vmlinux, or what corelo btf export wrote.", { machine })
}
