/** A release as kernels are put in order. */
export interface OrderedRelease {
  /** What follows its numbers, by which a distribution tells its kernels apart: `generic`, `cloud-amd64`. Empty where nothing does. */
  readonly flavour: string
  /** Releases of one flavour are in the order of these texts, compared character by character. */
  readonly key: string
}

/** Red Hat's kernels of another flavour: `5.14.0-503.11.1.el9_5.x86_64+rt`. */
const PLUS_FLAVOUR = /^(.*\.[a-z][a-z0-9_]*)\+([a-z][\w-]*)$/i
/** Words with a number that belong to the version: of candidates, and of builds for the Raspberry Pi. */
const IS_VERSION = /^(?:rc|rpi)\d+$/

/**
 * Orders releases (uname -r) from the oldest to the newest: numbers by their value, before them words, and candidates (`-rc1`) before
 * what they are candidates of.
 */
export function orderRelease (release: string): OrderedRelease {
  const [, plain = release, suffix = ''] = PLUS_FLAVOUR.exec(release) ?? []
  const parts = plain.split('-')
  let end = parts.length
  while (end > 1 && /^[a-z]/i.test(parts[end - 1] ?? '') && !IS_VERSION.test(parts[end - 1] ?? '')) end--
  const flavour = [...parts.slice(end), ...suffix === '' ? [] : [suffix]].join('-')
  return { flavour, key: keyOf(parts.slice(0, end).join('-').replace(/[-.]rc(?=\d)/g, '~rc')) }
}

/** What comes before the end of a version, the end, words and numbers, in this order: as rpm and dpkg have it. */
const ORDER = { tilde: '0', end: '1', word: '2', number: '3' } as const

function keyOf (version: string): string {
  const tokens = version.match(/\d+|[A-Za-z]+|~/g) ?? []
  return tokens.map(token => {
    if (token === '~') return ORDER.tilde
    if (!/^\d/.test(token)) return `${ORDER.word}${token} `
    const digits = token.replace(/^0+(?=\d)/, '')
    return `${ORDER.number}${String(digits.length).padStart(3, '0')}${digits}`
  }).join('') + ORDER.end
}
