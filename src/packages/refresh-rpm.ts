import type { HttpClient } from '../fetch/http-client.js'
import { shownUrl } from '../fetch/shown-url.js'
import { gravest, type Refusal } from '../fetch/refusal.js'
import { getIndex, malformed, refused, type Refreshed, type RefreshOptions } from './refresh-apt.js'
import { parseRepomd, type Repomd } from './repomd.js'
import type { RpmRepository } from './repository.js'
import { findRpmKernels } from './rpm-kernels.js'
import { verifyDetached } from './signature.js'
import { below } from './urls.js'

const MOST_REPOMD_BYTES = 4 * 1024 * 1024
const MOST_LIST_BYTES = 64 * 1024
/** Mirrors of a list that are tried. */
const MOST_MIRRORS = 4

/**
 * Brings the index of an rpm-md repository up to date: repomd.xml, its signature where it has one, and the primary index that it names by
 * hash. Where it has none, which is the rule for Fedora, Oracle and Amazon, the packages themselves have to be signed. Never rejects.
 */
export async function refreshRpm (options: RefreshOptions<RpmRepository>): Promise<Refreshed> {
  const { repository, client, signal } = options
  if (repository.isMirrorList !== true) return await refreshAt(repository.url, options)
  const mirrors = await readMirrorList(repository, client, signal)
  if (mirrors.state !== 'ok') return mirrors
  const refusals: Refusal[] = []
  for (const mirror of mirrors.urls) {
    const refreshed = await refreshAt(mirror, options)
    if (refreshed.state === 'ok') return refreshed
    refusals.push(refreshed)
  }
  return gravest(refusals) ?? refused('failed', `${shownUrl(repository.url)} lists no mirror`)
}

async function readMirrorList (
  { url, arch }: RpmRepository, client: HttpClient, signal: AbortSignal
): Promise<{ readonly state: 'ok', readonly urls: readonly URL[] } | Refusal> {
  const answer = await client.get({ url, maxBytes: MOST_LIST_BYTES, signal })
  if (answer.state === 'unchanged') {
    return refused('failed', `${shownUrl(url)} answered 304 (not modified) to a request that had no condition`)
  }
  if (answer.state !== 'ok') return answer
  const lines = Buffer.from(answer.bytes).toString('utf8').split('\n')
    .map(line => line.trim().replaceAll('$basearch', arch))
    .filter(line => /^https?:\/\//.test(line) && URL.canParse(line))
  if (lines.length === 0) return refused('malformed', `${shownUrl(url)} is not a list of mirrors`)
  const urls = lines.slice(0, MOST_MIRRORS).map(line => new URL(line.endsWith('/') ? line : `${line}/`))
  return { state: 'ok', urls }
}

async function refreshAt (
  base: URL, { repository, client, keyring, held, signal, now }: RefreshOptions<RpmRepository>
): Promise<Refreshed> {
  const url = below(base, 'repodata/repomd.xml')
  const isHeldHere = held?.base === shownUrl(base)
  const answer = await client.get({
    url,
    maxBytes: MOST_REPOMD_BYTES,
    signal,
    etag: isHeldHere ? held.etag : undefined,
    headers: { 'cache-control': 'max-age=0' }
  })
  if (answer.state === 'unchanged') {
    return held === undefined
      ? refused('failed', `${shownUrl(url)} answered 304 (not modified) to a request that had no condition`)
      : { state: 'ok', index: { ...held, checkedAt: now } }
  }
  if (answer.state !== 'ok') return answer
  let repomd: Repomd
  let isSigned = false
  try {
    if (keyring !== undefined) {
      const signature = await client.get({ url: below(base, 'repodata/repomd.xml.asc'), maxBytes: MOST_REPOMD_BYTES, signal })
      if (signature.state === 'ok') {
        await verifyDetached(answer.bytes, signature.bytes, keyring)
        isSigned = true
      } else if (signature.state !== 'absent') {
        return signature.state === 'unchanged'
          ? refused('failed', `${shownUrl(url)}.asc answered 304 (not modified) to a request that had no condition`)
          : signature
      } else if (held?.isSigned === true) {
        return refused('malformed', `${shownUrl(url)} has no signature any more, although it had one before`)
      }
    }
    repomd = parseRepomd(Buffer.from(answer.bytes).toString('utf8'))
  } catch (error) {
    return malformed(`${shownUrl(url)} cannot be trusted`, error)
  }
  const { primary, revision = 0 } = repomd
  if (held !== undefined && revision < held.revision) {
    return refused('malformed', `${shownUrl(url)} has revision ${revision}, older than the ${held.revision} that was seen before`)
  }
  const common = {
    base: shownUrl(base),
    revision,
    indexSha256: primary.sha256,
    isSigned,
    checkedAt: now,
    ...(answer.etag === undefined ? {} : { etag: answer.etag })
  }
  if (held?.indexSha256 === primary.sha256) return { state: 'ok', index: { ...common, kernels: held.kernels } }
  const read = await getIndex(client, {
    url: below(base, primary.path),
    sha256: primary.sha256,
    kind: 'primary',
    arch: repository.arch,
    signal
  })
  if (read.state !== 'ok') {
    return read.state === 'absent'
      ? refused('failed', `${read.answer}, although repomd.xml names it; the mirror is out of date`)
      : read
  }
  return { state: 'ok', index: { ...common, kernels: findRpmKernels(read.packages, repository) } }
}
