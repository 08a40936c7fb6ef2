import { normalizeArch } from './arch.js'
import { formatReference, isSegment, type KernelQuery, type KernelReference } from './reference.js'
import { inferFromRelease, type ReleaseFacts } from './infer.js'
import { archiveFolders, canonicalPlatform, isSameDistro, isSamePlatform, type Platform } from './platform.js'

/** Where an archive of BTFHub's layout may have a kernel. */
export interface ArchivePlace {
  /** As the archive spells it. */
  readonly reference: KernelReference
  /** `ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz`, safe below any base address or folder. */
  readonly path: string
}

/** What every file of the archive is called behind its release. */
export const ARCHIVE_SUFFIX = '.btf.tar.xz'

/** Most places of one query. Each may cost a request to the archive. */
export const MAX_ARCHIVE_PLACES = 32

/** The architectures that the archive has: those to try where nothing tells. */
const ARCHIVE_ARCHS = ['x86_64', 'arm64']

/** How often SUSE's packages of one kernel were built anew at most, of those in the archive. */
const SUSE_BUILDS = [1, 2, 3]

/**
 * Where in an archive of BTFHub's layout the kernel that a query means may be, likeliest first: at most MAX_ARCHIVE_PLACES
 * paths, no two alike. Empty where the query leaves distribution or version open and the release does not narrow them
 * down to a few.
 *
 * All places of a whole reference are spellings of that one kernel. Those of a bare release may be different kernels: whoever
 * asks has to look at all of them and compare what it finds.
 */
export function archivePlaces (query: KernelQuery): readonly ArchivePlace[] {
  const facts = inferFromRelease(query.release)
  const folders = platformsOf(query, facts).flatMap(platform => [...archiveFolders(platform)])
  const archs = query.arch === undefined ? facts.arch === undefined ? ARCHIVE_ARCHS : [facts.arch] : [normalizeArch(query.arch)]
  const exact = folders.flatMap(folder => archs.map(arch => ({ ...folder, arch, release: query.release })))
  const rebuilt = exact.flatMap(reference => suseBuilds(reference))
  const places = new Map<string, ArchivePlace>()
  for (const reference of [...exact, ...rebuilt]) {
    const place = toPlace(reference)
    if (place !== undefined) places.set(place.path, place)
    if (places.size === MAX_ARCHIVE_PLACES) break
  }
  return [...places.values()]
}

/**
 * The kernels whose places these are, each once however many places it has: in the spelling by which platforms are compared,
 * with the release as it was asked for.
 */
export function kernelsAt (places: readonly ArchivePlace[], release: string): readonly KernelReference[] {
  const kernels = places.map(({ reference }) => ({ ...canonicalPlatform(reference), arch: normalizeArch(reference.arch), release }))
  return [...new Map(kernels.map(kernel => [formatReference(kernel), kernel])).values()]
}

/** The place of a reference that is spelled as the archive spells it; undefined where a part cannot be one of a path. */
function toPlace (reference: KernelReference): ArchivePlace | undefined {
  const { distro, distroVersion, arch, release } = reference
  if (![distro, distroVersion, arch, release].every(isSegment)) return undefined
  return { reference, path: `${formatReference(reference)}${ARCHIVE_SUFFIX}` }
}

/** What the caller names, and what the release says of the rest. The caller's word counts over that of the release. */
function platformsOf ({ distro, distroVersion }: KernelQuery, { platforms }: ReleaseFacts): readonly Platform[] {
  if (distro !== undefined && distroVersion !== undefined) return [{ distro, distroVersion }]
  if (distro !== undefined) {
    return platforms.filter(platform => isSameDistro(platform.distro, distro)).map(({ distroVersion }) => ({ distro, distroVersion }))
  }
  if (distroVersion !== undefined) return platforms.filter(platform => isSamePlatform(platform, { distro: platform.distro, distroVersion }))
  return platforms
}

/**
 * SUSE's `uname -r` leaves out the last number of the package's release, which counts its rebuilds; the archive has
 * both spellings (`4.4.103-6.33-default`, `4.4.103-6.33.1-default`). The way back is not taken: what looks like
 * a counter may be a kernel's own number, and leaving it out would name another kernel.
 *
 * @see https://github.com/aquasecurity/btfhub/issues/106
 */
function suseBuilds (reference: KernelReference): KernelReference[] {
  if (reference.distro !== 'sled' && reference.distro !== 'sles' && !reference.distro.startsWith('opensuse')) return []
  const [, version, flavour] = /^(\d[\d.]*-[a-z\d.]+)-([a-z]+)$/.exec(reference.release) ?? []
  if (version === undefined || flavour === undefined) return []
  return SUSE_BUILDS.map(build => ({ ...reference, release: `${version}.${build}-${flavour}` }))
}
