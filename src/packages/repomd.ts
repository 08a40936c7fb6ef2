import { SaxesParser } from 'saxes'
import { AppError } from '../errors.js'
import { isRelativePath } from './release-file.js'
import type { IndexedPackage } from './published.js'

/** What repomd.xml says: where the index is, and which it is. */
export interface Repomd {
  /** Grows with each version of the repository: the second in which it was made, unless its maker chose otherwise. */
  readonly revision: number | undefined
  readonly primary: { readonly path: string, readonly sha256: string, readonly bytes: number | undefined }
}

/** A path of elements is told by its last ones; a text of an element has so many characters at most. */
const MOST_TEXT = 4096

/**
 * Elements with their own text and attributes, as they end. Entities and doctypes that define something are refused by having no meaning.
 */
function createReader (
  onElement: (path: readonly string[], attributes: Readonly<Record<string, string>>, text: string) => void
): { write: (text: string) => void, end: () => void } {
  const parser = new SaxesParser<{ xmlns: false }>({ xmlns: false })
  const path: Array<{ name: string, attributes: Record<string, string>, text: string }> = []
  parser.on('error', error => { throw new AppError('source_invalid', `The XML cannot be read: ${error.message}.`) })
  parser.on('doctype', () => {
    throw new AppError('source_invalid', 'The XML has a document type, which indexes of packages do not have.')
  })
  parser.on('opentag', ({ name, attributes }) => {
    if (path.length > 64) throw new AppError('source_invalid', 'The XML has elements nested more than 64 levels deep.')
    path.push({ name: name.replace(/^.*:/, ''), attributes, text: '' })
  })
  parser.on('text', text => {
    const top = path.at(-1)
    if (top !== undefined && top.text.length < MOST_TEXT) top.text += text
  })
  parser.on('closetag', () => {
    const top = path.at(-1)
    if (top !== undefined) onElement(path.map(({ name }) => name), top.attributes, top.text.trim())
    path.pop()
  })
  return { write: text => { parser.write(text) }, end: () => { parser.close() } }
}

/**
 * @throws AppError `source_invalid`
 * @see https://createrepo.baseurl.org/ (repomd.xml, primary.xml)
 */
export function parseRepomd (text: string): Repomd {
  let revision: number | undefined
  const datas: Array<{ type: string, href?: string, sha256?: string, size?: number }> = []
  let data: { href?: string, sha256?: string, size?: number } = {}
  const reader = createReader((path, attributes, content) => {
    const [name, parent] = [path.at(-1), path.at(-2)]
    if (parent === 'repomd' && name === 'revision' && /^\d{1,15}$/.test(content)) revision = Number(content)
    if (parent === 'data') {
      if (name === 'location') data.href = attributes['href'] ?? ''
      if (name === 'checksum' && attributes['type'] === 'sha256') data.sha256 = content
      if (name === 'size' && /^\d{1,12}$/.test(content)) data.size = Number(content)
    }
    if (parent === 'repomd' && name === 'data') {
      datas.push({ type: attributes['type'] ?? '', ...data })
      data = {}
    }
  })
  reader.write(text)
  reader.end()
  const primary = datas.find(({ type }) => type === 'primary')
  if (primary?.href === undefined || primary.sha256 === undefined) {
    throw new AppError('source_invalid', 'repomd.xml names no primary index with its SHA-256.')
  }
  if (!/^[0-9a-f]{64}$/.test(primary.sha256) || !isRelativePath(primary.href)) {
    throw new AppError('source_invalid', 'repomd.xml names a primary index with a malformed hash or path.')
  }
  return { revision, primary: { path: primary.href, sha256: primary.sha256, bytes: primary.size } }
}

/**
 * Reads primary.xml as it arrives.
 *
 * @param isWanted by the package's name
 */
export function createPrimaryReader (
  isWanted: (name: string) => boolean, onPackage: (file: IndexedPackage) => void
): { write: (text: string) => void, end: () => void } {
  const blank = () => ({ name: '', arch: '', version: '', path: '', bytes: NaN, sha256: '', builtAt: '' })
  let found = blank()
  return createReader((path, attributes, text) => {
    const name = path.at(-1)
    if (path.length === 3 && path[1] === 'package') {
      if (name === 'name') found.name = text
      if (name === 'arch') found.arch = text
      if (name === 'version') found.version = versionOf(attributes)
      if (name === 'checksum' && attributes['type'] === 'sha256') found.sha256 = text
      if (name === 'location') found.path = attributes['href'] ?? ''
      if (name === 'size') found.bytes = Number(attributes['package'] ?? NaN)
      if (name === 'time' && /^\d{1,11}$/.test(attributes['build'] ?? '')) {
        found.builtAt = new Date(Number(attributes['build']) * 1000).toISOString()
      }
    }
    if (path.length === 2 && name === 'package') {
      const { builtAt, ...file } = found
      found = blank()
      const isUsable = isWanted(file.name) && /^[0-9a-f]{64}$/.test(file.sha256) && isRelativePath(file.path) &&
        Number.isSafeInteger(file.bytes) && file.bytes > 0
      if (isUsable) onPackage({ ...file, ...(builtAt === '' ? {} : { builtAt }) })
    }
  })
}

function versionOf ({ epoch = '0', ver = '', rel = '' }: Readonly<Record<string, string>>): string {
  return `${epoch === '0' ? '' : `${epoch}:`}${ver}-${rel}`
}
