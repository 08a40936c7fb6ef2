import { AppError } from '../../errors.js'
import { BOUNDS } from '../bounds.js'
import { readCpio } from '../containers/cpio.js'
import type { Member } from '../containers/member.js'
import { isRpm } from '../containers/rpm.js'
import { readTar } from '../containers/tar.js'
import type { ByteSource } from './byte-source.js'
import { unpackStream } from './unpack-stream.js'

const AR_MAGIC = '!<arch>\n'
/** See readAr. */
const AR_HEADER_SIZE = 60
const AR_MOST_MEMBERS = 64

/**
 * The files of a Debian package that arrives, as they come. Whoever has what he wants ends the iteration, and nothing more is unpacked.
 *
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function * readDebStream (source: ByteSource): AsyncGenerator<Member> {
  if (latin1(source.peek(AR_MAGIC.length)) !== AR_MAGIC) throw invalid('What arrived is no Debian package.')
  source.skip(AR_MAGIC.length)
  for (let count = 0; count < AR_MOST_MEMBERS; count++) {
    const header = latin1(source.take(AR_HEADER_SIZE))
    const name = header.slice(0, 16).trimEnd().replace(/\/$/, '')
    const size = Number(header.slice(48, 58).trimEnd() || NaN)
    if (!header.endsWith('`\n') || !Number.isInteger(size) || size < 0) throw invalid('The package is damaged: one of its parts has no header.')
    if (name === 'data.tar' || name.startsWith('data.tar.')) return yield * withoutDots(readTar(unpackStream(source, size, BOUNDS.package)))
    source.skip(size + size % 2)
  }
  throw invalid('The Debian package has no data.tar.')
}

/** The headers of an RPM package, as its start: what openRpm reads facts from, and what is signed. */
export interface RpmHeaders {
  /** From the lead to the end of the header. */
  readonly bytes: Uint8Array
  /** The header of signatures, and the header itself: parts of `bytes`. */
  readonly signatures: Uint8Array
  readonly header: Uint8Array
}

const RPM_LEAD_SIZE = 96
/** magic and version: u32, reserved: u32, entries: u32, bytes of values: u32, all big-endian */
const RPM_HEADER_SIZE = 16
const RPM_ENTRY_SIZE = 16
/** A kernel's header lists some thousands of files. Debian's largest package, as an RPM, would have 2 MB. */
const RPM_MOST_HEADER_BYTES = 64 * 1024 * 1024

/** @throws AppError `btf_invalid`, `too_large` */
export function readRpmHeaders (source: ByteSource): RpmHeaders {
  if (!isRpm(source.peek(4))) throw invalid('What arrived is no RPM package.')
  const lead = source.take(RPM_LEAD_SIZE).slice()
  const signatures = readHeaderBytes(source)
  const padding = source.take((8 - signatures.length % 8) % 8).slice()
  const header = readHeaderBytes(source)
  const bytes = Buffer.concat([lead, signatures, padding, header])
  return { bytes, signatures, header }
}

function readHeaderBytes (source: ByteSource): Uint8Array {
  const intro = Buffer.from(source.take(RPM_HEADER_SIZE))
  if (intro.readUInt32BE(0) !== 0x8eade801) throw invalid('The RPM package is damaged: a header does not begin as one.')
  const rest = intro.readUInt32BE(8) * RPM_ENTRY_SIZE + intro.readUInt32BE(12)
  if (rest > RPM_MOST_HEADER_BYTES) throw new AppError('too_large', `A header of the RPM package says that it has ${rest} bytes; at most ${RPM_MOST_HEADER_BYTES} are read.`, { limit: RPM_MOST_HEADER_BYTES })
  return Buffer.concat([intro, source.take(rest)])
}

/** The files of an RPM package behind its headers, as they come. */
export async function * readRpmPayload (source: ByteSource): AsyncGenerator<Member> {
  yield * withoutDots(readCpio(unpackStream(source, Infinity, BOUNDS.package)))
}

async function * withoutDots (members: AsyncGenerator<Member>): AsyncGenerator<Member> {
  for await (const member of members) yield { ...member, name: member.name.replace(/^(?:\.?\/)+/, '') }
}

function latin1 (bytes: Uint8Array): string { return Buffer.from(bytes).toString('latin1') }

function invalid (message: string): AppError { return new AppError('btf_invalid', message) }
