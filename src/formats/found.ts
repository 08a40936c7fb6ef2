import type { ErrorDetails } from '../errors.js'
import type { Evidence } from '../identity/evidence.js'
import type { KernelReference } from '../identity/reference.js'

/** What was found in a file that was given. `place` says where, for people: the file's path, then what is within it. */
export type Found = FoundVmlinux | FoundModule | FoundDwarf | FoundResult | Unread

export interface FoundVmlinux {
  readonly kind: 'vmlinux'
  readonly place: string
  /** Raw BTF, not validated. */
  readonly btf: Uint8Array
  readonly evidence: Evidence
}

export interface FoundModule {
  readonly kind: 'module'
  readonly place: string
  readonly name: string
  /** Split BTF, not validated. */
  readonly btf: Uint8Array
  /** The base it was built on, where that is not its kernel's own BTF but an extract of it (`.BTF.base`). */
  readonly distilledBase: Uint8Array | undefined
  readonly evidence: Evidence
}

/** A vmlinux that has DWARF and no BTF. */
export interface FoundDwarf {
  readonly kind: 'dwarf'
  readonly place: string
  readonly image: Uint8Array
  readonly evidence: Evidence
}

/** An object of a bundle, relocated for one kernel. */
export interface FoundResult {
  readonly kind: 'result'
  readonly place: string
  readonly reference: KernelReference
  /** Name of the object's file: safe as a name. */
  readonly object: string
  readonly bytes: Uint8Array
}

export interface Unread {
  readonly kind: 'unread'
  readonly place: string
  /** A sentence. */
  readonly reason: string
  readonly evidence?: Evidence
  /** Why, where that was the input's own limit or damage: as an AppError's. */
  readonly code?: 'btf_invalid' | 'too_large'
  /** Where in the file, and what limit. */
  readonly details?: ErrorDetails
}

/** What an image of a kernel without BTF is answered with. */
export const NO_BTF = 'This kernel was built without BTF (no CONFIG_DEBUG_INFO_BTF).'
