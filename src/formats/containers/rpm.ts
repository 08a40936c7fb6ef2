import { dataView, isInside } from '../../bytes/checked.js'
import { stringAt } from '../../bytes/strings.js'
import { AppError } from '../../errors.js'
import { BOUNDS } from '../bounds.js'
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
 * Opens an RPM package: a lead that no longer matters, a header of signatures, the header, and the payload, a packed cpio archive.
 *
 * @throws AppError `btf_invalid`
 * @see https://rpm-software-management.github.io/rpm/manual/format_v4.html
 */
export function openRpm (bytes: Uint8Array): RpmPackage {
  const signatures = readHeader(bytes, LEAD_SIZE)
  const header = readHeader(bytes, signatures.end + (8 - signatures.end % 8) % 8)
  const payload = bytes.subarray(header.end)
  const text = (tag: number): string => header.texts.get(tag) ?? ''
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
      const compression = detectCompression(payload)
      const pieces = compression === undefined ? onePiece(payload) : unpack(compression, payload, BOUNDS.package)
      for await (const member of readCpio(pieces)) yield { ...member, name: member.name.replace(/^(?:\.?\/)+/, '') }
    }
  }
}

const WANTED: ReadonlySet<number> = new Set(Object.values(TAGS))

function readHeader (bytes: Uint8Array, start: number): { texts: ReadonlyMap<number, string>, end: number } {
  if (!isInside(start, HEADER_SIZE, bytes.length)) throw invalid('The RPM package ends before its header.')
  const view = dataView(bytes)
  if (view.getUint32(start) !== HEADER_MAGIC) throw invalid('The RPM package is damaged: a header does not begin as one.')
  const entries = view.getUint32(start + 8)
  const valueBytes = view.getUint32(start + 12)
  const values = start + HEADER_SIZE + entries * ENTRY.SIZE
  if (entries > MAX_ENTRIES || !isInside(values, valueBytes, bytes.length)) throw invalid(`The RPM package is cut off or damaged: a header says that it has ${entries} entries and ${valueBytes} bytes.`)
  const texts = new Map<number, string>()
  const store = bytes.subarray(values, values + valueBytes)
  for (let at = start + HEADER_SIZE; at < values; at += ENTRY.SIZE) {
    const tag = view.getUint32(at + ENTRY.tag)
    const offset = view.getUint32(at + ENTRY.offset)
    if (WANTED.has(tag) && TEXT_TYPES.has(view.getUint32(at + ENTRY.type)) && offset < valueBytes) texts.set(tag, stringAt(store, offset))
  }
  return { texts, end: values + valueBytes }
}

async function * onePiece (bytes: Uint8Array): AsyncGenerator<Uint8Array> { yield bytes }

function invalid (message: string): AppError { return new AppError('btf_invalid', message) }
