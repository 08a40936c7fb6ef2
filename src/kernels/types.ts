import type { KernelReference } from '../identity/reference.js'
import type { KernelRecord, ModuleRecord } from './kernel-record.js'

/** One kernel whose BTF the service has: its row of the index, without what only resolving needs. */
export interface KernelEntry extends Omit<KernelRecord, 'modules' | 'releaseAskedAt' | 'supersedes'> {
  readonly state: 'held'
  /** Who is known to have it: `source` first. */
  readonly sources: readonly string[]
  readonly modules: ReadonlyArray<Pick<ModuleRecord, 'name' | 'btfSha256' | 'bytes' | 'source'>>
}

/** One kernel that a source is known to have. Its BTF is fetched when it is asked for. */
export interface OfferedEntry {
  readonly reference: KernelReference
  readonly state: 'offered'
  readonly sources: readonly string[]
}

export interface KernelFilter {
  readonly release?: string
  readonly distro?: string
  readonly distroVersion?: string
  readonly arch?: string
  readonly limit: number
  readonly cursor?: string
}

export interface KernelPage {
  readonly kernels: ReadonlyArray<KernelEntry | OfferedEntry>
  readonly nextCursor: string | null
}
