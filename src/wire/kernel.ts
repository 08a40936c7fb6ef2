/** The name of a kernel, whole and in its parts. */
export interface ReferenceJson {
  readonly reference: string
  readonly distro: string
  readonly distro_version: string
  readonly arch: string
  readonly release: string
}

/** The package in which a distribution publishes a kernel. */
export interface PublishedJson {
  readonly repository: string
  readonly package: string
  readonly version: string
  /** Size of the package. */
  readonly bytes: number
  /** RFC 3339; null where the repository does not say. */
  readonly built_at: string | null
}

/** A kernel whose BTF the service has. */
export interface HeldKernelJson extends ReferenceJson {
  readonly state: 'held'
  /** Who is known to have it: `source` first. */
  readonly sources: readonly string[]
  readonly btf_sha256: string
  /** Size of its raw BTF. */
  readonly bytes: number
  readonly types: number
  readonly build_id: string | null
  readonly source: string
  readonly provenance: ProvenanceJson
  /** RFC 3339, as `last_used`. */
  readonly first_seen: string
  readonly last_used: string
  readonly modules: readonly ModuleJson[]
  readonly published: PublishedJson | null
}

export interface ProvenanceJson {
  readonly by: string
  /** RFC 3339, as `checked_at`. */
  readonly at: string
  /** `uname -v`. */
  readonly kernel_version?: string
  readonly url?: string
  readonly etag?: string
  readonly package?: { readonly repository: string, readonly name: string, readonly version: string }
  readonly checked_at?: string
}

export interface ModuleJson {
  readonly name: string
  readonly btf_sha256: string
  /** Size of its split BTF. */
  readonly bytes: number
  readonly source: string
}

/** A kernel that a source is known to have. What only its BTF tells is null. */
export interface OfferedKernelJson extends ReferenceJson {
  readonly state: 'offered'
  readonly sources: readonly string[]
  readonly btf_sha256: null
  readonly bytes: null
  readonly types: null
  readonly build_id: null
  readonly source: null
  readonly provenance: null
  readonly first_seen: null
  readonly last_used: null
  readonly modules: readonly never[]
  readonly published: PublishedJson | null
}

export type KernelJson = HeldKernelJson | OfferedKernelJson

export interface KernelPageJson {
  readonly kernels: readonly KernelJson[]
  /** Null on the last page. */
  readonly next_cursor: string | null
}
