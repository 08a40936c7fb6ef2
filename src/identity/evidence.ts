/** What a file says of the kernel it belongs to. Each is undefined where it does not say. */
export interface Evidence {
  /** `uname -r`. */
  readonly release?: string | undefined
  /** `uname -v`. */
  readonly kernelVersion?: string | undefined
  /** The kernel's own GNU build-id, hex. */
  readonly buildId?: string | undefined
  /** Version of the package that it came in, as Debian's control file has it. */
  readonly packageVersion?: string | undefined
  /** BTFHub's name. */
  readonly arch?: string | undefined
  readonly distro?: string | undefined
  readonly distroVersion?: string | undefined
}

/** The two together; what the first says counts. */
export function mergeEvidence (first: Evidence, second: Evidence): Evidence {
  return {
    release: first.release ?? second.release,
    kernelVersion: first.kernelVersion ?? second.kernelVersion,
    buildId: first.buildId ?? second.buildId,
    packageVersion: first.packageVersion ?? second.packageVersion,
    arch: first.arch ?? second.arch,
    distro: first.distro ?? second.distro,
    distroVersion: first.distroVersion ?? second.distroVersion
  }
}
