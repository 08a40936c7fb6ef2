import { createReadStream } from 'node:fs'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, throwAll } from '../errors.js'
import { errorCode } from '../store/error-code.js'
import { BOUNDS } from '../formats/bounds.js'
import { HEAD_BYTES, isRecognised, isStreamed } from '../formats/recognise.js'

/** A file to import. */
export interface ImportFile {
  readonly path: string
  /** Its parts that are within a folder which was given; 0 for a file that was given itself. */
  readonly depth: number
}

/** Folders within each other. */
const MAX_DEPTH = 32

/**
 * The files below the given paths, in the order of their names. Within folders, hidden entries and symbolic links are passed
 * over: an archive of BTFHub's layout has its own history beside it, and links to what is there under another name.
 *
 * @throws AppError `not_found`, for the given paths before the first file
 */
export async function * listImportFiles (paths: readonly string[]): AsyncGenerator<ImportFile> {
  for (const { path, isFolder } of await look(paths)) {
    if (isFolder) yield * listFolder(path, 1)
    else yield { path, depth: 0 }
  }
}

/** What is there. @throws AppError `not_found` that names every path which is not, before anything was taken of the others */
async function look (paths: readonly string[]): Promise<Array<{ readonly path: string, readonly isFolder: boolean }>> {
  const found = []
  const errors: AppError[] = []
  for (const path of paths) {
    try {
      const facts = await orNotFound(path, stat(path))
      found.push({ path, isFolder: facts.isDirectory() })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      errors.push(error)
    }
  }
  throwAll(errors, count => `Nothing was imported: ${count} paths cannot be read:`)
  return found
}

async function * listFolder (folder: string, depth: number): AsyncGenerator<ImportFile> {
  if (depth > MAX_DEPTH) return
  const entries = await orNotFound(folder, readdir(folder, { withFileTypes: true }))
  for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (entry.name.startsWith('.')) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield * listFolder(path, depth + 1)
    else if (entry.isFile()) yield { path, depth }
  }
}

/**
 * The content of a file: in pieces as they are read, where it is an archive or packed, so that no package is in memory whole.
 *
 * @returns undefined for a file in a folder that is nothing a kernel's BTF could be in, so that a README is no failure
 * @throws AppError `not_found`, `too_large`
 */
export async function readImportFile ({ path, depth }: ImportFile): Promise<Uint8Array | AsyncIterable<Uint8Array> | undefined> {
  const facts = await orNotFound(path, stat(path))
  if (!facts.isFile()) {
    throw new AppError('not_found',
      `${path} cannot be read: it is a device or a pipe, and no file or folder; write what it gives into a file.`)
  }
  const { size } = facts
  const head = await orNotFound(path, readHead(path))
  if (depth > 0 && !isRecognised(head)) return undefined
  if (size > BOUNDS.file) {
    throw new AppError('too_large', `The file has ${size} bytes; at most ${BOUNDS.file} are read.`, { limit: BOUNDS.file })
  }
  return isStreamed(head) ? readPieces(path) : await orNotFound(path, readFile(path))
}

async function * readPieces (path: string): AsyncGenerator<Uint8Array> {
  const pieces = createReadStream(path, { highWaterMark: PIECE_BYTES })[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value } = await orNotFound(path, pieces.next())
      if (done === true) return
      yield value
    }
  } finally {
    await pieces.return?.()
  }
}

const PIECE_BYTES = 1024 * 1024

async function readHead (path: string): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

async function orNotFound<T> (path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const code = errorCode(error)
    const reason = code === 'ENOENT' ? 'there is no such file or folder' : code === 'EACCES' ? 'permission denied' : String(error)
    throw new AppError('not_found', `${path} cannot be read: ${reason}.`, {}, { cause: error })
  }
}
