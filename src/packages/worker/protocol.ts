import type { MessagePort } from 'node:worker_threads'
import type { ErrorJson } from '../../errors.js'
import type { IndexedPackage } from '../published.js'

interface Common {
  /** SHA-256 in hex that all that arrives must have; undefined where only a signature inside vouches for it. */
  readonly sha256: string | undefined
  /** What arrives, for messages. */
  readonly what: string
}

/** Reads a package as far as the kernel in it, and its hash to the end. */
export interface KernelTask extends Common {
  readonly kind: 'kernel'
  readonly format: 'deb' | 'rpm'
  readonly release: string
  readonly arch: string
  /** Public keys of which one must have signed the package itself, where its index has no signature. */
  readonly signedBy?: { readonly keys: readonly Uint8Array[], readonly what: string }
}

/** The same as far as some modules, or to the end for all of them. */
export interface ModulesTask extends Omit<KernelTask, 'kind'> {
  readonly kind: 'modules'
  /** As the kernel calls them: with underscores. */
  readonly names: readonly string[] | 'all'
}

/** Reads an index, and keeps what is a kernel's. */
export type IndexTask = PackagesTask | PrimaryTask

export interface PackagesTask extends Common {
  readonly kind: 'packages'
  /** Only packages for this architecture. */
  readonly arch: string
}

export interface PrimaryTask extends Omit<PackagesTask, 'kind'> {
  readonly kind: 'primary'
}

export type PackageTask = KernelTask | ModulesTask | IndexTask

export interface ExtractedKernel {
  /** Raw BTF, not validated; alone in its buffer, which is moved. */
  readonly btf: Uint8Array<ArrayBuffer>
  readonly kernelVersion: string
  readonly buildId: string | undefined
}

/** The modules that were found: the ELF file of each, or its raw BTF. */
export type ExtractedModules = ReadonlyArray<{ readonly name: string, readonly bytes: Uint8Array<ArrayBuffer> }>

export interface PackageTaskValues {
  readonly kernel: ExtractedKernel
  readonly modules: ExtractedModules
  readonly packages: readonly IndexedPackage[]
  readonly primary: readonly IndexedPackage[]
}

/** What a worker says: that it has taken so many bytes, and then how it ended. */
export type WorkerMessage =
  | { readonly taken: number }
  | { readonly done: PackageTaskValues[keyof PackageTaskValues] }
  | { readonly error: ErrorJson }

export interface PackageWorkerData {
  readonly task: PackageTask
  /** Pieces come through here, and null at the end. */
  readonly pieces: MessagePort
}
