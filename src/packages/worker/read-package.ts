import { AppError } from '../../errors.js'
import { BOUNDS } from '../../formats/bounds.js'
import type { ByteReader } from '../../formats/byte-reader.js'
import { openDeb } from '../../formats/containers/deb.js'
import type { Member } from '../../formats/containers/member.js'
import { openRpm } from '../../formats/containers/rpm.js'
import { detectCompression, unpackWhole } from '../../formats/decompress/decompress.js'
import { readFileOfKernel } from '../../formats/images/read-image.js'
import { scanPackedKernel, type ScannedKernel } from '../../formats/images/scan-packed.js'
import { kernelFileOf } from '../../formats/kernel-files.js'
import { ownPages } from '../../formats/own-pages.js'
import { collectGarbage } from '../../workers/collect.js'
import type { ExtractedKernel, ExtractedModules, KernelTask, ModulesTask } from './protocol.js'

/** BTF of all modules of a kernel. Debian's have up to 73 MB. */
const MOST_MODULE_BYTES = 256 * 1024 * 1024

/** The files of a package as it arrives; what it says of itself is proven by the index already, or by its own signature. */
export async function openPackage ({ format }: KernelTask | ModulesTask, reader: ByteReader): Promise<AsyncGenerator<Member>> {
  return (format === 'deb' ? await openDeb(reader) : await openRpm(reader)).files()
}

/**
 * The kernel of a package, whose own banner must say the release that is wanted. Nothing is unpacked behind it.
 *
 * @throws AppError `btf_invalid`, `source_invalid`, `btf_unknown` where it was built without BTF, `too_large`
 */
export async function extractKernel (files: AsyncGenerator<Member>, { release, arch, what }: KernelTask): Promise<ExtractedKernel> {
  const image = await findImage(files, release, what)
  collectGarbage() // what unpacked the package is not needed any more
  const { btf, evidence: { release: own, kernelVersion, arch: ownArch, buildId } } = await readKernel(image, what)
  if (own === undefined || kernelVersion === undefined) {
    throw new AppError('source_invalid', `The kernel in ${what} does not say which release it is.`)
  }
  if (own !== release) throw new AppError('source_invalid', `The kernel in ${what} calls itself ${own}, not ${release}.`)
  if (ownArch !== undefined && ownArch !== arch) {
    throw new AppError('source_invalid', `The kernel in ${what} is for ${ownArch}, not for ${arch}.`)
  }
  if (btf === undefined) throw new AppError('btf_unknown', `The kernel in ${what} was built without BTF (no CONFIG_DEBUG_INFO_BTF).`)
  return { btf, kernelVersion, buildId }
}

/** In pieces, which can be let go of while what is in them is unpacked. */
async function findImage (files: AsyncGenerator<Member>, release: string, what: string): Promise<Uint8Array[]> {
  const others = new Set<string>()
  for await (const member of files) {
    const file = kernelFileOf(member.name)
    if (file?.kind !== 'image') continue
    if (file.release !== release) {
      others.add(file.release)
      continue
    }
    if (member.size > BOUNDS.image) {
      throw new AppError('too_large',
        `The kernel in ${what} has ${member.size} bytes; at most ${BOUNDS.image} are read.`,
        { limit: BOUNDS.image })
    }
    const pieces: Uint8Array[] = []
    for await (const piece of member.pieces()) {
      const own = ownPages(piece.length)
      own.set(piece)
      pieces.push(own)
    }
    return pieces
  }
  const instead = others.size === 0 ? '' : ` It has ${[...others].slice(0, 3).join(', ')}.`
  throw new AppError('source_invalid', `There is no kernel ${release} in ${what}.${instead}`)
}

/** On its way out of its packing where that can be, which takes half the time and a third of the memory; else as a whole. */
async function readKernel (image: Uint8Array[], what: string): Promise<ScannedKernel> {
  const scanned = await scanPackedKernel(image, collectGarbage)
  if (scanned !== undefined) return scanned
  const found = await readFileOfKernel(Buffer.concat(image.splice(0)), { place: what, evidence: {} }, BOUNDS.image)
  const evidence = 'evidence' in found ? found.evidence ?? {} : {}
  return { btf: found.kind === 'vmlinux' ? new Uint8Array(found.btf) : undefined, evidence }
}

/**
 * The modules that are wanted and that the package has. Nothing is unpacked behind the last of them. Of all modules only their BTF is kept,
 * and those that have none or cannot be read are left out: one of thousands must not take the others away.
 *
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function extractModules (files: AsyncGenerator<Member>, { release, names, what }: ModulesTask): Promise<ExtractedModules> {
  const found = new Map<string, Uint8Array<ArrayBuffer>>()
  const isWanted = (name: string): boolean => !found.has(name) && (names === 'all' || names.includes(name))
  let total = 0
  for await (const member of files) {
    const file = kernelFileOf(member.name)
    if (file?.kind !== 'module' || file.release !== release || !isWanted(file.module)) continue
    if (member.size > BOUNDS.module) {
      throw new AppError('too_large',
        `The module ${file.module} has ${member.size} bytes; at most ${BOUNDS.module} are read.`,
        { limit: BOUNDS.module })
    }
    const packed = await member.read()
    const bytes = names === 'all' ? await btfIn(packed, file.module) : await unpackModule(packed)
    if (bytes === undefined) continue
    total += bytes.length
    if (total > MOST_MODULE_BYTES || found.size === BOUNDS.archiveMembers) {
      throw new AppError('too_large',
        `The modules in ${what} are more than ${BOUNDS.archiveMembers}, or have more than ${MOST_MODULE_BYTES} bytes.`,
        { limit: MOST_MODULE_BYTES })
    }
    found.set(file.module, bytes)
    if (names !== 'all' && found.size === names.length) break
  }
  return [...found].map(([name, bytes]) => ({ name, bytes }))
}

async function unpackModule (packed: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const compression = detectCompression(packed)
  return new Uint8Array(compression === undefined ? packed : await unpackWhole(compression, packed, BOUNDS.module))
}

/** Raw BTF of a module, or all of the module where that is needed to fit its BTF to a kernel. */
async function btfIn (packed: Uint8Array, name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const elf = await unpackModule(packed)
    const found = await readFileOfKernel(elf, { place: name, evidence: {}, module: name }, BOUNDS.module)
    if (found.kind !== 'module') return undefined
    return found.distilledBase === undefined ? new Uint8Array(found.btf) : elf
  } catch (error) {
    if (error instanceof AppError) return undefined
    throw error
  }
}
