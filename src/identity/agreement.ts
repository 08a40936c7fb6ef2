import { inferFromRelease } from './infer.js'
import { makerOf } from './maker.js'
import { buildsOwnKernels, isSameDistro, isSamePlatform, mayShareKernels, type Platform } from './platform.js'

/** A kernel as `uname` tells it. */
export interface Uname {
  readonly release: string
  /** `uname -v`; empty where it is not known. */
  readonly kernelVersion: string
}

/**
 * Why a kernel cannot be one of a platform, as the end of a sentence: "is ubuntu 18.04's". Undefined where nothing speaks against it.
 *
 * The kernel's own word counts: `#46~18.04.1-Ubuntu` is no kernel of Ubuntu 20.04, and `Debian 5.10.83-1gardenlinux1` none of Debian. Of
 * distributions that are not known to build kernels nothing is said.
 */
export function contradiction ({ distro, distroVersion }: Platform, { release, kernelVersion }: Uname): string | undefined {
  const maker = makerOf(release, kernelVersion)
  if (maker !== undefined) {
    if (isSameDistro(maker.distro, distro)) {
      // A release that carries the version says it by itself: a kernel may outlive the upgrade of what is around it.
      if (maker.distroVersion === undefined || !isNumber(distroVersion)) return undefined
      if (inferFromRelease(release).distroVersion !== undefined) return undefined
      return isSamePlatform({ distro, distroVersion }, { distro, distroVersion: maker.distroVersion })
        ? undefined
        : `is that of ${maker.distro} ${maker.distroVersion}`
    }
    return buildsOwnKernels(distro) && !mayShareKernels(maker.distro, distro) ? `is that of ${maker.distro}` : undefined
  }
  const { platforms } = inferFromRelease(release)
  const mayBeOf = (platform: Platform): boolean => mayShareKernels(platform.distro, distro)
  if (platforms.length === 0 || !buildsOwnKernels(distro) || platforms.some(mayBeOf)) return undefined
  return `is called as those of ${[...new Set(platforms.map(platform => platform.distro))].join(', ')} are`
}

/** Testing and sid have a codename, and kernels that are marked for what they become. */
function isNumber (version: string): boolean { return /^\d/.test(version) }
