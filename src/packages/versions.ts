/**
 * Compares two versions of Debian packages: below 0 where the first is older.
 *
 * @see https://manpages.debian.org/bookworm/dpkg-dev/deb-version.7.en.html
 */
export function compareDebVersions (a: string, b: string): number {
  const [left, right] = [splitDeb(a), splitDeb(b)]
  return left.epoch - right.epoch || compareDebParts(left.upstream, right.upstream) || compareDebParts(left.revision, right.revision)
}

function splitDeb (version: string): { epoch: number, upstream: string, revision: string } {
  const [, epoch = '0', rest = ''] = /^(?:(\d+):)?(.*)$/s.exec(version) ?? []
  const dash = rest.lastIndexOf('-')
  return { epoch: Number(epoch), upstream: dash < 0 ? rest : rest.slice(0, dash), revision: dash < 0 ? '' : rest.slice(dash + 1) }
}

/** Texts and numbers by turns; in texts `~` comes before the end, and letters before all else. */
function compareDebParts (a: string, b: string): number {
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const difference = debOrder(a, i) - debOrder(b, j)
      if (difference !== 0) return difference
      i++
      j++
    }
    const left = /^\d*/.exec(a.slice(i))?.[0] ?? ''
    const right = /^\d*/.exec(b.slice(j))?.[0] ?? ''
    const difference = compareNumbers(left, right)
    if (difference !== 0) return difference
    i += left.length
    j += right.length
  }
  return 0
}

function debOrder (text: string, at: number): number {
  const character = text[at]
  if (character === undefined || isDigit(text, at)) return 0
  if (character === '~') return -1
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256
}

function isDigit (text: string, at: number): boolean { return /\d/.test(text[at] ?? '') }

/** Numbers of any length, with leading zeros. */
function compareNumbers (a: string, b: string): number {
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0)
}

/**
 * Compares two versions or releases of RPM packages: below 0 where the first is older.
 *
 * @see https://rpm-software-management.github.io/rpm/manual/dependencies.html "Versioning"
 */
export function compareRpmVersions (a: string, b: string): number {
  const separators = /^[^A-Za-z0-9~^]+/
  for (let left = a, right = b; ;) {
    left = left.replace(separators, '')
    right = right.replace(separators, '')
    if (left.startsWith('~') || right.startsWith('~')) {
      if (!left.startsWith('~')) return 1
      if (!right.startsWith('~')) return -1
      left = left.slice(1)
      right = right.slice(1)
      continue
    }
    if (left.startsWith('^') || right.startsWith('^')) {
      if (left === '') return -1
      if (right === '') return 1
      if (!left.startsWith('^')) return 1
      if (!right.startsWith('^')) return -1
      left = left.slice(1)
      right = right.slice(1)
      continue
    }
    if (left === '' || right === '') return left === right ? 0 : left === '' ? -1 : 1
    const isNumber = /^\d/.test(left)
    const part = isNumber ? /^\d*/ : /^[A-Za-z]*/
    const one = part.exec(left)?.[0] ?? ''
    const other = part.exec(right)?.[0] ?? ''
    if (other === '') return isNumber ? 1 : -1
    const difference = isNumber ? compareNumbers(one, other) : one < other ? -1 : one > other ? 1 : 0
    if (difference !== 0) return difference
    left = left.slice(one.length)
    right = right.slice(other.length)
  }
}
