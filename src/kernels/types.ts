import type { KernelReference } from '../identity/reference.js'
import type { KernelRecord, ModuleRecord } from './kernel-record.js'

/** One kernel whose BTF the service has: its row of the index, without what only resolving needs. */
export interface KernelEntry extends Omit<KernelRecord, 'modules' | 'releaseAskedAt' | 'supersedes'> {
  readonly state: 'held'
  /** Who is known to have it: `source` first. */
  readonly sources: readonly string[]
  readonly modules: ReadonlyArray<Pick<ModuleRecord, 'name' | 'btfSha256' | 'bytes' | 'source'>>
  readonly published?: Published | undefined
}

/** The package in which a distribution publishes a kernel. */
export interface Published {
  readonly repository: string
  readonly package: string
  readonly version: string
  /** Bytes of the package. */
  readonly bytes: number
  /** RFC 3339; undefined where the index does not say when it was built. */
  readonly builtAt: string | undefined
}

/** What is known of the package of a kernel, by the indexes that were read. */
export type PublishedOf = (reference: KernelReference) => Published | undefined

/** The preset of package repositories that is not in use and may have a kernel; undefined where none does. */
export type PresetFor = (reference: KernelReference) => string | undefined

/** One kernel that a source is known to have. Its BTF is fetched when it is asked for. */
export interface OfferedEntry {
  readonly reference: KernelReference
  readonly state: 'offered'
  readonly sources: readonly string[]
  readonly published?: Published | undefined
}

export interface KernelFilter {
  readonly release?: string
  readonly distro?: string
  readonly distroVersion?: string
  readonly arch?: string
  /** Only kernels that a source is known to have. */
  readonly offered?: boolean
  readonly limit: number
  readonly cursor?: string
}

export interface KernelPage {
  readonly kernels: ReadonlyArray<KernelEntry | OfferedEntry>
  readonly nextCursor: string | null
}
