import { normalizeArch } from './arch.js'
import type { Platform } from './platform.js'

/** What the text of a release says of the kernel it names. */
export interface ReleaseFacts {
  /** BTFHub's name, where the release carries it. */
  readonly arch: string | undefined
  /** Only where the release proves it: another distribution would have called its kernel otherwise. */
  readonly distro: string | undefined
  readonly distroVersion: string | undefined
  /**
   * The platforms that call a kernel of theirs so, likeliest first; empty where they cannot be listed. More than one proves
   * none: the rebuilds of Red Hat's kernel all say `.el8.`, and each is another build.
   */
  readonly platforms: readonly Platform[]
}

const ARCH_NAMES = 'x86_64|aarch64|s390x|ppc64le|riscv64|i[3-6]86|armv7hl|amd64|arm64|powerpc64le|686-pae|686|armmp-lpae|armmp'

/** `.x86_64` of RPM, with what Fedora puts behind it (`.x86_64+debug`), and `-amd64` of Debian. */
const ARCH = new RegExp(String.raw`[.-](${ARCH_NAMES})(?:\+[a-z0-9-]+)?$`)

/** Debian's flavours that are architectures by themselves. */
const DEBIAN_FLAVOURS: ReadonlyMap<string, string> = new Map([['armmp', 'arm'], ['armmp-lpae', 'arm'], ['686', 'x86'], ['686-pae', 'x86']])

/** An RPM release that a distribution's own build system makes: numbers, and the marks of a pre-release. Third parties add words. */
const RPM = String.raw`^\d+\.\d+\.\d+-(?:(?:\d+|rc\d+|rt\d+|(?:\d{8})?git[0-9a-f]*|\d+[a-z])\.)+`

/** Nothing but the architecture may follow a dist tag: ELRepo's kernel is 5.4.17-1.el7.elrepo.x86_64. */
const RPM_END = String.raw`\.[a-z0-9_]+(?:\+[a-z0-9-]+)?$`

interface Rule {
  readonly pattern: RegExp
  /** Whether a single platform is proven, and not only the one that is likeliest. */
  readonly isProof: boolean
  readonly platforms: (match: RegExpExecArray) => readonly Platform[]
}

const UBUNTU_FLAVOURS = 'generic|generic-lpae|lowlatency|virtual|snapdragon|raspi2?|kvm|' +
  'aws|azure|azure-fde|azure-cvm|gcp|gke|gkeop|oracle|ibm|bluefield|oem|intel|nvidia|euclid'

/**
 * One rule a naming scheme, each seen in an archive of BTFHub's layout or in the package's own specification. A dist tag
 * proves its distribution only beside a release as that distribution's build system makes it: ELRepo's and COPR's kernels
 * carry the same tags.
 *
 * @see https://github.com/DataDog/datadog-agent/blob/main/pkg/ebpf/btf.go for the same idea by dist tag
 */
const RULES: readonly Rule[] = [
  // Oracle's own kernel (UEK): 4.14.35-1902.0.18.el7uek.aarch64
  rule(/\.el(\d+)uek\./, true, ([, major = '']) => [platform('ol', major)]),
  // The CentOS project's own variants: 3.10.0-1127.el7.centos.plus.x86_64
  rule(/\.el(\d+)\.centos\./, true, ([, major = '']) => [platform('centos', major)]),
  // Red Hat's kernel and its rebuilds: 3.10.0-1160.49.1.el7.x86_64, 4.18.0-305.25.1.el8_4.x86_64
  // (5.14.0-362.24.1.el9_3.0.1.x86_64 has a rebuild's own number behind the minor version, 4.14.0-115.el7a.aarch64 is the alternative
  // kernel of 7)
  rule(new RegExp(String.raw`${RPM}el(\d+)a?(?:_\d+(?:\.\d+)*)?${RPM_END}`), false,
    ([, major = '']) => rebuilds(major).map(distro => platform(distro, major))),
  // 4.14.101-91.76.amzn2.aarch64; the first Amazon Linux has two folders in the archive, which archiveFolders knows
  rule(new RegExp(String.raw`${RPM}amzn(1|2|20\d\d)${RPM_END}`), true, ([, version = '']) => [platform('amzn', version)]),
  // 5.8.18-100.fc31.x86_64
  rule(new RegExp(String.raw`${RPM}fc(\d+)${RPM_END}`), true, ([, version = '']) => [platform('fedora', version)]),
  // 6.1.56-2.ph5, 5.10.260-3.ph4-esx: Photon's, whose packages have no architecture in their kernel's name
  rule(/^\d+\.\d+\.\d+-(?:0\.rc\d+\.)?\d+\.ph(\d)(?:-(?:esx|rt|aws|secure))?$/, true,
    ([, major = '']) => [platform('photon', `${major}.0`)]),
  // openEuler since 22.03 has its version in the tag (5.10.0-136.14.2.90.oe2203sp1.aarch64); oe1 is that of several before it
  rule(new RegExp(String.raw`${RPM}oe(2\d)(\d\d)(?:sp\d+)?${RPM_END}`), true,
    ([, year = '', month = '']) => [platform('openEuler', `${year}.${month}`)]),
  rule(new RegExp(String.raw`${RPM}oe1${RPM_END}`), false,
    () => ['20.03', '20.09', '21.03'].map(version => platform('openEuler', version))),
  // 4.19.90-52.22.v2207.ky10.aarch64
  rule(/\.ky10\.(?:x86_64|aarch64)$/, true, () => [platform('kylin', 'V10')]),
  // Debian's since 6.12, which name their release: 6.12.117+deb13-cloud-amd64
  rule(/^\d+\.\d+(?:\.\d+)?\+deb(\d+)(?:u\d+)?-/, true, ([, version = '']) => [platform('debian', version)]),
  // Debian's newer kernel for an older release: 5.10.0-0.deb10.17-cloud-amd64
  rule(/^\d+\.\d+\.\d+-0\.deb(\d+)\.\d+-/, true, ([, version = '']) => [platform('debian', version)]),
  // The same before there was the tag: 4.19.0-0.bpo.19-amd64
  rule(/^(\d+)\.(\d+)\.\d+-0\.bpo\.\d+-(?:[a-z]+-)*[a-z]+\d*/, false, ([, major, minor]) => debianBackport(Number(major), Number(minor))),
  // 4.19.0-17-amd64, 5.10.0-9-cloud-amd64: Debian's, and those of distributions that build Debian's packages anew
  rule(/^(\d+)\.(\d+)\.0-\d+-(?:cloud-|rt-)?(?:amd64|arm64|686-pae|686|armmp|armmp-lpae|s390x|powerpc64le)$/, false,
    ([, major, minor]) => debianOwn(Number(major), Number(minor))),
  // 5.4.0-42-generic; the ABI numbers of mainline builds (050400) and of Pop!_OS (7642) are not Ubuntu's
  rule(new RegExp(String.raw`^(\d+)\.(\d+)\.\d+-(?!0|7\d{3}-)\d{1,4}-(?:${UBUNTU_FLAVOURS})(?:-64k|-hwe)?$`), false,
    ([, major, minor]) => ubuntu(Number(major), Number(minor))),
  // 4.12.14-lp151.28.10-default
  rule(/-lp15(\d)\.[\d.]+-[a-z]+$/, true, ([, minor = '']) => [platform('opensuse-leap', `15.${minor}`)]),
  // 5.3.18-150300.59.43-default: SUSE's tag since 15.3, when openSUSE Leap took over the same packages
  rule(/-150([3-9])00\.[\d.]+-[a-z]+$/, false,
    ([, minor = '']) => [platform('sles', `15.${minor}`), platform('opensuse-leap', `15.${minor}`)]),
  // 4.4.103-6.33-default, 4.12.14-122.103-azure
  rule(/^(\d+\.\d+)\.\d+-\d+(?:\.\d+)*-(?:default|azure|kvmsmall|preempt|rt)$/, false,
    ([, series = '']) => (SLE_BY_SERIES.get(series) ?? []).map(version => platform('sles', version)))
]

/**
 * Reads what a release says of its kernel's distribution and architecture.
 *
 * @param release `uname -r`
 */
export function inferFromRelease (release: string): ReleaseFacts {
  const name = ARCH.exec(release)?.[1]
  const arch = name === undefined ? undefined : DEBIAN_FLAVOURS.get(name) ?? normalizeArch(name)
  for (const { pattern, isProof, platforms } of RULES) {
    const match = pattern.exec(release)
    if (match === null) continue
    const possible = platforms(match)
    return {
      arch,
      distro: distroOf(possible, isProof),
      distroVersion: isProof ? possible[0]?.distroVersion : undefined,
      platforms: possible
    }
  }
  // 4.19.90-2107.6.0.0248.35.oe1.bclinux.x86_64 names its distribution but no version
  return { arch, distro: /\.bclinux\.(?:x86_64|aarch64)$/.test(release) ? 'bclinux' : undefined, distroVersion: undefined, platforms: [] }
}

/** openEuler's oe1 proves the distribution, though not which of its versions. */
function distroOf (possible: readonly Platform[], isProof: boolean): string | undefined {
  const [first] = possible
  return isProof || first?.distro === 'openEuler' ? first?.distro : undefined
}

/** Who builds Red Hat's kernel of a major version. Rocky and Alma began with 8; CentOS Linux has none after it. */
function rebuilds (major: string): string[] {
  return Number(major) < 8 ? ['centos', 'rhel', 'ol'] : ['centos', 'rhel', 'ol', 'rocky', 'almalinux']
}

/** Kernel series of SUSE's service packs before the tag of 15.3. */
const SLE_BY_SERIES: ReadonlyMap<string, readonly string[]> = new Map([
  ['4.4', ['12.3', '12.2']],
  ['4.12', ['12.5', '12.4', '15.1', '15']],
  ['5.3', ['15.2', '15.3']],
  ['5.14', ['15.4', '15.5']]
])

/** Ubuntu's releases and the kernel series each began with, the long-term ones every other April. */
const UBUNTU_KERNELS: ReadonlyMap<string, string> = new Map([
  ['3.13', '14.04'], ['3.16', '14.10'], ['3.19', '15.04'], ['4.2', '15.10'], ['4.4', '16.04'], ['4.8', '16.10'],
  ['4.10', '17.04'], ['4.13', '17.10'], ['4.15', '18.04'], ['4.18', '18.10'], ['5.0', '19.04'], ['5.3', '19.10'],
  ['5.4', '20.04'], ['5.8', '20.10'], ['5.11', '21.04'], ['5.13', '21.10'], ['5.15', '22.04'], ['5.19', '22.10'],
  ['6.2', '23.04'], ['6.5', '23.10'], ['6.8', '24.04'], ['6.11', '24.10'], ['6.14', '25.04'], ['6.17', '25.10'],
  ['7.0', '26.04']
])

const UBUNTU_LONG_TERM: ReadonlyArray<readonly [version: string, major: number, minor: number]> =
  [...UBUNTU_KERNELS].flatMap(([series, version]) => {
    const [major = 0, minor = 0] = series.split('.').map(Number)
    return /^\d[02468]\.04$/.test(version) ? [[version, major, minor] as const] : []
  })

/** The release of Ubuntu that began with a kernel series; undefined for a series that only long-term releases carry, if any. */
export function ubuntuOfSeries (major: number, minor: number): string | undefined { return UBUNTU_KERNELS.get(`${major}.${minor}`) }

/** The release that began with the series, and the long-term one before it, which carries the kernels up to that of the next. */
function ubuntu (major: number, minor: number): Platform[] {
  const isAfter = ([, ownMajor, ownMinor]: readonly [string, number, number]): boolean =>
    major > ownMajor || (major === ownMajor && minor > ownMinor)
  const own = ubuntuOfSeries(major, minor)
  const carrier = UBUNTU_LONG_TERM.filter(isAfter).at(-1)?.[0]
  return [own, carrier].flatMap(version => version === undefined ? [] : [platform('ubuntu', version)])
}

/** Debian's releases by the kernel that is theirs. */
const DEBIAN_KERNELS: ReadonlyMap<string, string> = new Map([
  ['3.16', '8'], ['4.9', '9'], ['4.19', '10'], ['5.10', '11'], ['6.1', '12'], ['6.12', '13']
])

function debianOwn (major: number, minor: number): Platform[] {
  const version = DEBIAN_KERNELS.get(`${major}.${minor}`)
  return version === undefined ? [] : [platform('debian', version)]
}

/** A backport is for the release whose own kernel is the next older one. */
function debianBackport (major: number, minor: number): Platform[] {
  if (major === 4 && minor <= 9) return [platform('debian', '8')]
  return [platform('debian', major === 4 && minor <= 19 ? '9' : '10')]
}

function platform (distro: string, distroVersion: string): Platform { return { distro, distroVersion } }

function rule (pattern: RegExp, isProof: boolean, platforms: Rule['platforms']): Rule { return { pattern, isProof, platforms } }
