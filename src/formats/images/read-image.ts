import { detectByteOrder } from '../../btf/header.js'
import { isElf } from '../../elf/sections.js'
import { mergeEvidence, type Evidence } from '../../identity/evidence.js'
import { detectCompression, unpackWhole } from '../decompress/decompress.js'
import { NO_BTF, type Found } from '../found.js'
import { findBanner } from './banner.js'
import { scanForBuildId } from './build-id.js'
import { readElfKernel } from './elf-kernel.js'
import { detectKernelImage, unpackKernelImage } from './kernel-image.js'
import { scanForBtf } from './scan-btf.js'

/** What is known of the file from around it. */
export interface Surroundings {
  readonly place: string
  readonly evidence: Evidence
  /** Name of the module, where the path of the file tells. */
  readonly module?: string
}

/**
 * The BTF of one file of a kernel: raw BTF, ELF, or a bootable image, which is unpacked; each of them packed or not, as Ubuntu's and
 * Enterprise Linux's vmlinuz for arm64 is an Image in gzip.
 *
 * What is found in a larger file is a copy, so that the file can go: `slice` of a Buffer is a view, which would keep all of it.
 *
 * @param maxBytes of what it unpacks to
 * @param isUnpacked the file was packed as a whole, which nothing is twice
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function readFileOfKernel (
  bytes: Uint8Array,
  around: Surroundings,
  maxBytes: number,
  isUnpacked = false
): Promise<Found> {
  if (detectByteOrder(bytes) !== undefined) return fromRawBtf(bytes, around)
  if (isElf(bytes)) return await fromElf(bytes, around)
  const format = detectKernelImage(bytes)
  if (format === undefined) {
    const compression = isUnpacked ? undefined : detectCompression(bytes)
    if (compression !== undefined) return await readFileOfKernel(await unpackWhole(compression, bytes, maxBytes), around, maxBytes, true)
    const reason = 'The file is neither BTF, ELF, nor a kernel image.'
    return { kind: 'unread', place: around.place, reason, evidence: around.evidence, code: 'btf_invalid' }
  }
  const image = await unpackKernelImage(bytes, format, maxBytes)
  const evidence = mergeEvidence({ arch: image.arch }, around.evidence)
  if (isElf(image.bytes)) return await fromElf(image.bytes, { ...around, evidence })
  const known = mergeEvidence({ ...findBanner(image.bytes), buildId: scanForBuildId(image.bytes) }, evidence)
  const btf = scanForBtf(image.bytes)
  if (btf !== undefined) return { kind: 'vmlinux', place: around.place, btf: new Uint8Array(btf), evidence: known }
  return { kind: 'unread', place: around.place, reason: NO_BTF, evidence: known, code: 'btf_invalid' }
}

/** Raw BTF says nothing of its kernel. That of a module has no empty string at its start. */
function fromRawBtf (btf: Uint8Array, { place, evidence, module }: Surroundings): Found {
  return module === undefined
    ? { kind: 'vmlinux', place, btf, evidence }
    : { kind: 'module', place, name: module, btf, distilledBase: undefined, evidence }
}

async function fromElf (bytes: Uint8Array, { place, evidence: around, module }: Surroundings): Promise<Found> {
  const elf = await readElfKernel(bytes)
  const evidence = mergeEvidence(elf.evidence, around)
  const unread = (reason: string): Found => ({ kind: 'unread', place, reason, evidence, code: 'btf_invalid' })
  if (elf.module !== undefined) {
    const name = elf.module || module
    if (elf.btf === undefined) return unread('This module was built without BTF (no CONFIG_DEBUG_INFO_BTF_MODULES).')
    if (name === undefined) return unread('The module does not say its name.')
    const distilledBase = elf.distilledBase === undefined ? undefined : new Uint8Array(elf.distilledBase)
    return { kind: 'module', place, name, btf: new Uint8Array(elf.btf), distilledBase, evidence }
  }
  if (elf.btf !== undefined) return { kind: 'vmlinux', place, btf: new Uint8Array(elf.btf), evidence }
  if (elf.hasDwarf) return { kind: 'dwarf', place, image: bytes, evidence }
  return unread(evidence.release === undefined ? 'The ELF file has no .BTF section, and is no kernel.' : NO_BTF)
}
