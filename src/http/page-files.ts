import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorCode } from '../store/error-code.js'
import { sha256 } from '../store/sha256.js'
import { etagOf } from './headers.js'

/** A file of the page, in memory. */
export interface PageFile {
  readonly type: string
  readonly plain: CodedFile
  /** Undefined where that would be no smaller. */
  readonly gzip: CodedFile | undefined
}

/** What is sent of a file in one content coding. */
export interface CodedFile {
  readonly etag: string
  readonly bytes: Buffer
}

export interface PageFiles {
  readonly index: PageFile
  /** By name. The build puts a hash of the content into each name. */
  readonly assets: ReadonlyMap<string, PageFile>
}

/** What the build makes. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml'
}

/** Where `npm run build` puts the page: the same place for a service that runs from its sources as for one that is built. */
export const PAGE_FOLDER = fileURLToPath(new URL('../../dist/page/', import.meta.url))

/** Reads the page that was built. Undefined where none was. */
export function readPageFiles (folder: string): PageFiles | undefined {
  try {
    const names = readdirSync(join(folder, 'assets'))
    return {
      index: readPageFile(folder, 'index.html'),
      assets: new Map(names.map(name => [name, readPageFile(folder, `assets/${name}`)]))
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function readPageFile (folder: string, path: string): PageFile {
  const type = TYPES[extname(path)]
  if (type === undefined) throw new Error(`the page has a file of a kind that is not served: ${path}`)
  const compressed = join(folder, 'gzip', path)
  return { type, plain: readCodedFile(join(folder, path)), gzip: existsSync(compressed) ? readCodedFile(compressed) : undefined }
}

function readCodedFile (path: string): CodedFile {
  const bytes = readFileSync(path)
  return { etag: etagOf(sha256(bytes)), bytes }
}
