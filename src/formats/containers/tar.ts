import { AppError } from '../../errors.js'
import { BOUNDS } from '../bounds.js'
import { createByteReader, type ByteReader } from '../byte-reader.js'
import { openMember, type Member } from './member.js'

const BLOCK = 512
/** Where a header's members are, and how long they are, in bytes. Numbers are octal text. */
const FIELD = { name: [0, 100], size: [124, 12], checksum: [148, 8], type: [156, 1], magic: [257, 6], prefix: [345, 155] } as const
/** A path has at most 4,096 bytes; a PAX header has a few short lines beside it. */
const MAX_NAME_BYTES = 4096
const MAX_PAX_BYTES = 64 * 1024

/** Whether the bytes begin with the header of a tar archive: `ustar` at 257, in POSIX's or GNU's form. */
export function isTar (bytes: Uint8Array): boolean { return latin1(bytes, 257, 5) === 'ustar' }

/** Whether the bytes begin as an archive ends, so that there is no file in it. */
export function isEmptyTar (bytes: Uint8Array): boolean {
  return bytes.length >= 2 * BLOCK && bytes.subarray(0, 2 * BLOCK).every(byte => byte === 0)
}

/**
 * The regular files of a tar archive that arrives in pieces, with the long names of GNU and PAX. Links, devices and folders are
 * passed over: nothing is unpacked to a place.
 *
 * Not tar-stream, which makes a text of a name or PAX header of any size.
 *
 * @param onOther called for each member that is not a file, with its name and kind; may throw
 * @throws AppError `btf_invalid` where it is damaged or cut off, `too_large`
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 */
export async function * readTar (
  pieces: AsyncIterable<Uint8Array>,
  onOther?: (name: string, kind: string) => void
): AsyncGenerator<Member> {
  const reader = createByteReader(pieces, 'tar archive')
  try {
    let long: LongNames = {}
    for (let count = 0; ; count++) {
      const header = await nextHeader(reader)
      if (header === undefined) return
      if (count > BOUNDS.members) {
        throw new AppError('too_large', `The archive has more than ${BOUNDS.members} files.`, { limit: BOUNDS.members })
      }
      const size = long.size ?? header.size
      let left = size
      switch (header.type) {
        case 'L': long = { ...long, name: text(await takeBounded(reader, size, MAX_NAME_BYTES, 'name')) }; left = 0; break
        case 'x': long = { ...long, ...parsePax(await takeBounded(reader, size, MAX_PAX_BYTES, 'PAX header')) }; left = 0; break
        case 'K': case 'g': break // the target of a link; what would hold for all files
        case '0': case '\0': case '7': {
          const file = openMember(reader, long.name ?? header.name, size)
          yield file.member
          left = file.left()
          long = {}
          break
        }
        default:
          onOther?.(long.name ?? header.name, KINDS[header.type] ?? `member of type ${JSON.stringify(header.type)}`)
          long = {}
      }
      await reader.skip(left)
      await reader.skip((BLOCK - size % BLOCK) % BLOCK)
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    throw invalid(`The tar archive is damaged (${error instanceof Error ? error.message : String(error)}).`)
  } finally {
    await reader.close()
  }
}

/** Types of members that are no files. */
const KINDS: Readonly<Record<string, string | undefined>> = {
  1: 'link',
  2: 'symlink',
  3: 'character-device',
  4: 'block-device',
  5: 'directory',
  6: 'fifo'
}

/** What stands before a header whose own fields are too short. */
interface LongNames {
  readonly name?: string
  readonly size?: number
}

interface Header {
  readonly name: string
  readonly size: number
  readonly type: string
}

/** Undefined at the end: two blocks of zeros, of which some programs write one or none. */
async function nextHeader (reader: ByteReader): Promise<Header | undefined> {
  if ((await reader.peek(1)).length === 0) return undefined
  const block = await reader.take(BLOCK)
  if (block.every(byte => byte === 0)) return undefined
  if (parseInt(field(block, FIELD.checksum).trim(), 8) !== checksumOf(block)) {
    throw invalid('The tar archive is damaged: the checksum of a header is wrong.')
  }
  const prefix = field(block, FIELD.magic) === 'ustar' ? text(raw(block, FIELD.prefix)) : ''
  const name = text(raw(block, FIELD.name))
  return { name: prefix === '' ? name : `${prefix}/${name}`, size: sizeOf(raw(block, FIELD.size)), type: latin1(block, FIELD.type[0], 1) }
}

/** The sum of a header's bytes, its own place counted as spaces. */
function checksumOf (block: Uint8Array): number {
  let sum = 0
  for (const [at, byte] of block.entries()) sum += at >= FIELD.checksum[0] && at < FIELD.checksum[0] + FIELD.checksum[1] ? 0x20 : byte
  return sum
}

/** Octal text, or (GNU's, for 8 GiB and more) a number whose first bit is set. */
function sizeOf (bytes: Uint8Array): number {
  if ((bytes[0] ?? 0) >= 0x80) return bytes.subarray(1).reduce((sum, byte) => sum * 256 + byte, (bytes[0] ?? 0) & 0x7f)
  const digits = text(bytes).trim()
  if (!/^[0-7]*$/.test(digits)) throw invalid('The tar archive is damaged: the size of a file is not a number.')
  return digits === '' ? 0 : parseInt(digits, 8)
}

async function takeBounded (reader: ByteReader, size: number, limit: number, what: string): Promise<Uint8Array> {
  if (size > limit) throw new AppError('too_large', `A ${what} in the tar archive has ${size} bytes; at most ${limit} are read.`, { limit })
  return await reader.take(size)
}

/** Lines `<length> <key>=<value>`, of which path and size are of interest. */
function parsePax (bytes: Uint8Array): LongNames {
  let found: LongNames = {}
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at)
    const length = space === -1 ? NaN : Number(latin1(bytes, at, space - at))
    if (!Number.isInteger(length) || length <= space - at || at + length > bytes.length) {
      throw invalid('The tar archive is damaged: a PAX header is malformed.')
    }
    const [, key, value = ''] = /^([^=]*)=(.*)\n$/s.exec(Buffer.from(bytes.subarray(space + 1, at + length)).toString('utf8')) ?? []
    if (key === 'path') {
      if (value.length > MAX_NAME_BYTES) {
        const message = `A name in the tar archive has more than ${MAX_NAME_BYTES} bytes.`
        throw new AppError('too_large', message, { limit: MAX_NAME_BYTES })
      }
      found = { ...found, name: value }
    }
    if (key === 'size' && /^\d{1,15}$/.test(value)) found = { ...found, size: Number(value) }
    at += length
  }
  return found
}

function raw (block: Uint8Array, [start, length]: readonly [number, number]): Uint8Array { return block.subarray(start, start + length) }

function field (block: Uint8Array, place: readonly [number, number]): string { return text(raw(block, place)) }

/** Up to the first NUL. */
function text (bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end)).toString('utf8')
}

function latin1 (bytes: Uint8Array, start: number, length: number): string {
  return Buffer.from(bytes.subarray(start, start + length)).toString('latin1')
}

function invalid (message: string): AppError { return new AppError('btf_invalid', message) }
