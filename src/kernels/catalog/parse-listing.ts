import { isWithinJsonBounds } from '../../bytes/json-bounds.js'
import { AppError } from '../../errors.js'
import { archiveFolders } from '../../identity/platform.js'
import { ARCHIVE_SUFFIX } from '../../identity/archive-places.js'
import { createPathReader } from './offered-path.js'

/** Bounds of a listing. The public archive has some ten thousand kernels; GitHub's listing of it has 250 bytes a file. */
export const LISTING_LIMITS = { bytes: 32 * 1024 * 1024, kernels: 200_000, json: { depth: 8, values: 2_000_000 } } as const

export interface Listing {
  /** Of kernels, as the archive spells them. Sorted, each once. */
  readonly paths: readonly string[]
  /** Lines or files that are no kernels. */
  readonly passedOver: number
}

/**
 * Reads a listing of an archive: a plain list of paths, one a line; the manifest of BTFHub's tools (JSON lines of `distro,
 * release, arch, name_of_file`); or the tree of a repository as GitHub's API gives it.
 *
 * @throws AppError `source_invalid` where it is none of these, was cut short, names no kernel, or too many
 * @see https://github.com/aquasecurity/btfhub/blob/bbeeb0532c7a27eeb76f36362054e79bf7b1de0a/pkg/manifest/manifest.go
 */
export function parseListing (bytes: Uint8Array): Listing {
  if (bytes.length > LISTING_LIMITS.bytes) throw invalid(`has ${bytes.length} bytes, and at most ${LISTING_LIMITS.bytes} are read`)
  if (!isWithinJsonBounds(bytes, LISTING_LIMITS.json)) {
    const { values, depth } = LISTING_LIMITS.json
    throw invalid(`has more than ${values} values, or more than ${depth} within each other`)
  }
  const text = new TextDecoder().decode(bytes)
  const entries = /^\s*\{/.test(text) ? fromJson(text) : lines(text)
  const read = createPathReader()
  const paths = new Set<string>()
  let passedOver = 0
  for (const entry of entries) {
    const path = entry === undefined ? undefined : read(entry)?.path
    if (path === undefined) passedOver++
    else paths.add(path)
    if (paths.size > LISTING_LIMITS.kernels) throw invalid(`names more than ${LISTING_LIMITS.kernels} kernels`)
  }
  if (paths.size === 0) {
    throw invalid('names no kernel: expected are paths such as ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz, one a line')
  }
  return { paths: [...paths].sort(), passedOver }
}

/** A line at a time, since a listing as an array of lines takes several times its size. */
function * lines (text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    const line = text.slice(start, end).trim()
    if (line !== '' && !line.startsWith('#')) yield line
    start = end + 1
  }
}

function fromJson (text: string): Iterable<string | undefined> {
  const [first = ''] = lines(text)
  const json = parseJson(first)
  if (!isRecord(json)) return fromTree(parseJson(text))
  return 'tree' in json ? fromTree(json) : fromManifest(text)
}

/** The manifest speaks of a distribution's releases by the names that its package archive has for them, codenames included. */
function * fromManifest (text: string): Generator<string | undefined> {
  for (const line of lines(text)) {
    const entry = parseJson(line)
    yield isRecord(entry) ? pathOfEntry(entry) : undefined
  }
}

function pathOfEntry ({ distro, release, arch, name_of_file: name }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof distro !== 'string' || typeof release !== 'string' || typeof arch !== 'string' || typeof name !== 'string') return undefined
  const [folder] = archiveFolders({ distro, distroVersion: release })
  if (folder === undefined) return undefined
  return `${folder.distro}/${folder.distroVersion}/${arch}/${name.endsWith(ARCHIVE_SUFFIX) ? name : `${name}${ARCHIVE_SUFFIX}`}`
}

/** Symbolic links are files in a tree as well; the mode tells. */
const SYMBOLIC_LINK = '120000'

function * fromTree (json: unknown): Generator<string | undefined> {
  if (!isRecord(json) || !Array.isArray(json['tree'])) {
    throw invalid('is neither a list of paths, nor a manifest of BTFHub, nor a tree of GitHub')
  }
  if (json['truncated'] === true) {
    throw invalid('was cut short by GitHub (truncated), so that kernels would seem to be missing; use a list of paths instead')
  }
  for (const item of json['tree']) {
    if (!isRecord(item) || item['type'] === 'tree') continue
    yield typeof item['path'] === 'string' && item['mode'] !== SYMBOLIC_LINK ? item['path'] : undefined
  }
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isRecord (value: unknown): value is Readonly<Record<string, unknown>> { return typeof value === 'object' && value !== null }

function invalid (what: string): AppError { return new AppError('source_invalid', `The listing ${what}.`) }
