/** What os-release says of a distribution. Each is undefined where the file does not say. */
export interface OsRelease {
  readonly id: string | undefined
  readonly versionId: string | undefined
  readonly versionCodename: string | undefined
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
  return { id: nonEmpty('ID'), versionId: nonEmpty('VERSION_ID'), versionCodename: nonEmpty('VERSION_CODENAME') }
}

/** Double quotes keep backslash escapes of $ " \ and `; single quotes keep none; a bare value is taken as it is. */
function unquote (value: string): string {
  const quote = value[0]
  if (value.length < 2 || (quote !== '"' && quote !== "'") || !value.endsWith(quote)) return value
  const inner = value.slice(1, -1)
  return quote === "'" ? inner : inner.replace(/\\([$"\\`])/g, '$1')
}
