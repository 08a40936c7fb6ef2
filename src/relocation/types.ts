import type { Inspection } from '../core/inspect.js'
import type { Counts, Verdict } from '../wire/report.js'
import type { AssumedValue } from '../verdict/index.js'
import type { MadeReport } from '../workers/protocol.js'
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
  /** The kernel's GNU build-id in lower-case hex, where it is all that is known of it. Beside a name it stands in `kernel`. */
  readonly buildId?: string | undefined
  readonly kernel?: KernelQuery | undefined
  /** Names of kernel modules whose BTF may be consulted, in the kernel's order. */
  readonly modules?: readonly string[] | undefined
  readonly moduleSha256s?: readonly Sha256[] | undefined
  readonly onUnresolved: 'poison' | 'fail'
  /** Whether the answer needs the report. It costs more than the relocation itself. */
  readonly wantsReport: boolean
  /** Whether the report lists every place. */
  readonly places?: 'some' | 'all' | undefined
  /** Values that user space will set, by name, for the verdict. */
  readonly assume?: ReadonlyMap<string, AssumedValue> | undefined
}

/** Which result is meant, all by content: for the object as it is, without a report. */
export type HeldQuestion = Pick<RelocateRequest, 'moduleSha256s'> & { readonly objectSha256: Sha256, readonly btfSha256: Sha256 }

/** When a caller stops waiting: it has gone, or its time is over. */
export interface Deadline {
  /** Asked for only where there is something to wait for. Work that others share goes on when it aborts. */
  readonly signal: AbortSignal
  /** Milliseconds that the caller wants to wait for a kernel that is being fetched (`Prefer: wait`). */
  readonly waitMs?: number
  /** Who asks, where that is known: what takes long is shared among callers. */
  readonly caller?: string | undefined
  /** Told of work that goes on with the request's own bytes, though the caller may have stopped waiting. */
  readonly keep?: (work: Promise<unknown>) => void
}

/** Milliseconds spent in each step; a step that was not needed is 0. */
export interface Timing {
  readonly resolve: number
  readonly fetch: number
  readonly parse: number
  readonly relocate: number
}

/** Something that does not stop an answer. */
export interface Warning {
  readonly code: string
  readonly message: string
}

export interface RelocateAnswer {
  /** The patched object. Not to be changed: other answers may have the same bytes. */
  readonly bytes: Uint8Array
  /** Its size, which is the object's. */
  readonly byteLength: number
  readonly sha256: Sha256
  readonly objectSha256: Sha256
  readonly btfSha256: Sha256
  readonly moduleSha256s: readonly Sha256[]
  /** Canonical reference, or the bare release, or null where the request named only content. */
  readonly kernel: string | null
  /** What is to be known of the answer besides what the engine warns of. */
  readonly warning?: Warning | undefined
  /** The kernel's GNU build-id, in lower-case hex; undefined where it is not known, or where content was named. */
  readonly buildId?: string | undefined
  /** Where the BTF came from: `local`, `upload`, `request`, `btfhub`, `directory`, `upstream`; `cache` where only its hash is known. */
  readonly source: string
  readonly verdict: Verdict
  readonly counts: Counts
  /** What the verdict rests on and user space may set otherwise. */
  readonly assumes: readonly string[]
  /** The object came relocated, and is passed through: it is for another kernel, for all that is known. */
  readonly isAlreadyRelocated: boolean
  readonly report: MadeReport | undefined
  readonly timing: Timing
  /**
   * DSSE envelope in base64: what the service says of the patched object, signed. Whatever form the answer has. Undefined for an object
   * that came relocated: nothing is known of the kernel that it is for.
   */
  readonly attestation: string | undefined
  /** Whether the result was held already. */
  readonly cached: boolean
}

/** What an object contains, before any kernel is looked at. */
export interface InspectAnswer {
  readonly sha256: Sha256
  readonly bytes: number
  readonly inspection: Inspection
}
