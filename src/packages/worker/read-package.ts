import { AppError } from '../../errors.js'
import { BOUNDS } from '../../formats/bounds.js'
import type { Member } from '../../formats/containers/member.js'
import { detectCompression, unpackWhole } from '../../formats/decompress/decompress.js'
import { readKernelBtf } from '../../formats/images/kernel-btf.js'
import { kernelFileOf } from '../../formats/kernel-files.js'
import type { ByteSource } from '../../formats/streaming/byte-source.js'
import { readDebStream, readRpmHeaders, readRpmPayload } from '../../formats/streaming/package-files.js'
import type { ExtractedKernel, ExtractedModules, KernelTask, ModulesTask } from './protocol.js'
import { verifyRpmHeader } from './rpm-signature.js'

/** What the package itself says must be true of the rest of it. */
export interface PayloadPromise {
  /** SHA-256 in hex of all behind the headers. */
  readonly sha256: string
}

type Files = { readonly files: AsyncGenerator<Member>, readonly promise: PayloadPromise | undefined }

/** @param onPayload called where the payload begins, before any of it is taken */
export async function openPackage (task: KernelTask | ModulesTask, source: ByteSource, onPayload: () => void): Promise<Files> {
  if (task.format === 'deb') return { files: readDebStream(source), promise: undefined }
  const headers = readRpmHeaders(source)
  const promise = task.signedBy === undefined ? undefined : { sha256: await verifyRpmHeader(headers, task.signedBy) }
  onPayload()
  return { files: readRpmPayload(source), promise }
}

/**
 * The kernel of a package, whose own banner must say the release that is wanted. Nothing is unpacked behind it.
 *
 * @throws AppError `btf_invalid`, `source_invalid`, `too_large`
 */
export async function extractKernel (files: AsyncGenerator<Member>, { release, arch, what }: KernelTask): Promise<ExtractedKernel> {
  const others = new Set<string>()
  for await (const member of files) {
    const file = kernelFileOf(member.name)
    if (file?.kind !== 'image') continue
    if (file.release !== release) {
      others.add(file.release)
      continue
    }
    if (member.size > BOUNDS.image) throw new AppError('too_large', `The kernel in ${what} has ${member.size} bytes; at most ${BOUNDS.image} are read.`, { limit: BOUNDS.image })
    const kernel = await readKernelBtf(await member.read())
    if (kernel.banner === undefined) throw new AppError('source_invalid', `The kernel in ${what} does not say which release it is.`)
    if (kernel.banner.release !== release) throw new AppError('source_invalid', `The kernel in ${what} calls itself ${kernel.banner.release}, not ${release}.`)
    if (kernel.arch !== undefined && kernel.arch !== arch) throw new AppError('source_invalid', `The kernel in ${what} is one for ${kernel.arch}, not for ${arch}.`)
    if (kernel.btf === undefined) throw new AppError('btf_unknown', `The kernel in ${what} was built without BTF (no CONFIG_DEBUG_INFO_BTF).`)
    return { btf: kernel.btf, kernelVersion: kernel.banner.kernelVersion, buildId: kernel.buildId }
  }
  const instead = others.size === 0 ? '' : ` It has ${[...others].slice(0, 3).join(', ')}.`
  throw new AppError('source_invalid', `There is no kernel ${release} in ${what}.${instead}`)
}

/**
 * The modules that are wanted and that the package has. Nothing is unpacked behind the last of them.
 *
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function extractModules (files: AsyncGenerator<Member>, { release, names }: ModulesTask): Promise<ExtractedModules> {
  const found: Array<{ name: string, elf: Uint8Array }> = []
  for await (const member of files) {
    const file = kernelFileOf(member.name)
    if (file?.kind !== 'module' || file.release !== release || !names.includes(file.module) || found.some(({ name }) => name === file.module)) continue
    if (member.size > BOUNDS.module) throw new AppError('too_large', `The module ${file.module} has ${member.size} bytes; at most ${BOUNDS.module} are read.`, { limit: BOUNDS.module })
    const bytes = await member.read()
    const compression = detectCompression(bytes)
    found.push({ name: file.module, elf: compression === undefined ? bytes.slice() : await unpackWhole(compression, bytes, BOUNDS.module) })
    if (found.length === names.length) break
  }
  return found
}
