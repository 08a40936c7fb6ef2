import { normalizeArch } from '../identity/arch.js'
import { inferFromRelease } from '../identity/infer.js'
import { makerOf } from '../identity/maker.js'
import { isSameDistro } from '../identity/platform.js'
import { isSegment, type KernelReference } from '../identity/reference.js'
import type { Evidence } from '../identity/evidence.js'

/** Which kernel a find is of, or why that cannot be told. */
export type Identified =
  | { readonly reference: KernelReference, readonly kernelVersion: string | undefined, readonly buildId: string | undefined }
  | { readonly reason: string }

type Part = 'release' | 'arch' | 'distro' | 'distroVersion'

/** What is to be given for a part that is not known. */
const OPTIONS: Readonly<Record<Part, string>> = {
  release: '--release',
  arch: '--arch',
  distro: '--distro',
  distroVersion: '--distro-version'
}
const NAMES: Readonly<Record<Part, string>> = {
  release: 'release',
  arch: 'architecture',
  distro: 'distribution',
  distroVersion: "distribution's version"
}

/**
 * Names the kernel that the evidence is of. Never a guess: what is neither said by the caller, nor by the file, nor proven by
 * the release is asked for.
 *
 * @param given what the caller says, which counts over all else
 */
export function identify (evidence: Evidence, given: Evidence): Identified {
  const release = given.release ?? evidence.release
  const facts = release === undefined ? undefined : inferFromRelease(release)
  const arch = given.arch === undefined ? evidence.arch ?? facts?.arch : normalizeArch(given.arch)
  if (given.arch === undefined && facts?.arch !== undefined && arch !== facts.arch) {
    return {
      reason: `The release ${release} is one for ${facts.arch}, but the file is for ${arch}; give the right one with --arch or --release.`
    }
  }
  const platform = platformOf(release, evidence, given)
  const parts = { release, arch, distro: platform.distro, distroVersion: platform.distroVersion }
  const missing = (['release', 'arch', 'distro', 'distroVersion'] as const).filter(part => parts[part] === undefined)
  const { distro, distroVersion } = platform
  if (release === undefined || arch === undefined || distro === undefined || distroVersion === undefined) {
    return { reason: askFor(missing, release) }
  }
  const strange = (['release', 'arch', 'distro', 'distroVersion'] as const).find(part => !isSegment(parts[part] ?? ''))
  if (strange !== undefined) {
    return {
      reason: `The ${NAMES[strange]} ${JSON.stringify(parts[strange])} cannot be part of a kernel's name; ` +
        `give another with ${OPTIONS[strange]}.`
    }
  }
  return { reference: { distro, distroVersion, arch, release }, kernelVersion: evidence.kernelVersion, buildId: evidence.buildId }
}

interface PartialPlatform {
  readonly distro: string | undefined
  readonly distroVersion: string | undefined
}

function platformOf (release: string | undefined, evidence: Evidence, given: Evidence): PartialPlatform {
  const facts = release === undefined ? undefined : inferFromRelease(release)
  const banner: PartialPlatform = makerOf(release ?? '', evidence.kernelVersion ?? '') ?? { distro: undefined, distroVersion: undefined }
  const distro = given.distro ?? evidence.distro ?? banner.distro ?? facts?.distro
  if (given.distroVersion !== undefined) return { distro, distroVersion: given.distroVersion }
  if (distro === undefined) return { distro, distroVersion: undefined }
  const said = [evidence, banner, { distro: facts?.distro, distroVersion: facts?.distroVersion }]
    .find(source => source.distroVersion !== undefined && source.distro !== undefined && isSameDistro(source.distro, distro))
  if (said !== undefined) return { distro, distroVersion: said.distroVersion }
  // The distribution is known, and it has but one version that calls its kernel so.
  const possible = (facts?.platforms ?? []).filter(platform => isSameDistro(platform.distro, distro))
  const [only] = possible
  return { distro, distroVersion: possible.length === 1 ? only?.distroVersion : undefined }
}

function askFor (missing: readonly Part[], release: string | undefined): string {
  const names = missing.map(part => NAMES[part])
  const kernel = release === undefined ? 'the kernel' : `kernel ${release}`
  return `Neither the file nor its surroundings tell the ${names.join(', nor the ')} of ${kernel}; ` +
    `give ${missing.map(part => `${OPTIONS[part]} …`).join(' ')}.`
}
