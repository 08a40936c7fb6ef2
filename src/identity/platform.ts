/** A distribution and its version, as somebody spells them: os-release, an archive's folders, a person. */
export interface Platform {
  readonly distro: string
  readonly distroVersion: string
}

/**
 * Ubuntu's releases by codename. BTFHub's tools take codenames and its archive has numbers; the archive's `ubuntu/focal` is a
 * symbolic link, which a raw address cannot follow (https://github.com/aquasecurity/btfhub, cmd/btfhub/main.go at bbeeb05).
 */
const UBUNTU_NUMBERS: ReadonlyMap<string, string> = new Map([
  ['trusty', '14.04'], ['xenial', '16.04'], ['bionic', '18.04'], ['focal', '20.04'], ['jammy', '22.04'], ['noble', '24.04']
])

/** Debian's releases by codename. Sid and testing are no releases and stay as they are. */
export const DEBIAN_NUMBERS: ReadonlyMap<string, string> = new Map([
  ['jessie', '8'], ['stretch', '9'], ['buster', '10'], ['bullseye', '11'], ['bookworm', '12'], ['trixie', '13']
])

/** Built from Red Hat's sources, by minor versions that share one package history: a release string is one build in each. */
const BY_MAJOR: ReadonlySet<string> = new Set(['rhel', 'centos', 'ol', 'rocky', 'almalinux'])

/** SUSE's products of one code base, which install the same kernel package. */
const SLE: ReadonlySet<string> = new Set(['sles', 'sled', 'sles_sap'])

/** Amazon Linux 1 as its os-release has it (`2018.03`, before that `2017.09`), and as the archive does (`2018`, `1`). */
const AMAZON_1 = /^(?:1|2018|201[1-8]\.\d\d)$/

/**
 * The one spelling by which platforms are compared: number instead of codename, and no minor version where the distribution
 * has one package history for all of them. Names that no rule knows stay as they are: a private archive may have others.
 */
export function canonicalPlatform ({ distro, distroVersion }: Platform): Platform {
  if (distro === 'ubuntu') {
    return { distro, distroVersion: UBUNTU_NUMBERS.get(distroVersion) ?? distroVersion.replace(/^(\d\d\.\d\d)\.\d+$/, '$1') }
  }
  if (distro === 'debian') return { distro, distroVersion: DEBIAN_NUMBERS.get(distroVersion) ?? majorOf(distroVersion) }
  if (BY_MAJOR.has(distro)) return { distro, distroVersion: majorOf(distroVersion) }
  if (distro === 'amzn') return { distro, distroVersion: AMAZON_1.test(distroVersion) ? '1' : distroVersion }
  if (SLE.has(distro)) return { distro: 'sles', distroVersion }
  return { distro: canonicalDistro(distro), distroVersion }
}

/**
 * Whether two spellings mean one platform, so that one release string is one kernel in both: `debian/11` and
 * `debian/bullseye`, `rhel/8.6` and `rhel/8`. Never true for two distributions that build the same sources each for itself
 * (rhel, centos, ol, rocky, almalinux), nor for service packs of SUSE.
 */
export function isSamePlatform (a: Platform, b: Platform): boolean {
  const [left, right] = [canonicalPlatform(a), canonicalPlatform(b)]
  return left.distro === right.distro && left.distroVersion === right.distroVersion
}

/** Whether two spellings mean one distribution, whatever its version. */
export function isSameDistro (a: string, b: string): boolean { return canonicalDistro(a) === canonicalDistro(b) }

/**
 * The folders `<distro>/<distro_version>` in which an archive of BTFHub's layout may keep a platform's kernels, most likely
 * first. The public archive has bullseye by its name but stretch and buster by number, Amazon Linux 1 in two places, and
 * Red Hat's and Oracle's by major version; a private one may have the spelling that was asked for.
 *
 * @see https://github.com/aquasecurity/btfhub/blob/bbeeb0532c7a27eeb76f36362054e79bf7b1de0a/docs/btfhub-archive-path-layout.md
 */
export function archiveFolders (platform: Platform): readonly Platform[] {
  const { distro, distroVersion } = canonicalPlatform(platform)
  const versions = (...names: readonly string[]): Platform[] => [...new Set(names)].map(name => ({ distro, distroVersion: name }))
  if (distro === 'ubuntu') return versions(distroVersion)
  if (distro === 'debian') return versions(...debianFolders(distroVersion))
  if (distro === 'amzn' && distroVersion === '1') return versions('2018', '1', platform.distroVersion)
  if (distro === 'sles' && platform.distro !== 'sles') return [{ distro, distroVersion }, platform]
  return versions(distroVersion, platform.distroVersion)
}

function debianFolders (version: string): string[] {
  const codename = [...DEBIAN_NUMBERS].find(([, number]) => number === version)?.[0]
  if (codename === undefined || Number(version) < 11) return [version]
  return version === '11' ? [codename, version] : [version, codename]
}

/**
 * Distributions that install another one's kernel packages as they are. Their own name is in os-release, that of the kernel's maker
 * in the kernel. Raspberry Pi OS, Proxmox and Garden Linux are not among them: they build their own.
 */
const KERNELS_OF: ReadonlyMap<string, string> = new Map([
  ['devuan', 'debian'], ['linuxmint', 'ubuntu'], ['lmde', 'debian'],
  ['pop', 'ubuntu'], ['elementary', 'ubuntu'], ['zorin', 'ubuntu'], ['neon', 'ubuntu'],
  ['rhcos', 'rhel'],
  ['opensuse-leap', 'sles'], ['sle-micro', 'sles'], ['sle-micro-rancher', 'sles'], ['sl-micro', 'sles'], ['sle_hpc', 'sles']
])

/** Distributions that are known to build their own kernels under names of their own. */
const BUILDS_OWN: ReadonlySet<string> = new Set([
  'debian', 'ubuntu', 'raspbian', 'gardenlinux', 'kali', 'proxmox',
  'fedora', 'centos', 'rhel', 'ol', 'rocky', 'almalinux', 'amzn', 'sles', 'openEuler', 'kylin',
  'alpine', 'arch', 'photon', 'mariner', 'azurelinux', 'cos', 'flatcar', 'bottlerocket', 'talos', 'wolfi', 'chainguard',
  'void', 'gentoo', 'nixos'
])

/**
 * Whether two distributions may have one and the same kernel package, so that an identical `uname -v` of an identical release shows
 * that they have. Never true for those that build one source each for itself.
 */
export function mayShareKernels (a: string, b: string): boolean {
  const [left, right] = [canonicalDistro(a), canonicalDistro(b)]
  return (KERNELS_OF.get(left) ?? left) === (KERNELS_OF.get(right) ?? right)
}

/** Whether a distribution is known for kernels of its own making, so that one of another's making is not its. */
export function buildsOwnKernels (distro: string): boolean { return BUILDS_OWN.has(canonicalDistro(distro)) }

/** os-release wants lower case, and openEuler's has a capital; people follow the one or the other. */
function canonicalDistro (distro: string): string {
  if (SLE.has(distro)) return 'sles'
  return distro.toLowerCase() === 'openeuler' ? 'openEuler' : distro
}

function majorOf (version: string): string { return /^(\d+)\.[\d.]+$/.exec(version)?.[1] ?? version }
