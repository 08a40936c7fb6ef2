import type { Refusal } from '../../fetch/refusal.js'
import type { SharedBtf } from '../../store/btf-memory.js'
import type { WantedBuild } from '../matches.js'
import type { KernelQuery, KernelReference } from '../../identity/reference.js'
import type { Sha256 } from '../../store/sha256.js'
import type { Provenance } from '../kernel-record.js'

/**
 * Where BTF of kernels that are not held can be had from. A source never rejects for what its origin did: every way in which
 * an origin can fail is an outcome, so that it can be kept for as long as its class allows.
 */
export interface KernelSource {
  /** As records, answers and metrics call it: `btfhub`, `directory`, `upstream`. */
  readonly name: string
  /** Whether asking it can lead back to this service, so that what was asked on behalf of others is kept apart. */
  readonly isForwarding?: boolean
  /** Whether it tells builds of one release apart, so that it is asked for another build where one is held. */
  readonly tellsBuilds?: boolean
  /** Milliseconds that one question may take, where that is longer than for others. */
  readonly deadlineMs?: number
  /**
   * Whole references that a query which is none can mean here, most likely first: from what names prove, or from what the
   * source lists. Nothing is left out because it is less likely: a bare release is good only where all of these agree.
   */
  candidates(query: KernelQuery, asking: Asking): Promise<Candidates>
  /** The kernel, from all places at which the source may have it. */
  fetch(reference: KernelReference, asking: Asking & { readonly held?: HeldCopy, readonly build?: WantedBuild }): Promise<SourceOutcome>
  /** One module of a kernel it gave, where modules do not come with the kernel. */
  fetchModule?(
    reference: KernelReference,
    module: string,
    asking: Asking & ModuleAsking
  ): Promise<ModuleOutcome>
}

/** What goes with every question. */
export interface Asking {
  /** Ends the asking, with a time-out as the outcome. */
  readonly signal: AbortSignal
  /** Names of the services through which the question came, this one left out. */
  readonly via: readonly string[]
}

/** What goes with a question for a module. */
export interface ModuleAsking {
  /** The vmlinux BTF that it has to fit. */
  readonly base: SharedBtf
  /** What is held of the kernel itself. */
  readonly held?: HeldCopy
  readonly build?: WantedBuild
  /** Takes modules that come along. Each is opened when it is its turn. */
  readonly keepOthers?: (modules: AsyncIterable<OpenedModule>) => Promise<void>
}

export interface OpenedModule {
  readonly name: string
  readonly btf: SharedBtf
  /** Where it was, without credentials. */
  readonly url: string
}

/** What is held already, so that an unchanged kernel is not sent again. */
export interface HeldCopy {
  readonly url: string
  readonly etag: string
}

export interface FoundKernel {
  readonly state: 'found'
  readonly reference: KernelReference
  readonly btf: SharedBtf
  /** Split BTF that came along. */
  readonly modules: ReadonlyArray<{ readonly name: string, readonly btf: SharedBtf }>
  /** Where it was found, without credentials: an address, or a file. */
  readonly url: string
  /** The origin's name for these bytes. */
  readonly etag?: string
  /** `uname -v` and GNU build-id (lower-case hex) of the very build, where the source proves them. */
  readonly kernelVersion?: string
  readonly buildId?: string
  /** The package that it was in. */
  readonly package?: Provenance['package']
}

/** Kernels of the name that are other builds than the one that is meant. They are recorded as what they are. */
export interface OtherBuilds { readonly otherBuilds?: readonly FoundKernel[] }

export type SourceOutcome = (FoundKernel | { readonly state: 'unchanged' } | Refusal) & OtherBuilds
export type ModuleOutcome = { readonly state: 'found', readonly btf: SharedBtf, readonly url: string } | Refusal
export type Candidates = { readonly state: 'listed', readonly references: readonly KernelReference[] } | Refusal

/** Names for content that must be proven by its hash, or by the names of an archive's members. */
export interface OpenOptions {
  /** Releases that the archive's own names may say. */
  readonly names: readonly string[]
  /** Whether nothing but a .tar.xz will do. */
  readonly isArchive?: boolean
  readonly expected?: Sha256
  /** The vmlinux BTF that it extends, where it is a module's. */
  readonly base?: SharedBtf
}

export interface OpenedKernel {
  readonly btf: SharedBtf
  readonly modules: ReadonlyArray<{ readonly name: string, readonly btf: SharedBtf }>
}

/**
 * Makes shared BTF of what a source gave: a .tar.xz, ELF or raw BTF; undefined where a file is not there. Done by a worker.
 *
 * @throws AppError `btf_invalid`, `too_large`, and what a worker that has no time for it throws
 */
export type OpenKernel = (
  content: { readonly path: string } | { readonly bytes: Uint8Array },
  options: OpenOptions
) => Promise<OpenedKernel | undefined>
