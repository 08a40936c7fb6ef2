import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { AppError } from '../../errors.js'
import { LIMITS } from '../../limits.js'
import { isXz } from '../xz-magic.js'
import { chooseMembers, type KernelMembers } from './members.js'
import { decompressXz } from './xz.js'

export interface UnpackOptions {
  /** Releases that a member may be named after. */
  readonly releases: readonly string[]
  /** Most bytes of all members together. */
  readonly maxBytes: number
  /** Called every now and then, for who wants what was decompressed and used up to be collected in time. */
  readonly onUsedUp?: () => void
}

/**
 * Takes a kernel's BTF out of a .tar.xz. Bytes are counted as they are decompressed, and the work ends with the first one too
 * many. Members stay in memory (in shared memory, where workers want them); their names are never paths.
 *
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function unpackKernel (packed: Uint8Array, options: UnpackOptions): Promise<KernelMembers> {
  if (!isXz(packed)) throw new AppError('btf_invalid', `This is no .xz file; it begins with ${beginningOf(packed)}.`)
  return chooseMembers(await readMembers(packed, options), options.releases)
}

async function readMembers (packed: Uint8Array, { maxBytes, onUsedUp = () => {} }: UnpackOptions): Promise<ReadonlyMap<string, Uint8Array>> {
  const members = new Map<string, Uint8Array>()
  const entries = tar.extract()
  // An error reaches both the feeding and the loop; the loop's is the one that is told.
  const feeding = pipeline(Readable.from(counted(packed, maxBytes, onUsedUp)), entries)
  feeding.catch(() => {})
  let left = maxBytes
  try {
    for await (const entry of entries) {
      const { name, size = 0, type } = entry.header
      if (type === 'directory') {
        entry.resume()
        continue
      }
      if (type !== 'file' && type !== 'contiguous-file') throw new AppError('btf_invalid', `The archive has something else than files in it: ${quote(name)} is a ${type ?? 'member of unknown type'}.`)
      const key = baseName(name)
      if (members.has(key)) throw new AppError('btf_invalid', `The archive has two files ${quote(key)}.`)
      if (members.size === LIMITS.archiveMembers) throw new AppError('too_large', `The archive has more than ${LIMITS.archiveMembers} files.`, { limit: LIMITS.archiveMembers })
      if (size > left) throw tooLarge(maxBytes)
      left -= size
      members.set(key, await readMember(entry, size))
    }
    await feeding
  } catch (error) {
    throw error instanceof AppError ? error : new AppError('btf_invalid', 'The .xz file does not hold a whole tar archive.', {}, { cause: error })
  }
  return members
}

async function readMember (entry: AsyncIterable<unknown>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(new SharedArrayBuffer(size))
  let filled = 0
  for await (const chunk of entry) {
    if (!(chunk instanceof Uint8Array)) continue
    bytes.set(chunk, filled)
    filled += chunk.length
  }
  return bytes
}

/** Real BTF compresses to a fifth. What unfolds to more than RATIO times its size was made to do so. */
const RATIO = 100
const RATIO_FROM = 1024 * 1024
/** Headers and padding of a member, and of the archive's end: the largest block of a tar that people make. */
const TAR_BLOCKS = 1024 * 1024

/** Bytes between two calls of onUsedUp. V8 by itself lets twice as much of such garbage pile up, in some versions more. */
const USED_UP_EVERY = 16 * 1024 * 1024

async function * counted (packed: Uint8Array, maxBytes: number, onUsedUp: () => void): AsyncGenerator<Uint8Array> {
  const limit = maxBytes + TAR_BLOCKS + maxBytes / 8
  let total = 0
  for await (const { bytes, packedBytes } of decompressXz(packed)) {
    if (Math.floor((total + bytes.length) / USED_UP_EVERY) > Math.floor(total / USED_UP_EVERY)) onUsedUp()
    total += bytes.length
    if (total > limit) throw tooLarge(maxBytes)
    if (total > RATIO_FROM + RATIO * packedBytes) throw new AppError('btf_invalid', `The archive unfolds to more than ${RATIO} times its size, which no BTF does.`)
    yield bytes
  }
}

/** The last part of a member's name. One that leads out of the archive is refused, although no name is used as a path. */
function baseName (name: string): string {
  const parts = name.split('/')
  if (name.startsWith('/') || parts.includes('..')) throw new AppError('btf_invalid', `The archive has a file ${quote(name)}, which would lie outside of it.`)
  return parts.at(-1) ?? name
}

function tooLarge (limit: number): AppError { return new AppError('too_large', `The archive holds more than ${limit} bytes.`, { limit }) }

function quote (name: string): string { return JSON.stringify(name.slice(0, 128)) }

/** For people who wonder what it is instead: an error page shows as such. */
function beginningOf (bytes: Uint8Array): string {
  if (bytes.length === 0) return 'nothing'
  return JSON.stringify(Buffer.from(bytes.subarray(0, 16)).toString('latin1').replace(/[^\x20-\x7e]/g, '.'))
}
