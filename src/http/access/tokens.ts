import { hash, timingSafeEqual } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { AppError } from '../../errors.js'
import { hexOf, isSha256 } from '../../store/sha256.js'
import { parseScopes, type Authenticator, type Identity, type Scope } from './identity.js'

/** One static token: the file has its hash only. A token of 256 random bits needs no slow hash. */
interface TokenEntry {
  readonly name: string
  readonly digest: Buffer
  readonly scopes: ReadonlySet<Scope>
}

export interface TokensOptions {
  readonly path: string
  /** Told of a file that changed into one that cannot be used. The tokens of before then go on. */
  readonly onWarning: (message: string, facts: Record<string, unknown>) => void
  /** How often the file is looked at, at most. Default: 1000. */
  readonly checkMs?: number
}

/** How often the file is looked at, at most: so long does a token work after it was taken out. */
const CHECK_MS = 1000
/** A request is compared with each of them. */
const MAX_TOKENS = 1000
const MAX_FILE_BYTES = 1024 * 1024
const NAME = /^[A-Za-z0-9._@:/-]{1,128}$/

/**
 * Static tokens from a file, which is read again when it changes.
 *
 * @throws AppError `invalid_request` whose sentence names the file
 */
export async function openTokens ({ path, onWarning, checkMs = CHECK_MS }: TokensOptions): Promise<Authenticator> {
  let { entries, version } = await readTokens(path)
  let checked = performance.now()

  const isFresh = (): boolean => performance.now() - checked < checkMs
  const refresh = async (): Promise<void> => {
    if (isFresh()) return
    checked = performance.now()
    try {
      if (await versionOf(path) !== version) ({ entries, version } = await readTokens(path))
    } catch (error) {
      onWarning('the tokens file cannot be used; the tokens that were in it before go on', { path, err: error })
    }
  }

  const find = (token: string): Identity | undefined => {
    const digest = hash('sha256', token, 'buffer')
    let found: TokenEntry | undefined
    // Every entry is compared, and each takes the same time: how long it took tells nothing of how near a guess was.
    for (const entry of entries) if (timingSafeEqual(entry.digest, digest)) found = entry
    if (found === undefined) return undefined
    const name = `token:${found.name}`
    return { name, key: name, scopes: found.scopes }
  }

  return {
    async identify (token) {
      await refresh()
      const identity = find(token)
      if (identity === undefined) {
        throw new AppError('unauthorized', 'The token is none that this service knows; ask its operator for one.')
      }
      return identity
    },
    identifyAtOnce: token => isFresh() ? find(token) : undefined
  }
}

/** Kubernetes replaces the files of a Secret by others: the inode tells, where time and size do not. */
async function versionOf (path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path)
  return `${mtimeMs} ${size} ${ino}`
}

async function readTokens (path: string): Promise<{ entries: readonly TokenEntry[], version: string }> {
  try {
    const version = await versionOf(path)
    const text = await readFile(path, 'utf8')
    if (text.length > MAX_FILE_BYTES) throw new AppError('too_large', `it is larger than ${MAX_FILE_BYTES} bytes`)
    return { entries: parseTokens(text), version }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AppError('invalid_request', `The tokens file ${path} cannot be used: ${reason}.`, { file: path }, { cause: error })
  }
}

/**
 * The entries of a tokens file: a line each, `<name> sha256:<hex> <scope>,<scope>` with comments after #, or a JSON list of
 * `{ name, sha256, scopes }`.
 *
 * @throws AppError `invalid_request`
 */
export function parseTokens (text: string): readonly TokenEntry[] {
  const entries = text.trimStart().startsWith('[') ? fromJson(text) : fromLines(text)
  if (entries.length > MAX_TOKENS) throw invalid(`it has ${entries.length} tokens; the limit is ${MAX_TOKENS}`)
  const names = entries.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw invalid(`the name ${twice} is there twice`)
  return entries
}

function fromLines (text: string): TokenEntry[] {
  return text.split('\n').flatMap((line, i) => {
    const [name, sha256, scopes, ...rest] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (name === undefined || name === '') return []
    return [toEntry(name, sha256, rest.length === 0 ? scopes : undefined, `line ${i + 1}`)]
  })
}

function fromJson (text: string): TokenEntry[] {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new AppError('invalid_request', 'it begins like JSON, but is none', {}, { cause: error })
  }
  return (Array.isArray(json) ? json as unknown[] : []).map((item, i) => {
    const { name, sha256, scopes } = (typeof item === 'object' && item !== null ? item : {}) as Record<string, unknown>
    return toEntry(name, sha256, Array.isArray(scopes) ? scopes.join(',') : undefined, `entry ${i + 1}`)
  })
}

function toEntry (name: unknown, sha256: unknown, scopes: string | undefined, where: string): TokenEntry {
  const parsed = parseScopes(scopes ?? '')
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw invalid(`${where} has no name of 1 to 128 of the characters A-Z a-z 0-9 . _ @ : / -`)
  }
  if (typeof sha256 !== 'string' || !isSha256(sha256)) {
    throw invalid(`${where} (${name}) has no hash of a token: ` +
      'sha256: and 64 lower-case hex digits, as corelo keys token prints them')
  }
  if (parsed === undefined) throw invalid(`${where} (${name}) must give scopes, separated by commas, of relocate, upload and admin`)
  return { name, digest: Buffer.from(hexOf(sha256), 'hex'), scopes: parsed }
}

function invalid (message: string): AppError { return new AppError('invalid_request', message) }
