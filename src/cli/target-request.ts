/** How the command line says what to relocate for. */
export interface TargetRequest {
  /** Files: vmlinux first. Empty: `kernel` counts. */
  readonly btf: readonly string[]
  /** The release of the kernel that the files are of, or its whole reference. Undefined: not known. */
  readonly btfRelease?: string | undefined
  /** A whole reference or a bare release. Undefined: the running kernel. */
  readonly kernel: string | undefined
  /** Names of kernel modules. */
  readonly modules: readonly string[]
}

/** Where kernels are looked for. */
export interface Places {
  readonly kernelBtfDir: string
  readonly cacheDir: string
  /** Whether BTF that somebody uploaded to the service answers for a kernel's name. */
  readonly trustUploads: boolean
  readonly hostRoot?: string | undefined
}

export interface NamedBtf {
  /** For messages: a path, or what it is. */
  readonly name: string
  readonly bytes: Uint8Array
  /** Of a module that was built on an extract of its base. */
  readonly distilledBase?: Uint8Array | undefined
}

/** The BTF that was meant. */
export interface TargetBtf {
  /** Its reference, or the release where that is all that is known; null for files of which that is not said. */
  readonly kernel: string | null
  readonly source: string
  /** The kernel's GNU build-id, where it is known. */
  readonly buildId?: string | undefined
  readonly vmlinux: NamedBtf
  /** In the order in which they are consulted. */
  readonly modules: readonly NamedBtf[]
}
