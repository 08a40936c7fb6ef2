import { isSegment } from './reference.js'
import type { Platform } from './platform.js'

/** What os-release says of a distribution. Each is undefined where the file does not say. */
export interface OsRelease {
  readonly id: string | undefined
  readonly versionId: string | undefined
  readonly versionCodename: string | undefined
  /** Distributions that it was derived from, nearest first. */
  readonly idLike: readonly string[]
}

/**
 * Reads os-release: shell-like assignments, one a line, whose values may be quoted. Lines that are none are passed over, and
 * of a repeated name the last one counts, as a shell would have it.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/os-release.html
 */
export function parseOsRelease (text: string): OsRelease {
  const values = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*([A-Z0-9_]+)=(.*)$/.exec(line)
    const [, name, value] = match ?? []
    if (name !== undefined && value !== undefined) values.set(name, unquote(value.trim()))
  }
  const nonEmpty = (name: string): string | undefined => values.get(name) || undefined
  return {
    id: nonEmpty('ID'),
    versionId: nonEmpty('VERSION_ID'),
    versionCodename: nonEmpty('VERSION_CODENAME'),
    idLike: (nonEmpty('ID_LIKE') ?? '').split(/\s+/).filter(id => id !== '')
  }
}

/**
 * The platform that an os-release names, in parts that a kernel reference may have. Debian's testing has a codename and no
 * number, and a rolling distribution neither. `ID_LIKE` is not looked at: a likeness may build its own kernels.
 */
export function platformOf (os: OsRelease): Platform {
  return {
    distro: toSegment(os.id ?? 'linux'), // the default that os-release(5) gives
    distroVersion: toSegment(os.versionId ?? os.versionCodename ?? 'rolling')
  }
}

/** A name from outside as a part of a reference: what may not be in one becomes a dash. */
export function toSegment (name: string): string {
  const segment = name.replace(/[^A-Za-z0-9._+~-]/g, '-').slice(0, 128)
  return isSegment(segment) ? segment : 'unknown'
}

/**
 * Double quotes keep backslash escapes of $ " \ and `; single quotes keep none; a bare value ends at a blank. What follows
 * the value is a comment to a shell.
 */
function unquote (value: string): string {
  const [, double, single, bare] = /^(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']\S*))(?:\s+#.*)?$/.exec(value) ?? []
  if (double !== undefined) return double.replace(/\\([$"\\`])/g, '$1')
  return single ?? bare ?? value
}
