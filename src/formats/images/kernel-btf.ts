import { isElf } from '../../elf/sections.js'
import { AppError } from '../../errors.js'
import { findBanner, type Banner } from './banner.js'
import { findBuildId } from './build-id.js'
import { readElfKernel } from './elf-kernel.js'
import { detectKernelImage, unpackKernelImage } from './kernel-image.js'
import { scanForBtf } from './scan-btf.js'

/** What a kernel's image says of itself. */
export interface KernelBtf {
  /** Raw BTF, not validated; undefined where the kernel was built without. */
  readonly btf: Uint8Array | undefined
  readonly arch: string | undefined
  /** Undefined where there is none, or where two disagree. */
  readonly banner: Banner | undefined
  /** The GNU build-id in hex, as /sys/kernel/notes has it. */
  readonly buildId: string | undefined
}

/**
 * Reads a kernel's file out of a package: vmlinuz in any of its forms, or vmlinux.
 *
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function readKernelBtf (bytes: Uint8Array): Promise<KernelBtf> {
  const format = detectKernelImage(bytes)
  const image = format === undefined ? { bytes, arch: undefined } : await unpackKernelImage(bytes, format)
  if (isElf(image.bytes)) {
    const { btf, evidence } = await readElfKernel(image.bytes)
    return { btf: btf?.slice(), arch: evidence.arch ?? image.arch, banner: findBanner(image.bytes), buildId: findBuildId(image.bytes) }
  }
  if (format === undefined) throw new AppError('btf_invalid', 'The file is no kernel: neither ELF nor a bootable image.')
  return { btf: scanForBtf(image.bytes)?.slice(), arch: image.arch, banner: findBanner(image.bytes), buildId: findBuildId(image.bytes) }
}
