import { AppError } from '../../errors.js'

const GLOBAL_HEADER = '!<arch>\n'
/** name: 16, time: 12, owner: 6, group: 6, mode: 8, size: 10, "`\n": all text, filled up with spaces. */
const HEADER_SIZE = 60
/** A Debian package has three members, and at most a few more that start with an underscore. */
const MAX_MEMBERS = 64

export function isAr (bytes: Uint8Array): boolean { return latin1(bytes, 0, GLOBAL_HEADER.length) === GLOBAL_HEADER }

/**
 * The members of an `ar` archive, by name. Own lines, because a Debian package is all that it is needed for.
 *
 * @throws AppError `btf_invalid`
 * @see https://manpages.debian.org/bookworm/dpkg-dev/deb.5.en.html
 */
export function readAr (bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const members = new Map<string, Uint8Array>()
  for (let at = GLOBAL_HEADER.length; at < bytes.length;) {
    if (at + HEADER_SIZE > bytes.length) throw invalid('The package ends within the header of one of its parts.')
    const name = latin1(bytes, at, at + 16).trimEnd().replace(/\/$/, '')
    const size = Number(latin1(bytes, at + 48, at + 58).trimEnd() || NaN)
    const start = at + HEADER_SIZE
    if (latin1(bytes, at + 58, start) !== '`\n' || !Number.isInteger(size) || size < 0) throw invalid('The package is damaged: one of its parts has no header.')
    if (start + size > bytes.length) throw invalid(`The package is cut off: its part ${JSON.stringify(name)} needs ${size} bytes, and ${bytes.length - start} are left.`)
    if (members.size === MAX_MEMBERS) throw invalid(`The package has more than ${MAX_MEMBERS} parts.`)
    if (!members.has(name)) members.set(name, bytes.subarray(start, start + size))
    at = start + size + size % 2
  }
  return members
}

function latin1 (bytes: Uint8Array, start: number, end: number): string { return Buffer.from(bytes.subarray(start, end)).toString('latin1') }

function invalid (message: string): AppError { return new AppError('btf_invalid', message) }
