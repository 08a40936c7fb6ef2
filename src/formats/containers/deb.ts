import { AppError } from '../../errors.js'
import { BOUNDS } from '../bounds.js'
import { createByteReader, takePieces, type ByteReader } from '../byte-reader.js'
import { detectCompression, unpack } from '../decompress/decompress.js'
import { readAr, type ArMember } from './ar.js'
import type { Member } from './member.js'
import { readTar } from './tar.js'

/** The fields of a package's `control` file by their names in lower case. */
export type ControlFields = ReadonlyMap<string, string>

export interface DebPackage {
  readonly control: ControlFields
  /** Names have no leading `./`. To be read once. */
  files(): AsyncGenerator<Member>
}

/** What a control archive unpacks to: a few scripts and lists of checksums. */
const MAX_CONTROL_BYTES = 64 * 1024 * 1024
/** The control file itself. A kernel's has up to 6 KB. */
const MAX_FIELDS_BYTES = 256 * 1024
/** Bytes by which data tells what packs it. */
const HEAD_BYTES = 16

/**
 * Opens a Debian package as it arrives: `debian-binary`, then the control archive, then the data, in this order.
 *
 * @throws AppError `btf_invalid`, `too_large`
 */
export async function openDeb (reader: ByteReader): Promise<DebPackage> {
  const parts = readAr(reader)
  const first = await parts.next()
  if (first.done === true || first.value.name !== 'debian-binary') {
    throw new AppError('btf_invalid', 'The ar archive is not a Debian package: its first file is not debian-binary.')
  }
  const control = await readControl(readTar(unpackPart(await findPart(parts, 'control.tar'), MAX_CONTROL_BYTES)))
  return {
    control,
    async * files () {
      const data = await findPart(parts, 'data.tar')
      for await (const member of readTar(unpackPart(data, BOUNDS.package))) yield { ...member, name: withoutDot(member.name) }
    }
  }
}

async function findPart (parts: AsyncGenerator<ArMember>, stem: string): Promise<ArMember> {
  for (;;) {
    const { done, value } = await parts.next()
    if (done === true) throw new AppError('btf_invalid', `The Debian package has no ${stem}.`)
    if (value.name === stem || value.name.startsWith(`${stem}.`)) return value
  }
}

/** What packs a part is told by its content. */
async function * unpackPart (part: ArMember, maxBytes: number): AsyncGenerator<Uint8Array> {
  const reader = createByteReader(part.pieces(), `part ${part.name} of the package`)
  const compression = detectCompression(await reader.peek(HEAD_BYTES))
  if (compression !== undefined) return yield * unpack(compression, reader, maxBytes)
  yield * takePieces(reader)
}

async function readControl (members: AsyncGenerator<Member>): Promise<ControlFields> {
  const fields = new Map<string, string>()
  for await (const member of members) {
    if (withoutDot(member.name) !== 'control') continue
    if (member.size > MAX_FIELDS_BYTES) {
      throw new AppError('too_large', `The control file of the Debian package has ${member.size} bytes; ` +
        `at most ${MAX_FIELDS_BYTES} are read.`, { limit: MAX_FIELDS_BYTES })
    }
    const text = Buffer.from(await member.read()).toString('utf8')
    for (const [, name, value] of text.matchAll(/^([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)$/gm)) {
      if (name !== undefined && value !== undefined) fields.set(name.toLowerCase(), value.trim())
    }
    return fields
  }
  throw new AppError('btf_invalid', 'The Debian package has no control file.')
}

function withoutDot (name: string): string { return name.replace(/^(?:\.?\/)+/, '') }
