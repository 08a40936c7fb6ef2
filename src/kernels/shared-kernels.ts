import { mayShareKernels } from '../identity/platform.js'
import type { KernelQuery } from '../identity/reference.js'
import type { KernelRecord } from './kernel-record.js'

/**
 * Whether a record is the very kernel that is meant under another distribution's name: one of those that install each other's packages
 * (devuan and debian, rhcos and rhel, linuxmint and ubuntu), of the same release and architecture, with an identical `uname -v`, which
 * has package version or time of the build in it.
 */
export function isSharedKernel (
  { distro, distroVersion, arch, release, kernelVersion }: KernelQuery,
  { reference, provenance }: KernelRecord
): boolean {
  return distro !== undefined && distroVersion !== undefined && distro !== reference.distro && mayShareKernels(distro, reference.distro) &&
    release === reference.release && (arch === undefined || arch === reference.arch) &&
    kernelVersion !== undefined && kernelVersion === provenance.kernelVersion
}
