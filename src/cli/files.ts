import { randomBytes } from 'node:crypto'
import {
  closeSync, fstatSync, fsyncSync, openSync, readFileSync, readSync, realpathSync, renameSync, rmSync, statSync, writeFileSync
} from 'node:fs'
import { AppError, throwAll } from '../errors.js'
import { errorCode } from '../store/error-code.js'

/** Larger than any object or BTF we take; keeps a disk image, or a device or pipe without an end, from being read into memory. */
const MAX_INPUT_BYTES = 256 * 1024 * 1024
const STANDARD_INPUT = 0
/** As much as a pipe holds. */
const PIECE_BYTES = 64 * 1024

/**
 * Reads an input file whole; `-` is standard input. Of one that does not say its size no more is read than shows that it is too large.
 *
 * @param what the file's role, for the message: `object`, `BTF file`
 * @throws AppError `not_found` where it cannot be read, `too_large`
 */
export function readInput (path: string, what: string): Uint8Array {
  const name = path === '-' ? `${what} of standard input` : `${what} ${path}`
  try {
    const file = path === '-' ? STANDARD_INPUT : openSync(path, 'r')
    try {
      return readBounded(file, name)
    } finally {
      if (file !== STANDARD_INPUT) closeSync(file)
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('not_found', `The ${name} cannot be read: ${explainErrno(error)}.`, {}, { cause: error })
  }
}

/**
 * What `work` makes of each of the files that a command takes several of.
 *
 * @param what the files' role, for the message: `object`
 * @throws AppError that names every file of which `work` throws one
 */
export function ofEach<T> (paths: readonly string[], what: string, work: (path: string) => T): T[] {
  const errors: AppError[] = []
  const results = paths.flatMap(path => {
    try {
      return [work(path)]
    } catch (error) {
      errors.push(asAppError(error))
      return []
    }
  })
  throwAll(errors, unreadable(what))
  return results
}

/** @throws what it is given, where that is none */
function asAppError (error: unknown): AppError {
  if (error instanceof AppError && error.code !== 'internal_error') return error
  throw error
}

function unreadable (what: string): (count: number) => string { return count => `${count} ${what}s cannot be read:` }

/** @throws AppError `too_large`; the error of the file system */
function readBounded (file: number, name: string): Uint8Array {
  const facts = fstatSync(file)
  // Files of /proc say 0, whatever there is in them.
  if (facts.isFile() && facts.size > 0) {
    if (facts.size <= MAX_INPUT_BYTES) return readFileSync(file)
    throw new AppError('too_large', `The ${name} has ${facts.size} bytes; at most ${MAX_INPUT_BYTES} are read.`)
  }
  const piece = new Uint8Array(PIECE_BYTES)
  const pieces: Uint8Array[] = []
  for (let total = 0; ;) {
    const read = readSync(file, piece, 0, piece.length, null)
    if (read === 0) return Buffer.concat(pieces, total)
    total += read
    if (total > MAX_INPUT_BYTES) {
      throw new AppError('too_large', `The ${name} has more than ${MAX_INPUT_BYTES} bytes, which are the most that are read.`)
    }
    pieces.push(piece.slice(0, read))
  }
}

/**
 * Writes a result file: whole or not at all. What is not a regular file (a pipe, /dev/null) is written to, never replaced.
 *
 * @throws AppError `internal_error`
 */
export function writeOutput (path: string, bytes: Uint8Array): void {
  try {
    const existing = statSync(path, { throwIfNoEntry: false })
    if (existing === undefined) replaceFile(path, bytes, 0o666)
    else if (existing.isFile()) replaceFile(realpathSync(path), bytes, existing.mode)
    else writeFileSync(path, bytes)
  } catch (error) {
    throw notWritten(path, error)
  }
}

/** What is said where a result cannot be written. `error` is that of the file system. */
export function notWritten (path: string, error: unknown): AppError {
  return new AppError('internal_error', `The result cannot be written to ${path}: ${explainErrno(error)}.`, {}, { cause: error })
}

/** Whole or not at all. The temporary name is random: process ids repeat among containers that share a volume. */
function replaceFile (path: string, bytes: Uint8Array, mode: number): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = openSync(temporary, 'wx', mode)
    try {
      writeFileSync(file, bytes)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/**
 * Runs what reads a file's content, so that what is wrong with the content is said with the file's name.
 *
 * @throws AppError the same, with the name before its sentence
 */
export function about<T> (path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw named(path, error)
  }
}

interface BtfFile {
  readonly name: string
  readonly bytes: Uint8Array
  readonly distilledBase?: Uint8Array | undefined
}

/** The BTF in a file, raw, whatever it came in: see openBtf. @throws AppError with the file's name in its sentence */
async function readBtfFile (path: string, isModule: boolean): Promise<BtfFile> {
  const content = readInput(path, 'BTF file')
  // What raw BTF of the running kernel does not need must not cost it a slower start.
  const { openBtf } = await import('../formats/open-btf.js')
  try {
    const { btf, distilledBase } = await openBtf(content, { isModule })
    return { name: path, bytes: btf, distilledBase }
  } catch (error) {
    throw named(path, error)
  }
}

/**
 * The same of several: vmlinux, then modules.
 *
 * @throws AppError that names every file which has none
 */
export async function readBtfFiles (paths: readonly string[]): Promise<BtfFile[]> {
  const read = await Promise.allSettled(paths.map(async (path, i) => await readBtfFile(path, i > 0)))
  throwAll(read.flatMap(result => result.status === 'rejected' ? [asAppError(result.reason)] : []), unreadable('BTF file'))
  return read.flatMap(result => result.status === 'fulfilled' ? [result.value] : [])
}

function named (path: string, error: unknown): unknown {
  if (!(error instanceof AppError) || error.code === 'internal_error') return error
  return new AppError(error.code, `${path === '-' ? 'standard input' : path}: ${error.message}`, error.details, { cause: error })
}

/** What the system said, in words. */
export function explainErrno (error: unknown): string {
  const code = errorCode(error)
  switch (code) {
    case 'ENOENT': return 'there is no such file or directory'
    case 'EACCES': case 'EPERM': return 'permission denied'
    case 'EISDIR': return 'it is a directory'
    case 'ENOTDIR': return 'part of the path is no directory'
    case 'ENOSPC': return 'no space is left on the device'
    case 'EROFS': return 'the file system is read-only'
    default: return error instanceof Error ? error.message : String(error)
  }
}
