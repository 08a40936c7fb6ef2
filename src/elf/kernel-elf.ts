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
    'The file is an eBPF object (machine 247): its .BTF describes the types of the program, not those of a kernel. ' +
    'Give the BTF of a kernel: /sys/kernel/btf/vmlinux, a vmlinux, or a file of corelo btf export.', { machine })
}
