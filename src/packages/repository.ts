import type { ClientTls } from '../network/dispatcher.js'
import type { DebNaming } from './deb-kernels.js'

/** The keys that may sign for a repository. */
export type Signers =
  /** Files of public keys. */
  | { readonly kind: 'files', readonly paths: readonly string[] }
  /** Keys of a preset by their fingerprints, in base64. */
  | { readonly kind: 'pinned', readonly distribution: string, readonly keys: Readonly<Record<string, string>> }
  /** The operator configured the repository as unsigned. */
  | { readonly kind: 'nobody' }

interface Common {
  /** Tells repositories apart: in records, answers, and as the name of the copy of the index. Safe as a file name. */
  readonly id: string
  readonly distro: string
  readonly distroVersion: string
  /** As the repository spells it. */
  readonly arch: string
  readonly signers: Signers
  /** User and password for the repository's own origin are in the address. */
  readonly url: URL
  readonly tls?: ClientTls
  /** Asked only for what the others of its distribution do not have: a tree that does not change any more. */
  readonly isHistory?: boolean
}

/** One architecture of one suite. */
export interface AptRepository extends Common {
  readonly type: 'apt'
  readonly suite: string
  readonly components: readonly string[]
  readonly naming: DebNaming
}

export interface RpmRepository extends Common {
  readonly type: 'rpm'
  /** Whether `url` is a list of mirrors, an address a line. */
  readonly isMirrorList?: boolean
}

/** Debian's snapshot archive, for one architecture of one release of the distribution. */
export interface SnapshotRepository extends Common {
  readonly type: 'debian-snapshot'
  readonly codename: string
  readonly naming: DebNaming
}

/** What Launchpad knows of Ubuntu's packages, for one architecture of one series, and the snapshots of Ubuntu's archive. */
export interface LaunchpadRepository extends Common {
  readonly type: 'launchpad'
  readonly series: string
  /** Where a folder for each time is. */
  readonly snapshots: URL
  readonly naming: DebNaming
}

/** One index: what is refreshed, verified and kept as one. */
export type IndexedRepository = AptRepository | RpmRepository

/** Asked for one release at a time, because nothing lists all that there ever was. */
export type PastRepository = SnapshotRepository | LaunchpadRepository

export type Repository = IndexedRepository | PastRepository

export function isPast (repository: Repository): repository is PastRepository {
  return repository.type === 'debian-snapshot' || repository.type === 'launchpad'
}
