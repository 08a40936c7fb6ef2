import type { HttpClient } from '../../fetch/http-client.js'
import { shownUrl } from '../../fetch/shown-url.js'
import { gravest, type Refusal } from '../../fetch/refusal.js'
import type { PublishedKernel } from '../published.js'
import { refreshApt, refused } from '../refresh-apt.js'
import type { AptRepository, LaunchpadRepository, SnapshotRepository } from '../repository.js'
import type { Keyring } from '../signature.js'
import { findInSnapshot } from './debian-snapshot.js'
import { findInLaunchpad } from './launchpad.js'
import type { PastPlace } from './places.js'

export interface PastOptions {
  readonly repository: SnapshotRepository | LaunchpadRepository
  readonly client: HttpClient
  /** Undefined if the operator configured the repository as unsigned. */
  readonly keyring: Keyring | undefined
  readonly release: string
  readonly signal: AbortSignal
  readonly now: number
}

/** A kernel that a signed index listed once, and where its package lies. */
export interface PastKernel {
  readonly kernel: PublishedKernel
  readonly base: URL
}

export type PastFound = { readonly state: 'ok', readonly kernels: readonly PastKernel[] } | Refusal

/** Indexes that are read for one release. Each is two requests and some megabytes. */
const MOST_INDEXES = 8
/** All of it takes no longer, whatever the origins do. */
const MOST_MS = 10 * 60_000

/**
 * Looks for a kernel in what its distribution published once. The interfaces of such archives are not signed; they only say when the kernel
 * was there. What counts is the suite's own signed index of that time, with its SHA-256 of the package. Its end (Valid-Until) has passed.
 * Never rejects.
 */
export async function findPast ({ repository, client, keyring, release, signal: outer, now }: PastOptions): Promise<PastFound> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(MOST_MS)])
  const found = repository.type === 'debian-snapshot'
    ? await findInSnapshot(repository, { client, release, signal })
    : await findInLaunchpad(repository, { client, release, signal })
  if (found.state !== 'ok') return found
  const kernels = new Map<string, PastKernel>()
  const proven = new Set<string>()
  const refusals: Refusal[] = []
  let read = 0
  for (const place of found.places) {
    if (proven.has(place.version)) continue
    if (read++ === MOST_INDEXES) break
    const refreshed = await refreshApt({ repository: suiteAt(repository, place), client, keyring, held: undefined, signal, now })
    if (refreshed.state !== 'ok') {
      refusals.push(refreshed)
      continue
    }
    for (const kernel of refreshed.index.kernels.filter(({ reference }) => reference.release === release)) {
      proven.add(kernel.image.version)
      kernels.set(kernel.image.sha256, { kernel, base: place.base })
    }
  }
  const missing = [...new Set(found.places.map(({ version }) => version))].filter(version => !proven.has(version))
  // One build of several that cannot be proven may be the one that a node runs.
  if (missing.length === 0) return { state: 'ok', kernels: [...kernels.values()] }
  const why = gravest(refusals)
  return refused('malformed', `${shownUrl(repository.url)} had ${release} in version ${missing.join(', ')}, ` +
    `but no signed index of that time proves its package${why === undefined ? '' : ` (${why.answer})`}`)
}

function suiteAt (
  { id, distro, distroVersion, arch, signers, naming, tls }: SnapshotRepository | LaunchpadRepository,
  { base, suite, components }: PastPlace
): AptRepository {
  return {
    type: 'apt',
    id,
    distro,
    distroVersion,
    arch,
    signers,
    naming,
    url: base,
    suite,
    components,
    isHistory: true,
    ...(tls === undefined ? {} : { tls })
  }
}
