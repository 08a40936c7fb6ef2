import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from '../store/atomic-file.js'
import { makeFolder } from '../store/folder.js'
import { sha256 } from '../store/sha256.js'
import type { PublishedKernel } from './published.js'
import type { Repository } from './repository.js'

/** What is known of a repository: its kernels, from an index that was verified. */
export interface RepositoryIndex {
  /** Where the paths begin, without credentials. */
  readonly base: string
  /** Grows with each version of the index: its date, or its revision. An index with a smaller one is an old one. */
  readonly revision: number
  /** Milliseconds since 1970 until when it may be believed; undefined: always. */
  readonly validUntil?: number
  /** Hash of what named the index, so that an unchanged one is not read again. */
  readonly indexSha256: string
  /** The origin's name for what was signed. */
  readonly etag?: string
  /** Whether the index itself was signed. Where it was not, each package has to be. */
  readonly isSigned: boolean
  readonly kernels: readonly PublishedKernel[]
  /** Milliseconds since 1970. */
  readonly checkedAt: number
}

const FORMAT = 'corelo packages 1'

function copyPath (directory: string, { id }: Repository): string { return join(directory, `${id}.json`) }

/** The index as it was when the service last had it; undefined where there is none, it is damaged, or of another address. */
export async function readIndexCopy (directory: string, repository: Repository): Promise<RepositoryIndex | undefined> {
  const text = await readFile(copyPath(directory, repository), 'utf8').catch(() => '')
  const end = text.indexOf('\n')
  const body = text.slice(end + 1)
  if (text.slice(0, end) !== headerOf(repository, body)) return undefined
  return JSON.parse(body) as RepositoryIndex // the header proves that writeIndexCopy made it
}

/** @throws the error of the file system */
export async function writeIndexCopy (directory: string, repository: Repository, index: RepositoryIndex): Promise<void> {
  await makeFolder(directory)
  const body = JSON.stringify(index)
  await writeDurably(copyPath(directory, repository), `${headerOf(repository, body)}\n${body}`)
}

/**
 * Whose copy it is, and a checksum, so that a damaged copy is noticed and asked for anew. Whoever signs is part of it: other keys,
 * another trust.
 */
function headerOf ({ url, signers }: Repository, body: string): string {
  const trust = signers.kind === 'files'
    ? signers.paths.join(' ')
    : signers.kind === 'pinned' ? Object.keys(signers.keys).join(' ') : 'unsigned'
  return JSON.stringify({ format: FORMAT, of: `${url.origin}${url.pathname}`, trust, checksum: sha256(body) })
}
