import { dataView } from '../../bytes/checked.js'
import { stringAt } from '../../bytes/strings.js'
import { AppError } from '../../errors.js'
import { BOUNDS } from '../bounds.js'
import { takePieces, type ByteReader } from '../byte-reader.js'
import { detectCompression, unpack } from '../decompress/decompress.js'
import { readCpio } from './cpio.js'
import type { Member } from './member.js'

const LEAD_MAGIC = [0xed, 0xab, 0xee, 0xdb] as const
const LEAD_SIZE = 96
const HEADER_MAGIC = 0x8eade801
/** magic and version: u32, reserved: u32, entries: u32, bytes of values: u32 */
const HEADER_SIZE = 16
/** tag: u32, type: u32, offset: u32, count: u32. All of RPM is big-endian. */
const ENTRY = { tag: 0, type: 4, offset: 8, SIZE: 16 } as const
/** More than RPM itself takes. */
const MAX_ENTRIES = 65_536
/** Values of one header. A kernel's, with the names and hashes of 7,000 files, have 2 MB. */
const MAX_VALUE_BYTES = 64 * 1024 * 1024
/** One text. The longest of those that are read is an address. */
const MAX_TEXT_BYTES = 1024
/** Bytes by which the payload tells what packs it. */
const HEAD_BYTES = 16

/** Tags of the header with a text, by their numbers in rpmtag.h. */
const TAGS = { name: 1000, version: 1001, release: 1002, distribution: 1010, vendor: 1011, arch: 1022, disturl: 1123 } as const
/** STRING, STRING_ARRAY, I18NSTRING: each begins with its first text. */
const TEXT_TYPES: ReadonlySet<number> = new Set([6, 8, 9])

/** What the header says of the package; an empty text where it does not say. */
export type RpmFacts = Readonly<Record<keyof typeof TAGS, string>>

export interface RpmPackage {
  readonly facts: RpmFacts
  /** Names have no leading `./`. */
  files(): AsyncGenerator<Member>
}

export function isRpm (bytes: Uint8Array): boolean { return LEAD_MAGIC.every((byte, i) => bytes[i] === byte) }

/**
 * Opens an RPM package as it arrives: a lead that no longer matters, a header of signatures, the header, and the payload, a packed
 * cpio archive.
 *
 * @throws AppError `btf_invalid`
 * @see https://rpm-software-management.github.io/rpm/manual/format_v4.html
 */
export async function openRpm (reader: ByteReader): Promise<RpmPackage> {
  await reader.skip(LEAD_SIZE)
  const before = reader.consumed
  await readHeader(reader)
  await reader.skip((8 - (reader.consumed - before) % 8) % 8) // the lead is a multiple of eight
  const texts = await readHeader(reader)
  const text = (tag: number): string => texts.get(tag) ?? ''
  return {
    facts: {
      name: text(TAGS.name),
      version: text(TAGS.version),
      release: text(TAGS.release),
      distribution: text(TAGS.distribution),
      vendor: text(TAGS.vendor),
      arch: text(TAGS.arch),
      disturl: text(TAGS.disturl)
    },
    async * files () {
      const compression = detectCompression(await reader.peek(HEAD_BYTES))
      const pieces = compression === undefined ? takePieces(reader) : unpack(compression, reader, BOUNDS.package)
      for await (const member of readCpio(pieces)) yield { ...member, name: member.name.replace(/^(?:\.?\/)+/, '') }
    }
  }
}

const WANTED: ReadonlySet<number> = new Set(Object.values(TAGS))

/** The texts of a header that are of interest, by tag. */
async function readHeader (reader: ByteReader): Promise<ReadonlyMap<number, string>> {
  const head = dataView(await reader.take(HEADER_SIZE))
  if (head.getUint32(0) !== HEADER_MAGIC) throw invalid('The RPM package is damaged: a header does not start with its magic bytes.')
  const entries = head.getUint32(8)
  const valueBytes = head.getUint32(12)
  if (entries > MAX_ENTRIES || valueBytes > MAX_VALUE_BYTES) {
    throw invalid(`The RPM package is damaged: a header claims ${entries} entries and ${valueBytes} bytes.`)
  }
  const table = dataView(await reader.take(entries * ENTRY.SIZE))
  const values = await reader.take(valueBytes)
  const texts = new Map<number, string>()
  for (let at = 0; at < table.byteLength; at += ENTRY.SIZE) {
    const tag = table.getUint32(at + ENTRY.tag)
    const offset = table.getUint32(at + ENTRY.offset)
    if (WANTED.has(tag) && TEXT_TYPES.has(table.getUint32(at + ENTRY.type)) && offset < valueBytes) {
      texts.set(tag, stringAt(values.subarray(offset, offset + MAX_TEXT_BYTES), 0))
    }
  }
  return texts
}

function invalid (message: string): AppError { return new AppError('btf_invalid', message) }
