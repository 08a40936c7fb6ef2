import { inflateSync } from 'node:zlib'
import { dataView } from '../../bytes/checked.js'
import { stringAt } from '../../bytes/strings.js'
import { SHT_PROGBITS } from '../../elf/constants.js'
import { requireKernelElf } from '../../elf/kernel-elf.js'
import { findLastSection, isElf, parseSections, readU64, sectionBytes, type ElfFile } from '../../elf/sections.js'
import { AppError, recode } from '../../errors.js'
import { isSegment } from '../../identity/reference.js'
import { BOUNDS } from '../bounds.js'
import type { Evidence } from '../../identity/evidence.js'
import { findBanner } from './banner.js'
import { readBuildId } from './build-id.js'

/** Machines that Linux has BTF on, by BTFHub's names. 21 is PowerPC of either byte order; the archive names the little-endian one. */
const ARCHS: ReadonlyMap<number, string> = new Map([
  [3, 'x86'], [22, 's390x'], [40, 'arm'], [62, 'x86_64'], [183, 'arm64'], [243, 'riscv64'], [258, 'loongarch64']
])
const EM_PPC64 = 21

const SHF_COMPRESSED = 0x800
const ELFCOMPRESS_ZLIB = 1
const ELFCOMPRESS_ZSTD = 2

/** Of one string in .modinfo. A name has at most 56 bytes, a vermagic some hundred; what a longer one says is of no interest. */
const MAX_FACT_BYTES = 1024

/** BTFHub's name of the architecture that a little-endian ELF file's header names; undefined for anything else. */
export function elfArch (bytes: Uint8Array): string | undefined {
  return isElf(bytes) && bytes[5] === 1 ? ARCHS.get(dataView(bytes).getUint16(18, true)) : undefined
}

/** An ELF file of a kernel: vmlinux, or a module. */
export interface ElfKernel {
  /** Name of the module; undefined for vmlinux. */
  readonly module: string | undefined
  readonly btf: Uint8Array | undefined
  /** `.BTF.base` of a module that was built outside the kernel's tree. */
  readonly distilledBase: Uint8Array | undefined
  readonly hasDwarf: boolean
  readonly evidence: Evidence
}

/**
 * Reads what an ELF file says of its kernel, and its BTF. The returned BTF is a view of the file, or unpacked from it.
 *
 * @throws AppError `btf_invalid`
 */
export async function readElfKernel (bytes: Uint8Array): Promise<ElfKernel> {
  const elf = parse(bytes)
  requireKernelElf(elf)
  const facts = moduleFacts(elf)
  const banner = facts === undefined ? findBanner(bytes) : undefined
  const arch = elf.machine === EM_PPC64 ? elf.littleEndian ? 'ppc64le' : 'ppc64' : ARCHS.get(elf.machine)
  return {
    module: facts?.name,
    btf: await readSection(elf, '.BTF'),
    distilledBase: await readSection(elf, '.BTF.base'),
    hasDwarf: elf.sectionsByName.has('.debug_info') || elf.sectionsByName.has('.zdebug_info'),
    evidence: {
      arch,
      release: facts?.release ?? banner?.release,
      kernelVersion: banner?.kernelVersion,
      buildId: facts === undefined ? readBuildId(elf) : undefined
    }
  }
}

/**
 * What a module's `.modinfo` says: strings `key=value`, each ended by a NUL. `vermagic` begins with the release. Undefined where
 * the file is no module.
 */
function moduleFacts (elf: ElfFile): { name: string, release: string | undefined } | undefined {
  const section = findLastSection(elf, '.modinfo')
  if (section === undefined || !elf.sectionsByName.has('.gnu.linkonce.this_module')) return undefined
  const bytes = sectionBytes(elf, section)
  let name: string | undefined
  let release: string | undefined
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at)
    const text = stringAt(bytes.subarray(at, at + MAX_FACT_BYTES), 0)
    if (text.startsWith('name=')) name = text.slice('name='.length)
    if (text.startsWith('vermagic=')) release = text.slice('vermagic='.length).split(' ', 1)[0]
    at = end === -1 ? bytes.length : end + 1
  }
  return {
    name: name !== undefined && isSegment(name) ? name : '',
    release: release !== undefined && isSegment(release) ? release : undefined
  }
}

async function readSection (elf: ElfFile, name: string): Promise<Uint8Array | undefined> {
  const section = findLastSection(elf, name)
  if (section === undefined || section.type !== SHT_PROGBITS) return undefined
  const bytes = sectionBytes(elf, section)
  if (bytes.length === 0) return undefined
  return Math.floor(section.flags / SHF_COMPRESSED) % 2 === 0 ? bytes : await unpackSection(elf, bytes, name)
}

/**
 * A compressed section begins with what it is packed with and how large it is:
 *
 *     Elf64_Chdr: ch_type:u32 ch_reserved:u32 ch_size:u64 ch_addralign:u64      Elf32_Chdr: ch_type:u32 ch_size:u32 ch_addralign:u32
 */
async function unpackSection (elf: ElfFile, bytes: Uint8Array, name: string): Promise<Uint8Array> {
  const headerSize = elf.is64 ? 24 : 12
  if (bytes.length < headerSize) throw invalid(`Section ${name} is marked as compressed, but has only ${bytes.length} bytes.`, name)
  const view = dataView(bytes)
  const type = view.getUint32(0, elf.littleEndian)
  const size = elf.is64 ? readU64(view, 8, elf.littleEndian) : view.getUint32(4, elf.littleEndian)
  if (size > BOUNDS.module) {
    const message = `Section ${name} says that it has ${size} bytes; at most ${BOUNDS.module} are read.`
    throw new AppError('too_large', message, { limit: BOUNDS.module })
  }
  const unpacked = await inflateSection(type, bytes.subarray(headerSize), size, name)
  if (unpacked.length !== size) throw invalid(`Section ${name} decompresses to ${unpacked.length} bytes instead of ${size}.`, name)
  return unpacked
}

async function inflateSection (type: number, packed: Uint8Array, size: number, name: string): Promise<Uint8Array> {
  if (type === ELFCOMPRESS_ZSTD) {
    const { unpackWhole } = await import('../decompress/decompress.js')
    return await unpackWhole('zstd', packed, size)
  }
  if (type !== ELFCOMPRESS_ZLIB) throw invalid(`Section ${name} has the compression type ${type}, which ELF does not define.`, name)
  try {
    return inflateSync(packed, { maxOutputLength: Math.max(size, 1) })
  } catch (error) {
    throw invalid(`Section ${name} does not decompress to the ${size} bytes that its header claims.`, name, error)
  }
}

function parse (bytes: Uint8Array): ElfFile {
  try {
    return parseSections(bytes)
  } catch (error) {
    throw error instanceof AppError && error.code === 'object_invalid' ? recode(error, 'btf_invalid') : error
  }
}

function invalid (message: string, section: string, cause?: unknown): AppError {
  return new AppError('btf_invalid', message, { section }, { cause })
}
