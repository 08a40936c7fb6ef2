import { AppError } from '../../errors.js'
import { BOUNDS } from '../bounds.js'
import { detectCompression, unpack } from '../decompress/decompress.js'
import { readAr } from './ar.js'
import type { Member } from './member.js'
import { readTar } from './tar.js'

/** The fields of a package's `control` file by their names in lower case. */
export type ControlFields = ReadonlyMap<string, string>

export interface DebPackage {
  readonly control: ControlFields
  /** Names have no leading `./`. */
  files(): AsyncGenerator<Member>
}

/** A control archive has a few scripts and lists of checksums in it. */
const MAX_CONTROL_BYTES = 64 * 1024 * 1024

/** @throws AppError `btf_invalid`, `too_large` */
export async function openDeb (bytes: Uint8Array): Promise<DebPackage> {
  const parts = readAr(bytes)
  if (!parts.has('debian-binary')) throw new AppError('btf_invalid', 'The ar archive is no Debian package: it has no debian-binary.')
  const control = findPart(parts, 'control.tar')
  const data = findPart(parts, 'data.tar')
  return {
    control: await readControl(readTar(piecesOf(control, MAX_CONTROL_BYTES))),
    async * files () {
      for await (const member of readTar(piecesOf(data, BOUNDS.package))) yield { ...member, name: withoutDot(member.name) }
    }
  }
}

function findPart (parts: ReadonlyMap<string, Uint8Array>, stem: string): Uint8Array {
  const part = [...parts].find(([name]) => name === stem || name.startsWith(`${stem}.`))?.[1]
  if (part === undefined) throw new AppError('btf_invalid', `The Debian package has no ${stem}.`)
  return part
}

/** What packs a part is told by its content. */
function piecesOf (part: Uint8Array, maxBytes: number): AsyncGenerator<Uint8Array> {
  const compression = detectCompression(part)
  return compression === undefined ? onePiece(part) : unpack(compression, part, maxBytes)
}

async function * onePiece (bytes: Uint8Array): AsyncGenerator<Uint8Array> { yield bytes }

async function readControl (members: AsyncGenerator<Member>): Promise<ControlFields> {
  const fields = new Map<string, string>()
  for await (const member of members) {
    if (withoutDot(member.name) !== 'control') continue
    const text = Buffer.from(await member.read()).toString('utf8')
    for (const [, name, value] of text.matchAll(/^([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)$/gm)) {
      if (name !== undefined && value !== undefined) fields.set(name.toLowerCase(), value.trim())
    }
    return fields
  }
  throw new AppError('btf_invalid', 'The Debian package has no control file.')
}

function withoutDot (name: string): string { return name.replace(/^(?:\.?\/)+/, '') }
