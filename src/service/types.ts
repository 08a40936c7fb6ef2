import type { KernelQuery, KernelReference } from '../kernels/reference.js'
import type { RelocationReport } from '../core/report.js'

/** A hash as the contract writes it. */
export type Sha256 = `sha256:${string}`

/** What one relocation is asked for. Exactly one of `object` and `objectSha256`, and at least one way to name the kernel. */
export interface RelocateRequest {
  readonly object?: Uint8Array
  readonly objectSha256?: Sha256
  /** BTFs that came with the request: vmlinux first, then modules. Used and forgotten. */
  readonly btf?: readonly Uint8Array[]
  readonly btfSha256?: Sha256
  readonly kernel?: KernelQuery
  /** Names of kernel modules whose BTF may be consulted, in the kernel's order. */
  readonly modules?: readonly string[]
  readonly moduleSha256s?: readonly Sha256[]
  readonly onUnresolved: 'poison' | 'fail'
  /** Whether the answer needs the report. It costs more than the relocation itself. */
  readonly wantsReport: boolean
  /** Aborts when the caller has gone or its deadline has passed. Work shared with others goes on. */
  readonly signal?: AbortSignal
}

/** Milliseconds spent in each step; a step that was not needed is 0. */
export interface Timing {
  readonly resolve: number
  readonly fetch: number
  readonly parse: number
  readonly relocate: number
}

export interface RelocateAnswer {
  /** The patched object. */
  readonly bytes: Uint8Array
  readonly sha256: Sha256
  readonly objectSha256: Sha256
  readonly btfSha256: Sha256
  readonly moduleSha256s: readonly Sha256[]
  /** Canonical reference, or the bare release, or null where the request named only content. */
  readonly kernel: string | null
  /** Where the BTF came from: `local`, `upload`, `request`, later `btfhub` and others. */
  readonly source: string
  readonly verdict: Verdict
  readonly counts: { readonly resolved: number, readonly absent: number, readonly poisoned: number }
  readonly report: RelocationReport | undefined
  readonly timing: Timing
  /** Whether the result was held already. */
  readonly cached: boolean
}

export type Verdict = 'loads' | 'fails' | 'unknown'

/** One kernel the service knows. */
export interface KernelEntry {
  readonly reference: KernelReference
  readonly btfSha256: Sha256
  /** Bytes of raw BTF. */
  readonly bytes: number
  readonly types: number
  readonly source: string
  readonly provenance: Provenance
  /** RFC 3339 times. */
  readonly firstSeen: string
  readonly lastUsed: string
  readonly modules: ReadonlyArray<{ readonly name: string, readonly btfSha256: Sha256, readonly bytes: number }>
}

/** Who supplied content, and when. */
export interface Provenance {
  readonly by: string
  readonly at: string
  readonly kernelVersion?: string
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
  readonly kernels: readonly KernelEntry[]
  readonly nextCursor: string | null
}

/** The use cases. What routes, the CLI and tests call; knows nothing of HTTP. Every rejection is an AppError. */
export interface Service {
  relocate(request: RelocateRequest): Promise<RelocateAnswer>
  putObject(bytes: Uint8Array, expected: Sha256): Promise<{ created: boolean }>
  hasObject(hash: Sha256): Promise<boolean>
  listKernels(filter: KernelFilter): Promise<KernelPage>
  getKernel(reference: KernelReference): Promise<KernelEntry>
  /** Raw BTF of a kernel (or of one of its modules), with its hash. */
  getKernelBtf(reference: KernelReference, module?: string): Promise<{ bytes: Uint8Array, sha256: Sha256 }>
  /** Stores BTF (raw, or ELF with `.BTF`) under a reference. `btf_conflict` where other bytes are held for it. */
  putKernelBtf(reference: KernelReference, bytes: Uint8Array, provenance: Provenance, module?: string): Promise<{ created: boolean, entry: KernelEntry }>
  /** Raw BTF by content; undefined is `btf_unknown`. */
  getBtf(hash: Sha256): Promise<Uint8Array>
  hasBtf(hash: Sha256): Promise<{ bytes: number } | undefined>
  /** Counts and gauges for metrics. */
  stats(): ServiceStats
  /** Resolves once the service can answer: workers warm, store opened, running kernel indexed or given up. */
  ready(): Promise<void>
  close(): Promise<void>
}

export interface ServiceStats {
  readonly queued: number
  readonly running: number
  readonly memoryBytes: number
  readonly memoryEntries: number
  readonly diskBytes: number
  readonly workerRestarts: number
  readonly cache: Readonly<Record<string, number>>
}
