import { canonicalPlatform } from '../identity/platform.js'
import type { KernelReference } from '../identity/reference.js'

/**
 * What the presets have, in the spelling by which platforms are compared. Apart from the presets themselves, which are loaded only where
 * they are used; a test compares.
 */
export const COVERED: Readonly<Record<string, { readonly distro: string, readonly versions: readonly string[] }>> = {
  debian: { distro: 'debian', versions: ['11', '12', '13'] },
  ubuntu: { distro: 'ubuntu', versions: ['20.04', '22.04', '24.04', '26.04'] },
  fedora: { distro: 'fedora', versions: ['39', '40', '41', '42', '43', '44', '45'] },
  'centos-stream': { distro: 'centos', versions: ['8', '9', '10'] },
  rocky: { distro: 'rocky', versions: ['8', '9', '10'] },
  almalinux: { distro: 'almalinux', versions: ['8', '9', '10'] },
  oraclelinux: { distro: 'ol', versions: ['8', '9', '10'] },
  amazonlinux: { distro: 'amzn', versions: ['2', '2023'] },
  opensuse: { distro: 'opensuse-leap', versions: ['15.5', '15.6', '16.0'] }
}

/** All presets are for both. */
export const COVERED_ARCHES: ReadonlySet<string> = new Set(['x86_64', 'arm64'])

/** What nodes of Proxmox run, whose os-release is Debian's. Debian has no kernel that is called so: Proxmox publishes its own. */
const PROXMOX_RELEASE = /-pve$/

/** The preset whose repositories may have a kernel, by the kernel's name; undefined where none does. */
export function presetCovering ({ distro, distroVersion, arch, release }: KernelReference): string | undefined {
  if (!COVERED_ARCHES.has(arch) || PROXMOX_RELEASE.test(release)) return undefined
  const platform = canonicalPlatform({ distro, distroVersion })
  return Object.keys(COVERED).find(preset =>
    COVERED[preset]?.distro === platform.distro && COVERED[preset].versions.includes(platform.distroVersion))
}
