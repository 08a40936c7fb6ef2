import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { AppError } from '../errors.js'
import { isSegment } from '../identity/reference.js'

/** A file in the objects folder that is to be relocated. */
export interface ObjectFile {
  /** The file name without its ending: what its results are called. */
  readonly name: string
  readonly path: string
  /** Changes whenever the file does. */
  readonly stamp: string
  /** Why it cannot be worked on, if that is so. */
  readonly problem: string | undefined
}

/** More is a folder that holds something else. */
const MAX_OBJECTS = 256
/** The largest that a service may be set up to take, with room. */
const MAX_OBJECT_BYTES = 64 * 1024 * 1024
const ENDING = /(?:\.bpf)?\.o$/

/**
 * Lists `*.bpf.o` and `*.o` of a folder, by name. Links are followed, as a mounted ConfigMap consists of them; names that
 * begin with a dot are passed over, as it keeps its versions there.
 *
 * @throws AppError `not_found` where the folder cannot be read
 */
export async function listObjects (folder: string): Promise<ObjectFile[]> {
  const entries = await readdir(folder).catch((error: unknown) => {
    throw new AppError('not_found', `The objects folder ${folder} cannot be read (${messageOf(error)}); ` +
      'mount it, or give another one.', { folder }, { cause: error })
  })
  const found: ObjectFile[] = []
  const taken = new Map<string, string>()
  for (const entry of entries.filter(entry => ENDING.test(entry) && !entry.startsWith('.')).sort()) {
    const path = join(folder, entry)
    const file = await stat(path, { bigint: true }).catch(() => undefined)
    if (file?.isFile() !== true) continue
    const name = entry.replace(ENDING, '')
    const first = taken.get(pinNameOf(name))
    if (first === undefined) taken.set(pinNameOf(name), entry)
    found.push({
      // The one that comes second gets its whole name, under which it is only spoken of.
      name: first === undefined ? name : entry,
      path,
      stamp: `${file.dev}:${file.ino}:${file.size}:${file.mtimeNs}`,
      problem: problemOf(entry, name, first, file.size, found.length)
    })
  }
  return found
}

/** A name as bpffs takes it: it has none with a dot. */
export function pinNameOf (name: string): string { return name.replaceAll('.', '_') }

/** @throws AppError `not_found` */
export async function readObject ({ path }: ObjectFile): Promise<Uint8Array> {
  return await readFile(path).catch((error: unknown) => {
    throw new AppError('not_found', `The object ${path} cannot be read: ${messageOf(error)}.`, { path }, { cause: error })
  })
}

function problemOf (entry: string, name: string, first: string | undefined, bytes: bigint, before: number): string | undefined {
  if (before >= MAX_OBJECTS) return `The folder has more than ${MAX_OBJECTS} objects; ${basename(entry)} is left out.`
  if (!isSegment(name)) return `${JSON.stringify(entry)} cannot be the name of an object; use A-Z a-z 0-9 . _ + ~ - only.`
  if (first !== undefined) return `${first} and ${entry} would have results of the same name; rename one of them.`
  if (bytes > MAX_OBJECT_BYTES) return `${entry} has ${bytes} bytes; no object is larger than ${MAX_OBJECT_BYTES}.`
  return undefined
}

function messageOf (error: unknown): string { return error instanceof Error ? error.message : String(error) }
