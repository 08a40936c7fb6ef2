import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import tar from 'tar-stream'
import { MANIFEST_NAME, serializeManifest, type Manifest } from './manifest.js'
import { storedXz } from './stored-xz.js'

/** A file of a bundle. */
export interface BundleFile {
  readonly path: string
  /** Made when it is its turn, so that one at a time is in memory. */
  content(): Promise<Uint8Array>
}

/**
 * Writes a bundle: whole, or not at all. The same content gives the same bytes, but for the time in the manifest. Packed by gzip
 * where the name ends in `.gz` or `.tgz`.
 *
 * @throws the error of the file system, and what `content` throws
 */
export async function writeBundle (path: string, manifest: Manifest, files: readonly BundleFile[]): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const pack = tar.pack()
  const feed = async (): Promise<void> => {
    await add(pack, MANIFEST_NAME, Buffer.from(serializeManifest(manifest)))
    for (const file of files) await add(pack, file.path, await file.content())
    pack.finalize()
  }
  const target = createWriteStream(temporary, { flags: 'wx' })
  try {
    const written = /\.(?:gz|tgz)$/.test(path) ? pipeline(pack, createGzip(), target) : pipeline(pack, target)
    const feeding = feed().catch((error: unknown) => { pack.destroy(error instanceof Error ? error : new Error(String(error))) })
    await written
    await feeding
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** One kernel's file as BTFHub packs it: `<release>.btf` alone, or `vmlinux` with a file for each module. */
export async function packKernel (files: ReadonlyArray<{ readonly name: string, readonly bytes: Uint8Array }>): Promise<Uint8Array> {
  const pack = tar.pack()
  const chunks: Buffer[] = []
  const reading = (async () => {
    for await (const chunk of pack) if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk))
  })()
  for (const { name, bytes } of files) await add(pack, name, bytes)
  pack.finalize()
  await reading
  return storedXz(Buffer.concat(chunks))
}

/** Owner, mode and time as BTFHub sets them, so that equal content is an equal file. */
async function add (pack: tar.Pack, name: string, content: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
    const header = { name, size: bytes.length, mode: 0o444, uid: 0, gid: 0, uname: 'root', gname: 'root', mtime: new Date(0) }
    pack.entry(header, bytes, error => {
      if (error === undefined || error === null) resolve()
      else reject(error)
    })
  })
}
