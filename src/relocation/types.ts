import type { Inspection } from '../core/inspect.js'
import type { RelocationReport, Verdict } from '../core/report.js'
import type { KernelQuery } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'

/** What one relocation is asked for. Exactly one of `object` and `objectSha256`, and at least one way to name the kernel. */
export interface RelocateRequest {
  /** Copied. Not to be changed before the answer. */
  readonly object?: Uint8Array | undefined
  readonly objectSha256?: Sha256 | undefined
  /** BTFs that came with the request: vmlinux first, then modules. Used and forgotten. */
  readonly btf?: readonly Uint8Array[] | undefined
  readonly btfSha256?: Sha256 | undefined
  readonly kernel?: KernelQuery | undefined
  /** Names of kernel modules whose BTF may be consulted, in the kernel's order. */
  readonly modules?: readonly string[] | undefined
  readonly moduleSha256s?: readonly Sha256[] | undefined
  readonly onUnresolved: 'poison' | 'fail'
  /** Whether the answer needs the report. It costs more than the relocation itself. */
  readonly wantsReport: boolean
}

/** When a caller stops waiting: it has gone, or its time is over. */
export interface Deadline {
  /** Asked for only where there is something to wait for. Work that others share goes on when it aborts. */
  readonly signal: AbortSignal
  /** Milliseconds that the caller wants to wait for a kernel that is being fetched (`Prefer: wait`). */
  readonly waitMs?: number
}

/** Milliseconds spent in each step; a step that was not needed is 0. */
export interface Timing {
  readonly resolve: number
  readonly fetch: number
  readonly parse: number
  readonly relocate: number
}

export interface RelocateAnswer {
  /** The patched object, in shared memory and in other answers too: not to be changed. */
  readonly bytes: Uint8Array
  readonly sha256: Sha256
  readonly objectSha256: Sha256
  readonly btfSha256: Sha256
  readonly moduleSha256s: readonly Sha256[]
  /** Canonical reference, or the bare release, or null where the request named only content. */
  readonly kernel: string | null
  /** Where the BTF came from: `local`, `upload`, `request`, `btfhub`, `directory`, `upstream`; `cache` where only its hash is known. */
  readonly source: string
  readonly verdict: Verdict
  readonly counts: { readonly resolved: number, readonly absent: number, readonly poisoned: number }
  readonly report: RelocationReport | undefined
  readonly timing: Timing
  /** DSSE envelope in base64: what the service says of the patched object, signed. Whatever form the answer has. */
  readonly attestation: string
  /** Whether the result was held already. */
  readonly cached: boolean
}

/** What an object contains, before any kernel is looked at. */
export interface InspectAnswer {
  readonly sha256: Sha256
  readonly bytes: number
  readonly inspection: Inspection
}
