const MIB = 1024 * 1024

/** What is read of a file with kernels in it. Each bounds memory or time, whatever a header announces. In bytes unless told otherwise. */
export const BOUNDS = {
  /**
   * A file that is given: below what Node reads at once. Debian's largest kernel package has 110 MB, a vmlinux with debugging
   * information 1 GB.
   */
  file: 2000 * MIB,
  /** A kernel image, packed or not. Debian's have up to 30 MB packed, and 66 MB unpacked. */
  image: 512 * MIB,
  /** A module. The largest graphics drivers have 40 MB with symbols. */
  module: 256 * MIB,
  /** A vmlinux with debugging information inside a package. */
  debugImage: 1536 * MIB,
  /** Everything in one package or archive, as it is unpacked: a full set of debugging symbols has 4 GB. */
  package: 8192 * MIB,
  /** Files in one package or archive. Kernel packages have up to 7,000. */
  members: 100_000,
  /** Files in a tar archive of kernels' BTF or files: a distribution's kernel has up to 6,000 modules. */
  archiveMembers: 8192,
  /** Packages and archives within each other. */
  depth: 4,
  /** Places in an image at which packed data may begin. */
  payloads: 64
} as const
