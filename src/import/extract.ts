import { detectByteOrder } from '../btf/header.js'
import { isElf } from '../elf/sections.js'
import { AppError } from '../errors.js'
import { MANIFEST_NAME } from './bundle/manifest.js'
import { chooseMembers } from '../formats/archive-members.js'
import { BOUNDS } from '../formats/bounds.js'
import { readBundle, readManifestText } from './bundle/read-bundle.js'
import { isAr } from '../formats/containers/ar.js'
import { openDeb } from '../formats/containers/deb.js'
import type { Member } from '../formats/containers/member.js'
import { isRpm, openRpm } from '../formats/containers/rpm.js'
import { isTar, readTar } from '../formats/containers/tar.js'
import { detectCompression, unpack } from '../formats/decompress/decompress.js'
import { mergeEvidence, type Evidence } from '../identity/evidence.js'
import { NO_BTF, type Found } from './found.js'
import { findBanner } from '../formats/images/banner.js'
import { readElfKernel } from '../formats/images/elf-kernel.js'
import { detectKernelImage, unpackKernelImage } from '../formats/images/kernel-image.js'
import { scanForBtf } from '../formats/images/scan-btf.js'
import { kernelFileOf, type KernelFile } from '../formats/kernel-files.js'
import { debEvidence, rpmEvidence } from './package-evidence.js'

/** One thing to look into. */
interface Source {
  readonly bytes: Uint8Array
  readonly place: string
  /** What is known of the kernel from around it: the package, the folder. The file's own word counts over it. */
  readonly evidence: Evidence
  /** Name of the module, where the path of the file tells. */
  readonly module?: string
  readonly depth: number
}

/**
 * Finds the BTF of kernels in a file, whatever it is: raw BTF, ELF, a bootable image, a package, each of them packed or not. What
 * it is is told by its content, never by its name.
 *
 * Nothing in the file makes this throw: what cannot be read is among what is found, with its reason. Memory is bounded by the
 * size of the file and BOUNDS; everything is read once, and packages as a stream.
 */
export async function * extractBtf (bytes: Uint8Array, place: string, evidence: Evidence = {}): AsyncGenerator<Found> {
  yield * guarded({ bytes, place, evidence, depth: 0 })
}

async function * guarded (source: Source): AsyncGenerator<Found> {
  try {
    yield * extract(source)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    yield { kind: 'unread', place: source.place, reason: error.message, evidence: source.evidence }
  }
}

async function * extract (source: Source): AsyncGenerator<Found> {
  const { bytes } = source
  if (source.depth > BOUNDS.depth) throw new AppError('too_large', `The file has more than ${BOUNDS.depth} packages and archives within each other.`)
  if (bytes.length === 0) throw new AppError('btf_invalid', 'The file is empty.')
  if (detectByteOrder(bytes) !== undefined) yield fromRawBtf(source)
  else if (isElf(bytes)) yield await fromElf(source)
  else if (isAr(bytes)) yield * fromDeb(source)
  else if (isRpm(bytes)) yield * fromRpm(source)
  else if (isTar(bytes)) yield * fromTar(source, onePiece(bytes))
  else if (detectKernelImage(bytes) !== undefined) yield await fromImage(source)
  else yield * fromPacked(source)
}

/** Raw BTF says nothing of its kernel. That of a module has no empty string at its start. */
function fromRawBtf ({ bytes, place, evidence, module }: Source): Found {
  return module === undefined
    ? { kind: 'vmlinux', place, btf: bytes, evidence }
    : { kind: 'module', place, name: module, btf: bytes, distilledBase: undefined, evidence }
}

async function fromElf ({ bytes, place, evidence: around, module }: Source): Promise<Found> {
  const elf = await readElfKernel(bytes)
  const evidence = mergeEvidence(elf.evidence, around)
  if (elf.module !== undefined) {
    const name = elf.module || module
    if (elf.btf === undefined) return { kind: 'unread', place, reason: 'This module was built without BTF (no CONFIG_DEBUG_INFO_BTF_MODULES).', evidence }
    if (name === undefined) return { kind: 'unread', place, reason: 'The module does not say its name.', evidence }
    return { kind: 'module', place, name, btf: elf.btf.slice(), distilledBase: elf.distilledBase?.slice(), evidence }
  }
  if (elf.btf !== undefined) return { kind: 'vmlinux', place, btf: elf.btf.slice(), evidence } // the image is ten times larger
  if (elf.hasDwarf) return { kind: 'dwarf', place, image: bytes, evidence }
  if (evidence.release === undefined) return { kind: 'unread', place, reason: 'The ELF file has no .BTF section, and is no kernel.', evidence }
  return { kind: 'unread', place, reason: NO_BTF, evidence }
}

async function fromImage (source: Source): Promise<Found> {
  const format = detectKernelImage(source.bytes)
  if (format === undefined) throw new AppError('internal_error', 'The image has lost its format.')
  const image = await unpackKernelImage(source.bytes, format)
  const evidence = mergeEvidence({ arch: image.arch }, source.evidence)
  if (isElf(image.bytes)) return await fromElf({ ...source, bytes: image.bytes, evidence })
  const known = mergeEvidence(findBanner(image.bytes) ?? {}, evidence)
  const btf = scanForBtf(image.bytes)
  if (btf !== undefined) return { kind: 'vmlinux', place: source.place, btf: btf.slice(), evidence: known }
  return { kind: 'unread', place: source.place, reason: NO_BTF, evidence: known }
}

async function * fromDeb (source: Source): AsyncGenerator<Found> {
  const deb = await openDeb(source.bytes)
  yield * fromPackage(deb.files(), source, debEvidence(deb.control))
}

async function * fromRpm (source: Source): AsyncGenerator<Found> {
  const rpm = openRpm(source.bytes)
  yield * fromPackage(rpm.files(), source, rpmEvidence(rpm.facts))
}

async function * fromPackage (files: AsyncGenerator<Member>, source: Source, evidence: Evidence): AsyncGenerator<Found> {
  const around = mergeEvidence(source.evidence, evidence)
  let kernelFiles = 0
  for await (const member of files) {
    const file = kernelFileOf(member.name)
    if (file === undefined) continue
    kernelFiles++
    const place = `${source.place}: ${member.name}`
    const limit = BOUNDS[file.kind]
    if (member.size > limit) {
      yield { kind: 'unread', place, reason: `The file has ${member.size} bytes; at most ${limit} are read.`, evidence: around }
      continue
    }
    yield * guarded({ bytes: await member.read(), place, evidence: mergeEvidence(around, { release: file.release }), ...moduleOf(file), depth: source.depth + 1 })
  }
  if (kernelFiles === 0) yield { kind: 'unread', place: source.place, reason: 'The package has no kernel and no modules in it.', evidence: around }
}

/** A tar archive is a bundle of ours, BTF as BTFHub packs it, or the files of a kernel. */
async function * fromTar (source: Source, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Found> {
  const archive = readTar(pieces)
  const members: Array<{ readonly name: string, readonly bytes: Uint8Array }> = []
  let left: number = BOUNDS.image
  for await (const member of archive) {
    if (members.length === 0 && member.name === MANIFEST_NAME) {
      const inner = (bytes: Uint8Array, place: string, evidence: Evidence): AsyncGenerator<Found> => guarded({ bytes, place, evidence, depth: source.depth + 1 })
      return yield * readBundle(await readManifestText(member), archive, source.place, inner)
    }
    if (member.size > left) throw new AppError('too_large', `The archive has more than ${BOUNDS.image} bytes of files.`, { limit: BOUNDS.image })
    left -= member.size
    members.push({ name: member.name, bytes: await member.read() })
  }
  for (const { name, bytes, module, release } of chooseMembers(members, source.evidence.release)) {
    yield * guarded({
      bytes,
      place: `${source.place}: ${name}`,
      evidence: mergeEvidence(source.evidence, { release }),
      ...(module === undefined ? {} : { module }),
      depth: source.depth + 1
    })
  }
}

async function * onePiece (bytes: Uint8Array): AsyncGenerator<Uint8Array> { yield bytes }

function moduleOf (file: KernelFile): { module?: string } { return file.kind === 'module' ? { module: file.module } : {} }

async function * fromPacked (source: Source): AsyncGenerator<Found> {
  const compression = detectCompression(source.bytes)
  if (compression === undefined) {
    throw new AppError('btf_invalid', 'The file is nothing that a kernel\'s BTF could be in: neither BTF, ELF, a kernel image, a .deb or .rpm package, nor one of these packed.')
  }
  const pieces = unpack(compression, source.bytes, BOUNDS.package)
  const first = await pieces.next()
  if (first.done === true) throw new AppError('btf_invalid', 'The file is packed, and empty.')
  const whole = resumed(first.value, pieces)
  if (isTar(first.value)) return yield * fromTar(source, whole)
  yield * extract({ ...source, bytes: await gather(whole, BOUNDS.image), depth: source.depth + 1 })
}

async function * resumed (first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first
  yield * rest
}

async function gather (pieces: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  let total = 0
  for await (const piece of pieces) {
    total += piece.length
    if (total > maxBytes) throw new AppError('too_large', `The file unpacks to more than ${maxBytes} bytes.`, { limit: maxBytes })
    all.push(piece)
  }
  return Buffer.concat(all)
}
