import { detectByteOrder } from '../btf/header.js'
import { isElf } from '../elf/sections.js'
import { AppError } from '../errors.js'
import { mergeEvidence } from '../identity/evidence.js'
import { BOUNDS } from './bounds.js'
import { createByteReader, takeAll, type ByteReader } from './byte-reader.js'
import { isAndroidBoot, kernelOfAndroidBoot } from './containers/android-boot.js'
import { isAr } from './containers/ar.js'
import { openPackage } from './containers/package.js'
import { isRpm } from './containers/rpm.js'
import { isEmptyTar, isTar } from './containers/tar.js'
import { isUki, kernelOfUki } from './containers/uki.js'
import { detectCompression, unpack } from './decompress/decompress.js'
import { WANT_ALL, type FindOptions, type Source, type Want } from './find-options.js'
import type { Found } from './found.js'
import { readFileOfKernel } from './images/read-image.js'
import { detectKernelImage } from './images/kernel-image.js'
import { kernelFileOf, type KernelFile } from './kernel-files.js'
import { HEAD_BYTES } from './recognise.js'
import { readTarOfKernels } from './tar-of-kernels.js'

/**
 * Finds the BTF of kernels in a file, whatever it is: raw BTF, ELF, a bootable image, a package, an archive, each of them packed or
 * not. What it is is told by its content, never by its name. This is the one opener: of imports, uploads, sources and the command.
 *
 * Nothing in the file makes this throw: what cannot be read is among what is found, with its reason. Memory is bounded by `maxBytes`
 * and BOUNDS, packages and archives are read as they arrive, and leaving the loop ends the work.
 *
 * @param content the bytes, or pieces of them as they arrive
 * @param depth how many archives the file is within already
 */
export async function * findBtf (
  content: Uint8Array | AsyncIterable<Uint8Array>,
  place: string,
  options: FindOptions = {},
  depth = 0
): AsyncGenerator<Found> {
  yield * guarded({ reader: createByteReader(content, 'file'), place, evidence: options.evidence ?? {}, depth }, options)
}

async function * guarded (source: Source, options: FindOptions): AsyncGenerator<Found> {
  try {
    yield * extract(source, options)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const code = error.code === 'btf_invalid' || error.code === 'too_large' ? { code: error.code } : {}
    yield { kind: 'unread', place: source.place, reason: error.message, evidence: source.evidence, ...code, details: error.details }
  } finally {
    await source.reader.close()
  }
}

async function * extract (source: Source, options: FindOptions): AsyncGenerator<Found> {
  if (source.depth > BOUNDS.depth) {
    throw new AppError('too_large', `The file has packages and archives nested more than ${BOUNDS.depth} levels deep.`)
  }
  const { reader } = source
  const head = await reader.peek(HEAD_BYTES)
  if (head.length === 0) throw new AppError('btf_invalid', 'The file is empty.')
  const want = options.want ?? WANT_ALL
  if (isAr(head) || isRpm(head)) return yield * fromPackage(source, options, want)
  if (isTar(head) || (source.depth > 0 && isEmptyTar(head))) {
    for await (const content of readTarOfKernels(source, options)) {
      if ('found' in content) {
        yield content.found
      } else if (isWanted(content.module, want)) {
        yield * guarded({ ...content, reader: createByteReader(content.bytes, 'file'), depth: source.depth + 1 }, options)
      }
    }
    return
  }
  const isWhole = detectByteOrder(head) !== undefined || isElf(head) || detectKernelImage(head) !== undefined
  if (isWhole) {
    const bytes = await takeAll(reader, options.maxBytes ?? BOUNDS.file)
    return yield await readFileOfKernel(bytes, source, options.maxBytes ?? BOUNDS.image)
  }
  const kernelOf = isUki(head) ? kernelOfUki : isAndroidBoot(head) ? kernelOfAndroidBoot : undefined
  if (kernelOf !== undefined) {
    const kernel = kernelOf(await takeAll(reader, options.maxBytes ?? BOUNDS.file))
    return yield * extract({ ...source, reader: createByteReader(kernel, 'kernel in the image'), depth: source.depth + 1 }, options)
  }
  const compression = detectCompression(head)
  if (compression === undefined) {
    throw new AppError('btf_invalid', 'The file has no known format: ' +
      'it is not BTF, ELF, a kernel image, a .deb or .rpm package, or one of these compressed.')
  }
  const pieces = counted(unpack(compression, reader, BOUNDS.package), reader, options)
  yield * extract({ ...source, reader: createByteReader(pieces, 'packed file'), depth: source.depth + 1 }, options)
}

async function * fromPackage (source: Source, options: FindOptions, want: Want): AsyncGenerator<Found> {
  const opened = await openPackage(source.reader)
  const around = mergeEvidence(source.evidence, opened.evidence)
  const missing = want.modules === 'all' ? undefined : new Set(want.modules)
  let needsKernel = want.kernel
  let kernelFiles = 0
  for await (const member of opened.files()) {
    const file = kernelFileOf(member.name)
    if (file === undefined) continue
    kernelFiles++
    if (file.kind === 'module' ? !isWanted(file.module, want) : !want.kernel) continue
    const place = `${source.place}: ${member.name}`
    const limit = Math.min(BOUNDS[file.kind], options.maxBytes ?? Infinity)
    if (member.size > limit) {
      const reason = `The file has ${member.size} bytes; at most ${limit} are read.`
      yield { kind: 'unread', place, reason, evidence: around, code: 'too_large' }
      continue
    }
    const reader = createByteReader(await member.read(), 'file')
    const evidence = mergeEvidence(around, { release: file.release })
    for await (const found of guarded({ reader, place, evidence, ...moduleOf(file), depth: source.depth + 1 }, options)) {
      if (found.kind === 'vmlinux') needsKernel = false
      if (file.kind === 'module') missing?.delete(file.module)
      yield found
    }
    if (!needsKernel && missing?.size === 0) return
  }
  if (kernelFiles === 0) {
    yield { kind: 'unread', place: source.place, reason: 'The package has no kernel and no modules.', evidence: around }
  }
}

function isWanted (module: string | undefined, { kernel, modules }: Want): boolean {
  return module === undefined ? kernel : modules === 'all' || modules.has(module)
}

function moduleOf (file: KernelFile): { module?: string } { return file.kind === 'module' ? { module: file.module } : {} }

/** Real BTF and kernels compress to a fifth. What unfolds to more than RATIO times its size was made to do so. */
const RATIO = 100
const RATIO_FROM = 1024 * 1024
/** Bytes between two calls of onUsedUp. V8 by itself lets twice as much of such garbage pile up, in some versions more. */
const USED_UP_EVERY = 16 * 1024 * 1024

async function * counted (
  pieces: AsyncIterable<Uint8Array>,
  packed: ByteReader,
  { refusesBombs = false, onUsedUp = () => {} }: FindOptions
): AsyncGenerator<Uint8Array> {
  let total = 0
  for await (const piece of pieces) {
    if (Math.floor((total + piece.length) / USED_UP_EVERY) > Math.floor(total / USED_UP_EVERY)) onUsedUp()
    total += piece.length
    if (refusesBombs && total > RATIO_FROM + RATIO * packed.consumed) {
      throw new AppError('btf_invalid', `The archive unpacks to more than ${RATIO} times its size. No BTF does that.`)
    }
    yield piece
  }
}
