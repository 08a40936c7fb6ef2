import { StringDecoder } from 'node:string_decoder'
import { AppError } from '../../errors.js'
import { takePieces, type ByteReader } from '../../formats/byte-reader.js'
import { detectCompression, unpack } from '../../formats/decompress/decompress.js'
import { isKernelDeb } from '../deb-kernels.js'
import { createStanzaReader, type Stanza } from '../deb822.js'
import type { IndexedPackage } from '../published.js'
import { isRelativePath } from '../release-file.js'
import { createPrimaryReader } from '../repomd.js'
import { isKernelRpm } from '../rpm-kernels.js'
import type { IndexTask } from './protocol.js'

/** What an index unpacks to. That of all of Debian has 55 MB, of Fedora 350 MB. */
const MOST_BYTES = 2048 * 1024 * 1024
/** Bytes by which data tells what packs it. */
const HEAD_BYTES = 16
/** Kernel packages of one index. Debian's have some hundreds. */
const MOST_PACKAGES = 50_000

const FIELDS: ReadonlySet<string> = new Set(['package', 'version', 'architecture', 'filename', 'size', 'sha256', 'source'])

/**
 * The kernel packages of an index, which is read as it arrives.
 *
 * @throws AppError `source_invalid`, `btf_invalid`, `too_large`
 */
export async function readIndex ({ kind, arch }: IndexTask, reader: ByteReader): Promise<IndexedPackage[]> {
  const found: IndexedPackage[] = []
  const keep = (file: IndexedPackage): void => {
    if (file.arch !== arch) return
    if (found.length === MOST_PACKAGES) {
      throw new AppError('too_large', `The index has more than ${MOST_PACKAGES} kernel packages.`, { limit: MOST_PACKAGES })
    }
    found.push(file)
  }
  const compression = detectCompression(await reader.peek(HEAD_BYTES))
  const pieces = compression === undefined ? takePieces(reader) : unpack(compression, reader, MOST_BYTES)
  const decoder = new StringDecoder('utf8')
  if (kind === 'primary') {
    const xml = createPrimaryReader(isKernelRpm, keep)
    for await (const piece of pieces) xml.write(decoder.write(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)))
    xml.write(decoder.end())
    xml.end()
    return found
  }
  const stanzas = createStanzaReader(FIELDS)
  const keepAll = (read: readonly Stanza[]): void => { for (const file of read.flatMap(stanza => toPackage(stanza) ?? [])) keep(file) }
  for await (const piece of pieces) keepAll(stanzas.feed(decoder.write(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength))))
  keepAll(stanzas.feed(decoder.end()))
  keepAll(stanzas.end())
  return found
}

function toPackage (fields: Stanza): IndexedPackage | undefined {
  const name = fields.get('package') ?? ''
  if (!isKernelDeb(name)) return undefined
  const sha256 = fields.get('sha256') ?? ''
  const path = fields.get('filename') ?? ''
  const bytes = Number(fields.get('size') ?? NaN)
  if (!/^[0-9a-f]{64}$/.test(sha256) || !isRelativePath(path) || !Number.isSafeInteger(bytes) || bytes <= 0) return undefined
  const source = fields.get('source')
  return {
    name,
    ...(source === undefined ? {} : { source }),
    version: fields.get('version') ?? '',
    arch: fields.get('architecture') ?? '',
    path: path.replace(/^\.\//, ''),
    bytes,
    sha256
  }
}
