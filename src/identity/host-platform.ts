import { contradiction, type Uname } from './agreement.js'
import { makerOf } from './maker.js'
import { platformOf, type OsRelease } from './os-release.js'
import { isSameDistro, isSamePlatform, mayShareKernels, type Platform } from './platform.js'

/** Whose kernel runs, or why that cannot be told. */
export type HostPlatform =
  /** `note` says where the kernel is another distribution's than the one that is installed. */
  | { readonly platform: Platform, readonly note: string | undefined }
  | { readonly problem: string }

export interface HostEvidence extends Uname {
  /** Of the host; undefined where there is none to be seen. */
  readonly osRelease: OsRelease | undefined
  /** Where it was looked for. */
  readonly root: string
  /** What an operator says instead; undefined where nobody is asked. */
  readonly given?: Partial<Platform> | undefined
}

const MOUNT = "mount the host's root read-only at /host, or name it with CORELO_HOST_ROOT"
/** The agent's options. Nobody else asks an operator. */
const SAY = ', or say what it is with --distro and --distro-version'

/**
 * Names the platform whose kernel runs. The host's os-release says which, unless the kernel says otherwise: the file may be a container's.
 * A distribution that installs another one's kernels has its kernel named after its maker, where the kernel says for which release it
 * was made.
 */
export function hostPlatform ({ osRelease, root, given: said, release, kernelVersion }: HostEvidence): HostPlatform {
  const given = said ?? {}
  const remedy = said === undefined ? MOUNT : `${MOUNT}${SAY}`
  const maker = makerOf(release, kernelVersion)
  const installed = { ...osRelease === undefined ? {} : platformOf(osRelease), ...given }
  const { distro, distroVersion } = installed
  if (distro === undefined || distroVersion === undefined) {
    return { problem: `There is no os-release below ${root}, which would say whose kernel ${release} is: ${remedy}.` }
  }
  const isGiven = given.distro !== undefined
  const against = contradiction({ distro, distroVersion }, { release, kernelVersion })
  // Raspberry Pi OS of 64 bits calls itself debian; its kernels are its own.
  if (maker?.distro === 'raspbian' && distro === 'debian' && !isGiven) {
    return {
      platform: { distro: maker.distro, distroVersion: maker.distroVersion ?? distroVersion },
      note: 'os-release says debian, and the kernel is that of Raspberry Pi OS'
    }
  }
  if (against !== undefined) {
    const source = isGiven ? '--distro and --distro-version say' : `os-release below ${root} says`
    const advice = isGiven ? 'give what the kernel is' : `that file is probably a container's: ${remedy}`
    return { problem: `${source} ${distro} ${distroVersion}, but kernel ${release} (${kernelVersion}) ${against}; ${advice}.` }
  }
  if (maker?.distroVersion === undefined || isGiven) return { platform: { distro, distroVersion }, note: undefined }
  if (isSameDistro(maker.distro, distro)) {
    const isSame = isSamePlatform({ distro, distroVersion }, { distro, distroVersion: maker.distroVersion })
    return {
      platform: { distro, distroVersion: isSame || !/^\d/.test(distroVersion) ? distroVersion : maker.distroVersion },
      note: undefined
    }
  }
  const isLike = osRelease?.idLike.some(like => isSameDistro(like, maker.distro)) === true
  if (!isLike && !mayShareKernels(maker.distro, distro)) return { platform: { distro, distroVersion }, note: undefined }
  return {
    platform: { distro: maker.distro, distroVersion: maker.distroVersion },
    note: `os-release says ${distro} ${distroVersion}, and the kernel is that of ${maker.distro} ${maker.distroVersion}`
  }
}
