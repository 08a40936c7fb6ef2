import type { Check, CheckRequest } from '../check/checks.js'
import type { Jwks } from '../wire/keys.js'
import type { KernelReference } from '../identity/reference.js'
import type { KernelTypes, KernelTypesPage } from '../kernel-types/kernel-types.js'
import type { DiffRequest, TypesDiff } from '../kernel-types/type-diff.js'
import type { HistoryRequest } from '../kernel-types/type-history.js'
import type { KernelQuestion, Kernels, NamedBtf } from '../kernels/kernels.js'
import type { KernelEntry, KernelFilter, KernelPage } from '../kernels/types.js'
import type { MinimiseAnswer, MinimiseRequest } from '../relocation/minimising.js'
import type { Deadline, HeldQuestion, InspectAnswer, RelocateAnswer, RelocateRequest } from '../relocation/types.js'
import type { Sha256 } from '../store/sha256.js'
import type { WrittenTypes } from '../workers/protocol.js'
import type { WatchStats } from '../watch/watch.js'
import type { TypeSearch } from '../c-types/search.js'
import type { NamedTypes, WantedTypes } from '../c-types/type-definition.js'
import type { TypeHistoryJson } from '../wire/types.js'

/**
 * The use cases. What routes, the CLI and tests call; knows nothing of HTTP. Every rejection is an AppError, and so is what
 * relocate throws.
 */
export interface Service {
  /** At once, without a promise, where the answer is held or nothing has to be waited for to refuse it. */
  relocate(request: RelocateRequest, deadline?: Deadline): RelocateAnswer | Promise<RelocateAnswer>
  /**
   * The answer of `relocate` where the result is held; undefined where it is not, and where that cannot be told at once.
   * Begins nothing, and counts no miss.
   */
  findHeld(question: HeldQuestion): RelocateAnswer | undefined
  /**
   * Objects on many kernels. Everything that can be refused is refused before the first row; the rows come while they are read.
   *
   * @param signal when the caller leaves, or has no more time. To be aborted in any case in the end
   */
  check(request: CheckRequest, signal: AbortSignal): Promise<Check>
  /** The smallest BTF with which objects relocate as with the kernel's. */
  minimiseBtf(request: MinimiseRequest, deadline?: Deadline): Promise<MinimiseAnswer>
  inspect(object: Uint8Array): Promise<InspectAnswer>
  putObject(bytes: Uint8Array, expected: Sha256): Promise<{ created: boolean }>
  hasObject(hash: Sha256): Promise<boolean>
  /** Types that a program was compiled with, of an object that is held. */
  writeObjectTypes(object: Sha256, wanted: NamedTypes): Promise<WrittenTypes>
  listKernels(filter: KernelFilter): Promise<KernelPage>
  /** Fetched where it is not held. */
  getKernel(reference: KernelReference, question?: KernelQuestion): Promise<KernelEntry>
  /** Raw BTF of a kernel (or of one of its modules), with its hash and where it came from. Fetched where it is not held. */
  getKernelBtf(reference: KernelReference, module?: string, question?: KernelQuestion): Promise<NamedBtf>
  /** Types of a kernel as C or JSON. Fetched where it is not held. */
  writeTypes(reference: KernelReference, wanted: WantedTypes, question?: KernelQuestion): Promise<KernelTypes>
  /** Types of a kernel by their names and members. Fetched where it is not held. */
  searchTypes(reference: KernelReference, search: TypeSearch, question?: KernelQuestion): Promise<KernelTypesPage>
  /** How types differ between two kernels. Fetched where they are not held. */
  diffTypes(request: DiffRequest, deadline?: Deadline): Promise<TypesDiff>
  /**
   * Where types and members were in the kernels that are held.
   *
   * @param signal when the caller leaves, or has no more time
   */
  typeHistory(request: HistoryRequest, signal: AbortSignal): Promise<TypeHistoryJson>
  /** Stores BTF (raw, ELF with `.BTF`, or either of them in a `.tar.xz`) under a reference, beside others that are held for it. */
  readonly putKernelBtf: Kernels['putBtf']
  /** Raw BTF by content, of vmlinux or of a module. Rejects with `btf_unknown`. */
  getBtf(hash: Sha256): Promise<Uint8Array>
  hasBtf(hash: Sha256): Promise<{ bytes: number } | undefined>
  /** The keys that attestations verify with. */
  publicKeys(): Promise<Jwks>
  /** Counts and gauges for metrics. */
  stats(): ServiceStats
  /** Looks at all listings of kernels now. Never rejects. */
  refreshCatalog(): Promise<void>
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
  /** Checks that are being answered; rows and relocations of checks since the start. */
  readonly checks: { readonly running: number, readonly rows: number, readonly relocations: number }
  /** Counts since the start, by name: `result_hits`, `btf_misses`, `damaged_files`, `write_failures` and so on. */
  readonly cache: Readonly<Record<string, number>>
  /** Questions to sources since the start, by the class of what came back. */
  readonly sourceRequests: ReadonlyArray<{ readonly source: string, readonly outcome: string, readonly count: number }>
  /** Callers that wait for sources. */
  readonly sourceWaiters: number
  /**
   * Packages of kernels that were downloaded since the start, and how many kernels their repositories publish; undefined without
   * repositories.
   */
  readonly packages: {
    readonly downloads: number
    readonly failures: number
    readonly bytes: number
    readonly published: number
  } | undefined
  /** Fetches that go on by themselves. */
  readonly fetchJobs: number
  /** What became of kernels that sources list for the first time; undefined where nobody watches for them. */
  readonly watch: WatchStats | undefined
}
