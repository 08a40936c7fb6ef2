import type { Jwks } from '../attestation/jwk.js'
import type { Inspection } from '../core/inspect.js'
import type { RelocationReport, Verdict } from '../core/report.js'
import type { KernelRecord, ModuleRecord, Provenance } from '../kernels/kernel-record.js'
import type { KernelQuery, KernelReference } from '../kernels/reference.js'
import type { Sha256 } from '../kernels/sha256.js'

export type { Inspection, Jwks, KernelQuery, KernelReference, Provenance, RelocationReport, Sha256, Verdict }

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

/** One kernel whose BTF the service has: its row of the index, without what only resolving needs. */
export interface KernelEntry extends Omit<KernelRecord, 'modules' | 'releaseAskedAt'> {
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

/** The use cases. What routes, the CLI and tests call; knows nothing of HTTP. Every rejection is an AppError, and so is what relocate throws. */
export interface Service {
  /** At once, without a promise, where the answer is held or nothing has to be waited for to refuse it. */
  relocate(request: RelocateRequest, deadline?: Deadline): RelocateAnswer | Promise<RelocateAnswer>
  inspect(object: Uint8Array): Promise<InspectAnswer>
  putObject(bytes: Uint8Array, expected: Sha256): Promise<{ created: boolean }>
  hasObject(hash: Sha256): Promise<boolean>
  listKernels(filter: KernelFilter): Promise<KernelPage>
  /** Fetched where it is not held. `via` names services through which the question came. */
  getKernel(reference: KernelReference, via?: readonly string[]): Promise<KernelEntry>
  /** Raw BTF of a kernel (or of one of its modules), with its hash and where it came from. Fetched where it is not held. */
  getKernelBtf(reference: KernelReference, module?: string, via?: readonly string[]): Promise<{ bytes: Uint8Array, sha256: Sha256, source: string }>
  /** Stores BTF (raw, ELF with `.BTF`, or either of them in a `.tar.xz`) under a reference. `btf_conflict` where other bytes are held for it. */
  putKernelBtf(reference: KernelReference, bytes: Uint8Array, provenance: Provenance, module?: string): Promise<{ created: boolean, entry: KernelEntry }>
  /** Raw BTF by content, of vmlinux or of a module. Rejects with `btf_unknown`. */
  getBtf(hash: Sha256): Promise<Uint8Array>
  hasBtf(hash: Sha256): Promise<{ bytes: number } | undefined>
  /** The keys that attestations verify with. */
  publicKeys(): Promise<Jwks>
  /** Counts and gauges for metrics. */
  stats(): ServiceStats
  /** Resolves once the service can answer: workers warm, store opened, running kernel indexed or given up. */
  ready(): Promise<void>
  close(): Promise<void>
}

export interface ServiceStats {
  /** Tasks that wait for a worker, and those that have one. */
  readonly queued: number
  readonly running: number
  /** Of BTFs, objects and results in memory. */
  readonly memoryBytes: number
  readonly memoryEntries: number
  /** Of content on disk. */
  readonly diskBytes: number
  /** What the service goes on without at the moment, by name: `disk` is true while nothing is stored. */
  readonly degraded: Readonly<Record<string, boolean>>
  /** Workers that died or were killed, and were replaced. */
  readonly workerRestarts: number
  /** Counts since the start, by name: `result_hits`, `btf_misses`, `damaged_files`, `write_failures` and so on. */
  readonly cache: Readonly<Record<string, number>>
  /** Questions to sources since the start, by the class of what came back. */
  readonly sourceRequests: ReadonlyArray<{ readonly source: string, readonly outcome: string, readonly count: number }>
  /** Callers that wait for sources. */
  readonly sourceWaiters: number
}
