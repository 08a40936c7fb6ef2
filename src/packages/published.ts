import type { KernelReference } from '../identity/reference.js'

/** One file of a repository, as its index lists it. */
export interface PackageFile {
  /** Name of the package. */
  readonly name: string
  /** Version with epoch and release, as the package manager writes it. */
  readonly version: string
  /** Path below the repository's address. */
  readonly path: string
  readonly bytes: number
  /** SHA-256 in hex. */
  readonly sha256: string
  /** When it was built (RFC 3339), where the index tells. */
  readonly builtAt?: string
}

/** A kernel that a repository publishes. */
export interface PublishedKernel {
  readonly reference: KernelReference
  /** The package with its image. */
  readonly image: PackageFile
  /** The packages that may have its modules, likeliest first. */
  readonly modules: readonly PackageFile[]
}

/** What an index says of one package. */
export interface IndexedPackage extends PackageFile {
  /** As the repository spells it: `amd64`, `aarch64`. */
  readonly arch: string
  /** What it was made of, where the index tells: `linux-6.12.19`. */
  readonly source?: string
}
