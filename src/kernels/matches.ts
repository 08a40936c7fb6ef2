import { UPLOAD_SOURCE, type KernelRecord } from './kernel-record.js'
import type { KernelQuery, KernelReference } from '../identity/reference.js'
import { isSameDistro, isSamePlatform } from '../identity/platform.js'

/** What narrows a search of kernels. Parts that are not given allow everything. */
export type KernelNarrowing = Partial<Pick<KernelQuery, 'distro' | 'distroVersion' | 'arch'>>

/** Whether a kernel may be the one that is meant, in any spelling of its platform. The architecture is in BTFHub's spelling on both sides. */
export function matchesName ({ distro, distroVersion, arch }: KernelNarrowing, reference: KernelReference): boolean {
  if (arch !== undefined && arch !== reference.arch) return false
  if (distroVersion !== undefined) return isSamePlatform({ distro: distro ?? reference.distro, distroVersion }, reference)
  return distro === undefined || isSameDistro(distro, reference.distro)
}

/** One release may be built several times. Where either side does not know its build, the name has to do. */
export function isSameBuild (query: KernelQuery, { provenance }: KernelRecord): boolean {
  return query.kernelVersion === undefined || provenance.kernelVersion === undefined || query.kernelVersion === provenance.kernelVersion
}

/** Whether content of this source may decide what a name means. */
export function answersForName ({ source }: { readonly source: string }, trustUploads: boolean): boolean {
  return trustUploads || source !== UPLOAD_SOURCE
}
