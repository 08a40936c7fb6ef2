import { inferFromRelease, ubuntuOfSeries } from './infer.js'
import { canonicalPlatform, DEBIAN_NUMBERS } from './platform.js'

/** The distribution that built a kernel, by the kernel's own word. */
export interface Maker {
  readonly distro: string
  /** Undefined where the kernel does not say for which of its releases. */
  readonly distroVersion: string | undefined
}

/** What Debian's build system writes at the end of `uname -v`, and those write who build its package anew. */
const DEBIAN_BANNER = / (?:Debian|Raspbian|Kali|PureOS|Parrot) (\d\S*) \(\d{4}-\d\d-\d\d\)$/

/**
 * A version of Debian's own package: upstream's, a revision, and the marks of security updates, backports, uploads to experimental and
 * binary rebuilds.
 */
const DEBIAN_VERSION = /^\d+(?:\.\d+)*(?:~rc\d+)?(?:-ckt\d+)?-\d+(?:\.\d+)?(?:[~+](?:deb|bpo|exp|b)[\du+~]*)*$/

/**
 * Images that are their own kernel's only users write their name at the end of its release, and no version: 5.15.132-flatcar,
 * 6.1.58-talos.
 */
const IMAGE_RELEASE = /^\d+\.\d+\.\d+-(flatcar|talos)(?:-r\d+)?$/

/** What others put into the version of a package that they build anew, where it is not the name in their os-release. */
const REBUILDERS: ReadonlyMap<string, string> = new Map([['rpt', 'raspbian'], ['rpi', 'raspbian'], ['pve', 'proxmox']])

/** `#111~20.04.1-Ubuntu SMP …`: the mark is that of a long-term release which carries a later one's kernel. */
const UBUNTU_BANNER = /^#\d+(?:~(\d\d\.\d\d)(?:\.\d+)?)?\S*-Ubuntu(?: |$)/

/** `#202201160435~1642693824~20.04~97db1bb-Ubuntu SMP …` and, later, without the last word: Pop!_OS builds Ubuntu's source anew. */
const POP_BANNER = /^#\d{12}~\d{9,}~(\d\d\.\d\d)~[0-9a-f]+(?:-Ubuntu)?(?: |$)/

/**
 * Who built a kernel, as the kernel itself says it in `uname -v` and in `uname -r`. These are true in every container, whatever
 * file of another system stands in for the host's os-release.
 *
 *     6.11.0-19-generic           #19~24.04.1-Ubuntu SMP …                             ubuntu 24.04, by its mark
 *     6.11.0-19-generic           #19-Ubuntu SMP …                                     ubuntu 24.10, which began with 6.11
 *     6.12.117+deb13-amd64        #1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 (2026-…)    debian 13
 *     6.6.31+rpt-rpi-v8           #1 SMP PREEMPT Debian 1:6.6.31-1+rpt1 (2024-05-29)   raspbian
 *
 * @returns undefined where the kernel does not say
 */
export function makerOf (release: string, kernelVersion: string): Maker | undefined {
  const [, pop] = POP_BANNER.exec(kernelVersion) ?? []
  if (pop !== undefined) return { distro: 'pop', distroVersion: pop }
  const ubuntu = UBUNTU_BANNER.exec(kernelVersion)
  if (ubuntu !== null) return { distro: 'ubuntu', distroVersion: ubuntu[1] ?? unmarkedUbuntu(release, kernelVersion) }
  const [, version] = DEBIAN_BANNER.exec(kernelVersion) ?? []
  if (version !== undefined) return debianFamily(release, version)
  const [, image] = IMAGE_RELEASE.exec(release) ?? []
  if (image !== undefined) return { distro: image, distroVersion: undefined }
  const { distro, distroVersion } = inferFromRelease(release)
  return distro === undefined ? undefined : { distro, distroVersion }
}

/**
 * A generic kernel without a mark is of the release that began with its series. Kernels for clouds and for new machines (oem) have
 * histories of their own, in which a long-term release has later series without a mark.
 */
function unmarkedUbuntu (release: string, kernelVersion: string): string | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)\.\d+-\d+-(?:generic|lowlatency)(?:-64k|-lpae)?$/.exec(release) ?? []
  return /^#\d+-Ubuntu(?: |$)/.test(kernelVersion) ? ubuntuOfSeries(Number(major), Number(minor)) : undefined
}

function debianFamily (release: string, version: string): Maker {
  if (DEBIAN_VERSION.test(version)) return { distro: 'debian', distroVersion: debianVersion(release, version) }
  const words = version.match(/[a-z]{3,}/g)?.filter(word => !['deb', 'bpo', 'exp', 'ckt'].includes(word) && !DEBIAN_NUMBERS.has(word)) ?? []
  const word = words[0] ?? 'unknown'
  return { distro: REBUILDERS.get(word) ?? word, distroVersion: DEBIAN_NUMBERS.get(/~([a-z]+)$/.exec(version)?.[1] ?? '') }
}

/**
 * The release says it since Linux 6.12 (`+deb13`); before that the mark of an update or backport does (the last one, where there are
 * two), or the series.
 */
function debianVersion (release: string, version: string): string | undefined {
  const [, inRelease] = /\+deb(\d+)(?:u\d+)?(?=-|$)/.exec(release) ?? []
  const inVersion = [...version.matchAll(/[~+](?:deb|bpo)(\d+)/g)].at(-1)?.[1]
  if (inRelease !== undefined || inVersion !== undefined) return inRelease ?? inVersion
  const [only, ...others] = inferFromRelease(release).platforms.filter(({ distro }) => distro === 'debian')
  return others.length === 0 && only !== undefined ? canonicalPlatform(only).distroVersion : undefined
}
