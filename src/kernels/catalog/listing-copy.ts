import { readFile } from 'node:fs/promises'
import { writeDurably } from '../../store/atomic-file.js'
import { sha256 } from '../../store/sha256.js'

/** A listing as it was when it was last had, with what its origin needs to say that it is still the same. */
export interface ListingCopy {
  /** Where it came from. */
  readonly what: string
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly paths: readonly string[]
}

const FORMAT = 'corelo listing 1'

/**
 * The copy that a file holds: a line of JSON with a checksum over the rest, so that a damaged copy is noticed and asked for
 * anew, and a path a line.
 *
 * @returns undefined where there is none, it is damaged, or it is of something else
 */
export async function readCopy (path: string, what: string): Promise<ListingCopy | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const end = text.indexOf('\n')
  const body = text.slice(end + 1)
  const { format, checksum, what: of, etag, last_modified: lastModified } = parseHeader(text.slice(0, end))
  if (format !== FORMAT || of !== what || checksum !== sha256(body)) return undefined
  return { what, etag: textOf(etag), lastModified: textOf(lastModified), paths: body.split('\n').filter(line => line !== '') }
}

/** @throws the error of the file system */
export async function writeCopy (path: string, { what, etag, lastModified, paths }: ListingCopy): Promise<void> {
  const body = `${paths.join('\n')}\n`
  const header = { format: FORMAT, what, etag, last_modified: lastModified, checksum: sha256(body) }
  await writeDurably(path, `${JSON.stringify(header)}\n${body}`)
}

function parseHeader (line: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(line)
    return typeof json === 'object' && json !== null ? { ...json } : {}
  } catch {
    return {}
  }
}

function textOf (value: unknown): string | undefined { return typeof value === 'string' ? value : undefined }
