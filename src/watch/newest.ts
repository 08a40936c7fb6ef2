import type { KernelReference } from '../identity/reference.js'
import { compareDebVersions } from '../packages/versions.js'

/** Of each distribution, version and architecture the highest releases, at most so many. */
export function newestOf<T extends { readonly reference: KernelReference }> (kernels: readonly T[], count: number): T[] {
  const byPlatform = new Map<string, T[]>()
  for (const kernel of kernels) {
    const { distro, distroVersion, arch } = kernel.reference
    const platform = `${distro}/${distroVersion}/${arch}`
    byPlatform.set(platform, [...byPlatform.get(platform) ?? [], kernel])
  }
  return [...byPlatform.values()].flatMap(own => own
    .sort((a, b) => compareDebVersions(b.reference.release, a.reference.release))
    .slice(0, count))
}
