import { formatReference, isWholeReference, type KernelQuery, type KernelReference } from '../reference.js'

/** One file of BTFHub's archive that may hold a kernel's BTF. */
export interface ArchivePlace {
  /** The kernel that the file is about. */
  readonly reference: KernelReference
  /** Below the archive's root: `ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz`. */
  readonly path: string
}

/** The places in BTFHub's layout that a query can mean, most likely first. Empty where nothing can be inferred. */
export function archivePlaces (query: KernelQuery): readonly ArchivePlace[] {
  if (!isWholeReference(query)) return []
  const { distro, distroVersion, arch, release } = query
  return [{ reference: { distro, distroVersion, arch, release }, path: `${formatReference(query)}.btf.tar.xz` }]
}
