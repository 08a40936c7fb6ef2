import { AppError } from '../errors.js'
import { BodyRefused, type Answered, type HttpClient } from '../fetch/http-client.js'
import { shownUrl } from '../fetch/shown-url.js'
import type { Refusal } from '../fetch/refusal.js'
import { findDebKernels } from './deb-kernels.js'
import type { IndexedPackage } from './published.js'
import { receive } from './receive.js'
import { findPackagesIndex, parseReleaseFile, type ReleaseFile } from './release-file.js'
import type { AptRepository } from './repository.js'
import type { RepositoryIndex } from './repository-index.js'
import { verifyCleartext, verifyDetached, type Keyring } from './signature.js'
import { below } from './urls.js'

export interface RefreshOptions<R> {
  readonly repository: R
  readonly client: HttpClient
  /** Undefined if the repository is configured as unsigned. */
  readonly keyring: Keyring | undefined
  readonly held: RepositoryIndex | undefined
  readonly signal: AbortSignal
  readonly now: number
}

export type Refreshed = { readonly state: 'ok', readonly index: RepositoryIndex } | Refusal

/** Debian's InRelease files have up to 300 kB. */
const MOST_RELEASE_BYTES = 16 * 1024 * 1024
/** Debian's largest Packages.xz has 9 MB. */
const MOST_INDEX_BYTES = 256 * 1024 * 1024

/**
 * Brings the index of a suite up to date: InRelease, whose signature, date and end are checked, and the packages' indexes that it names by
 * hash. Never rejects.
 */
export async function refreshApt ({ repository, client, keyring, held, signal, now }: RefreshOptions<AptRepository>): Promise<Refreshed> {
  const where = `${repository.suite} at ${shownUrl(repository.url)}`
  const answer = await getRelease({ repository, client, keyring, held, signal })
  if (answer.state === 'unchanged') {
    return held === undefined
      ? refused('failed', `${where} answered 304 (not modified) to a request that had no condition`)
      : { state: 'ok', index: { ...held, checkedAt: now } }
  }
  if (answer.state !== 'ok') return answer
  let release: ReleaseFile
  try {
    release = parseReleaseFile(await answer.verify())
  } catch (error) {
    return malformed(`the InRelease of ${where} cannot be trusted`, error)
  }
  const isNamed = [release.suite, release.codename].some(name => name !== undefined && namesSuite(name, repository.suite))
  if (!isNamed) {
    return refused('malformed', `the InRelease of ${where} belongs to another suite ` +
      `(${release.codename ?? release.suite ?? 'without a name'})`)
  }
  const validUntil = repository.isHistory === true ? undefined : release.validUntil // a tree that does not change any more has long expired
  if (validUntil !== undefined && validUntil < now) {
    return refused('malformed', `the InRelease of ${where} expired at ${new Date(validUntil).toISOString()} (Valid-Until); ` +
      'the mirror is out of date, or an attacker replays an old index')
  }
  if (held !== undefined && release.date < held.revision) {
    return refused('malformed', `the InRelease of ${where} is of ${new Date(release.date).toISOString()}, ` +
      `older than the one of ${new Date(held.revision).toISOString()} that was seen before`)
  }
  const indexes = repository.components.flatMap(component => findPackagesIndex(release, component, repository.arch) ?? [])
  if (indexes.length === 0) {
    return refused('absent', `${where} has no index of ${repository.arch} packages in ${repository.components.join(', ')}`)
  }
  const indexSha256 = indexes.map(({ sha256 }) => sha256).join(' ')
  const common = {
    base: shownUrl(repository.url),
    revision: release.date,
    indexSha256,
    isSigned: keyring !== undefined,
    checkedAt: now,
    ...(validUntil === undefined ? {} : { validUntil }),
    ...(answer.etag === undefined ? {} : { etag: answer.etag })
  }
  if (held?.indexSha256 === indexSha256) return { state: 'ok', index: { ...common, kernels: held.kernels } }
  const packages: IndexedPackage[] = []
  for (const index of indexes) {
    const found = await getPackages({ repository, client, signal, release }, index)
    if (found.state !== 'ok') return found
    packages.push(...found.packages)
  }
  return { state: 'ok', index: { ...common, kernels: findDebKernels(packages, repository, repository.naming) } }
}

type Release =
  | { readonly state: 'ok', readonly etag: string | undefined, readonly verify: () => Promise<string> }
  | { readonly state: 'unchanged' }
  | Refusal

/** InRelease, else Release with its signature beside it, as older repositories have it. */
async function getRelease ({ repository, client, keyring, held, signal }: Omit<RefreshOptions<AptRepository>, 'now'>): Promise<Release> {
  const get = async (name: string, etag?: string): Promise<Answered | Refusal> =>
    await client.get({
      url: below(repository.url, `dists/${repository.suite}/${name}`),
      maxBytes: MOST_RELEASE_BYTES,
      signal,
      etag,
      headers: NOT_CACHED
    })
  const inline = await get('InRelease', held?.etag)
  if (inline.state === 'unchanged') return inline
  if (inline.state === 'ok') {
    const text = Buffer.from(inline.bytes).toString('utf8')
    return {
      state: 'ok',
      etag: inline.etag,
      verify: async () => keyring === undefined ? withoutArmor(text) : await verifyCleartext(text, keyring)
    }
  }
  if (inline.state !== 'absent') return inline
  const plain = await get('Release')
  if (plain.state !== 'ok') return plain.state === 'unchanged' ? inline : plain
  const text = Buffer.from(plain.bytes).toString('utf8')
  if (keyring === undefined) return { state: 'ok', etag: undefined, verify: async () => text }
  const signature = await get('Release.gpg')
  if (signature.state !== 'ok') {
    return refused('malformed', `${repository.suite} at ${shownUrl(repository.url)} is not signed: ` +
      'it has neither InRelease nor Release.gpg')
  }
  return {
    state: 'ok',
    etag: undefined,
    async verify () {
      await verifyDetached(plain.bytes, signature.bytes, keyring)
      return text
    }
  }
}

/** A proxy on the way may have an older one. */
const NOT_CACHED = { 'cache-control': 'max-age=0' } as const

/** By its hash where the repository has that, so that it fits the InRelease also while the mirror is being renewed. */
async function getPackages (
  { repository, client, signal, release }: {
    readonly repository: AptRepository
    readonly client: HttpClient
    readonly signal: AbortSignal
    readonly release: ReleaseFile
  },
  index: { readonly path: string, readonly sha256: string, readonly bytes: number }
): Promise<IndexRead> {
  const folder = index.path.slice(0, index.path.lastIndexOf('/'))
  const paths = [...(release.acquireByHash ? [`${folder}/by-hash/SHA256/${index.sha256}`] : []), index.path]
  let last: Refusal = refused('failed', `${index.path} was not asked for`)
  for (const path of paths) {
    const url = below(repository.url, `dists/${repository.suite}/${path}`)
    const answer = await getIndex(client, {
      url,
      sha256: index.sha256,
      kind: 'packages',
      arch: repository.arch,
      signal,
      maxBytes: Math.min(index.bytes, MOST_INDEX_BYTES)
    })
    if (answer.state === 'ok') return answer
    last = answer
    if (last.state !== 'absent') return last
  }
  return refused('failed', `${last.answer}, although ${repository.suite} at ${shownUrl(repository.url)} lists it; ` +
    'the mirror is out of date')
}

type IndexRead = { readonly state: 'ok', readonly packages: readonly IndexedPackage[] } | Refusal

/** An index of packages, read and checked against its hash as it arrives. */
export async function getIndex (
  client: HttpClient,
  { url, sha256, kind, arch, signal, maxBytes = MOST_INDEX_BYTES }: {
    readonly url: URL
    readonly sha256: string
    readonly kind: 'packages' | 'primary'
    readonly arch: string
    readonly signal: AbortSignal
    readonly maxBytes?: number
  }
): Promise<IndexRead> {
  let found: readonly IndexedPackage[] = []
  const answer = await client.get({
    url,
    maxBytes,
    signal,
    async receive (pieces) {
      try {
        found = await receive({ kind, arch, sha256, what: shownUrl(url) }, pieces, () => {})
      } catch (error) {
        throw error instanceof AppError ? new BodyRefused(malformed('the index cannot be used', error)) : error
      }
    }
  })
  if (answer.state === 'ok') return { state: 'ok', packages: found }
  return answer.state === 'unchanged'
    ? refused('failed', `${shownUrl(url)} answered 304 (not modified) to a request that had no condition`)
    : answer
}

/** `stable` and `bookworm` are both names of the suite; security's was `buster/updates` before it was `bullseye-security`. */
function namesSuite (name: string, asked: string): boolean {
  return name === asked || asked.replace('/updates', '') === name || name.replace('/updates', '') === asked
}

function withoutArmor (text: string): string {
  if (!text.startsWith('-----BEGIN PGP SIGNED MESSAGE-----')) return text
  const start = text.indexOf('\n\n') + 2
  const end = text.indexOf('\n-----BEGIN PGP SIGNATURE-----')
  return text.slice(start, end < 0 ? undefined : end + 1).replace(/^- /gm, '')
}

/** How long a refusal of an index is remembered, in milliseconds. Mirrors recover. */
const REFUSED_MS = 60_000

export function refused (state: Refusal['state'], answer: string): Refusal { return { state, answer, retryAfterMs: REFUSED_MS } }

export function malformed (what: string, error: unknown): Refusal {
  if (error instanceof AppError && error.code === 'internal_error') return refused('failed', `${what}: ${error.message}`)
  return refused('malformed', `${what}: ${(error instanceof Error ? error.message : String(error)).replace(/\.$/, '')}`)
}
