import { AppError } from '../errors.js'
import { parseStanzas } from './deb822.js'

/** What the Release file of a suite says: which indexes there are, and until when the list is valid. */
export interface ReleaseFile {
  readonly suite: string | undefined
  readonly codename: string | undefined
  /** Version of the distribution. */
  readonly version: string | undefined
  /** Milliseconds since 1970. */
  readonly date: number
  /** Milliseconds since 1970; undefined where it never ends. */
  readonly validUntil: number | undefined
  readonly acquireByHash: boolean
  readonly files: ReadonlyMap<string, { readonly sha256: string, readonly bytes: number }>
}

/**
 * Reads a Release file: the signed text of InRelease.
 *
 * @throws AppError `source_invalid`
 * @see https://wiki.debian.org/DebianRepository/Format
 */
export function parseReleaseFile (text: string): ReleaseFile {
  const [fields, ...more] = parseStanzas(text)
  if (fields === undefined || more.length > 0) throw new AppError('source_invalid', 'The Release file is not one paragraph.')
  const date = Date.parse(fields.get('date') ?? '')
  if (Number.isNaN(date)) throw new AppError('source_invalid', 'The Release file has no date.')
  const until = fields.get('valid-until')
  const validUntil = until === undefined ? undefined : Date.parse(until)
  if (validUntil !== undefined && Number.isNaN(validUntil)) {
    throw new AppError('source_invalid', `The Release file has a Valid-Until that is not a date: ${JSON.stringify(until)}.`)
  }
  return {
    suite: fields.get('suite'),
    codename: fields.get('codename'),
    version: fields.get('version'),
    date,
    validUntil,
    acquireByHash: fields.get('acquire-by-hash') === 'yes',
    files: filesOf(fields.get('sha256') ?? '')
  }
}

/** Lines of hash, size and path. Paths lead below the suite's folder and nowhere else. */
function filesOf (text: string): ReadonlyMap<string, { readonly sha256: string, readonly bytes: number }> {
  const files = new Map<string, { readonly sha256: string, readonly bytes: number }>()
  for (const line of text.split('\n')) {
    const [, sha256, size, path] = /^\s*([0-9a-f]{64})\s+(\d{1,12})\s+(\S+)\s*$/.exec(line) ?? []
    if (sha256 !== undefined && path !== undefined && isRelativePath(path)) files.set(path, { sha256, bytes: Number(size) })
  }
  if (files.size === 0) throw new AppError('source_invalid', 'The Release file lists no file by SHA-256.')
  return files
}

/** Whether a path that a repository names stays below the repository. */
export function isRelativePath (path: string): boolean {
  return path.length <= 1024 && !path.includes('\\') && !/^[a-z][a-z0-9+.-]*:/i.test(path) &&
    path.split('/').every((part, i, parts) =>
      part !== '' && part !== '.' && part !== '..' ? true : part === '.' && i === 0 && parts.length > 1)
}

/** In which spelling an index may be packed, the one that costs least to send first. */
const PACKINGS = ['.xz', '.zst', '.gz', ''] as const

/**
 * Where the index of a component lies below the suite's folder. The security archive names its components `updates/main`, and has their
 * indexes below `main`; older suites have them below the name.
 */
export function findPackagesIndex (
  { files }: ReleaseFile, component: string, arch: string
): { readonly path: string, readonly sha256: string, readonly bytes: number } | undefined {
  const short = component.replace(/^updates\//, '')
  for (const folder of new Set([component, short, `updates/${short}`])) {
    for (const packing of PACKINGS) {
      const path = `${folder}/binary-${arch}/Packages${packing}`
      const file = files.get(path)
      if (file !== undefined && file.bytes > 0) return { path, ...file }
    }
  }
  return undefined
}
