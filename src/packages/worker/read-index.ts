import { StringDecoder } from 'node:string_decoder'
import { AppError } from '../../errors.js'
import type { ByteSource } from '../../formats/streaming/byte-source.js'
import { unpackStream } from '../../formats/streaming/unpack-stream.js'
import { isKernelDeb } from '../deb-kernels.js'
import { createStanzaReader, type Stanza } from '../deb822.js'
import type { IndexedPackage } from '../published.js'
import { isRelativePath } from '../release-file.js'
import { createPrimaryReader } from '../repomd.js'
import { isKernelRpm } from '../rpm-kernels.js'
import type { IndexTask } from './protocol.js'

/** What an index unpacks to. That of all of Debian has 55 MB, of Fedora 350 MB. */
const MOST_BYTES = 2048 * 1024 * 1024
/** Kernel packages of one index. Debian's have some hundreds. */
const MOST_PACKAGES = 50_000

const FIELDS: ReadonlySet<string> = new Set(['package', 'version', 'architecture', 'filename', 'size', 'sha256'])

/**
 * The kernel packages of an index, which is read as it arrives.
 *
 * @throws AppError `source_invalid`, `btf_invalid`, `too_large`
 */
export async function readIndex ({ kind, arch }: IndexTask, source: ByteSource): Promise<IndexedPackage[]> {
  const found: IndexedPackage[] = []
  const keep = (file: IndexedPackage): void => {
    if (file.arch !== arch) return
    if (found.length === MOST_PACKAGES) throw new AppError('too_large', `The index has more than ${MOST_PACKAGES} kernel packages.`, { limit: MOST_PACKAGES })
    found.push(file)
  }
  const pieces = unpackStream(source, Infinity, MOST_BYTES)
  const decoder = new StringDecoder('utf8')
  if (kind === 'primary') {
    const reader = createPrimaryReader(isKernelRpm, keep)
    for await (const piece of pieces) reader.write(decoder.write(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)))
    reader.write(decoder.end())
    reader.end()
    return found
  }
  const reader = createStanzaReader(FIELDS)
  const keepAll = (stanzas: readonly Stanza[]): void => { for (const file of stanzas.flatMap(stanza => toPackage(stanza) ?? [])) keep(file) }
  for await (const piece of pieces) keepAll(reader.feed(decoder.write(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength))))
  keepAll(reader.feed(decoder.end()))
  keepAll(reader.end())
  return found
}

function toPackage (fields: Stanza): IndexedPackage | undefined {
  const name = fields.get('package') ?? ''
  if (!isKernelDeb(name)) return undefined
  const sha256 = fields.get('sha256') ?? ''
  const path = fields.get('filename') ?? ''
  const bytes = Number(fields.get('size') ?? NaN)
  if (!/^[0-9a-f]{64}$/.test(sha256) || !isRelativePath(path) || !Number.isSafeInteger(bytes) || bytes <= 0) return undefined
  return { name, version: fields.get('version') ?? '', arch: fields.get('architecture') ?? '', path: path.replace(/^\.\//, ''), bytes, sha256 }
}
