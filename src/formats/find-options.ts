import type { Evidence } from '../identity/evidence.js'
import type { ByteReader } from './byte-reader.js'
import type { Member } from './containers/member.js'
import type { Found } from './found.js'

/** What is looked for. Reading ends when it has been found, and what is not wanted is not unpacked further than needed to pass it. */
export interface Want {
  readonly kernel: boolean
  readonly modules: 'all' | ReadonlySet<string>
}

export const WANT_ALL: Want = { kernel: true, modules: 'all' }
export const WANT_KERNEL: Want = { kernel: true, modules: new Set() }

export interface FindOptions {
  /** What is known of the kernel from around the file. The file's own word counts over it. */
  readonly evidence?: Evidence
  /** Default: all. */
  readonly want?: Want
  /** Releases that a tar archive may be of: its files are then held to it strictly. */
  readonly releases?: readonly string[]
  /** Most bytes of one file, unpacked, and of the files of a tar archive together. Default: BOUNDS.image. */
  readonly maxBytes?: number
  /** Most bytes of BTF in a tar archive of it. */
  readonly maxBtfBytes?: number
  /** Whether data that unfolds to far more than BTF does is refused. */
  readonly refusesBombs?: boolean
  /** Called after every few mebibytes of what was unpacked, for callers that want what was used up to be collected in time. */
  readonly onUsedUp?: () => void
  /** Takes over a tar archive that begins with the member; undefined: the archive is not of its kind. */
  readonly openBundle?: (first: Member, rest: AsyncGenerator<Member>, place: string, depth: number) => AsyncGenerator<Found> | undefined
}

/** One thing to look into. */
export interface Source {
  readonly reader: ByteReader
  readonly place: string
  readonly evidence: Evidence
  /** Name of the module, where the path of the file tells. */
  readonly module?: string
  readonly depth: number
}
