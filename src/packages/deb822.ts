import { AppError } from '../errors.js'

/** One paragraph of a control file: fields by their names in lower case. Further lines of a value are joined by newlines. */
export type Stanza = ReadonlyMap<string, string>

/**
 * Characters of one paragraph. The largest in a real index, a package with thousands of dependencies, has 40 kB; InRelease files
 * have 300 kB.
 */
const MOST_CHARACTERS = 8 * 1024 * 1024

/**
 * Reads paragraphs of Debian control files from text that arrives in pieces.
 *
 * @param fields names in lower case of those that are wanted; undefined: all
 * @see https://manpages.debian.org/bookworm/dpkg-dev/deb822.5.en.html
 */
export function createStanzaReader (fields?: ReadonlySet<string>): { feed: (text: string) => Stanza[], end: () => Stanza[] } {
  let rest = ''
  let size = 0
  let stanza = new Map<string, string>()
  let isFilled = false
  let last: string | undefined

  const line = (text: string): Stanza | undefined => {
    if (text.trim() === '') {
      if (!isFilled) return undefined
      const done = stanza
      stanza = new Map()
      isFilled = false
      last = undefined
      size = 0
      return done
    }
    if (text.startsWith('#')) return undefined
    size += text.length
    if (size > MOST_CHARACTERS) throw tooLong()
    isFilled = true
    if (text.startsWith(' ') || text.startsWith('\t')) {
      if (last !== undefined) stanza.set(last, `${stanza.get(last) ?? ''}\n${text.trim()}`)
      return undefined
    }
    const colon = text.indexOf(':')
    if (colon <= 0) throw new AppError('source_invalid', `A line of the control file has no field: ${JSON.stringify(text.slice(0, 60))}.`)
    const name = text.slice(0, colon).toLowerCase()
    last = fields === undefined || fields.has(name) ? name : undefined
    if (last !== undefined) stanza.set(last, text.slice(colon + 1).trim())
    return undefined
  }

  return {
    feed (text) {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > MOST_CHARACTERS) throw tooLong()
      return lines.flatMap(each => line(each.endsWith('\r') ? each.slice(0, -1) : each) ?? [])
    },
    end () {
      const left = rest === '' ? [] : [line(rest) ?? []].flat()
      rest = ''
      return [...left, ...[line('') ?? []].flat()]
    }
  }
}

/** @throws AppError `source_invalid` */
export function parseStanzas (text: string): Stanza[] {
  const reader = createStanzaReader()
  return [...reader.feed(text), ...reader.end()]
}

function tooLong (): AppError {
  return new AppError('source_invalid', `A paragraph of the control file has more than ${MOST_CHARACTERS} characters.`)
}
