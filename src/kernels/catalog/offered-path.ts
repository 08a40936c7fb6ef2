import { normalizeArch } from '../arch.js'
import { ARCHIVE_SUFFIX, toPlace, type ArchivePlace } from '../identity/archive-places.js'

/** Longer than any path of four parts can be. */
const MAX_PATH = 4 * 129 + ARCHIVE_SUFFIX.length

/**
 * The kernel that a path in an archive of BTFHub's layout holds; undefined for everything else that is in an archive, such as
 * its README, misplaced folders, and those of its old layout.
 *
 * @returns the path as it is written there, and the reference with its architecture in BTFHub's spelling
 */
export function toOfferedPlace (text: string): ArchivePlace | undefined {
  if (text.length > MAX_PATH + 2 || !text.endsWith(ARCHIVE_SUFFIX)) return undefined
  const parts = text.slice(text.startsWith('./') ? 2 : 0, -ARCHIVE_SUFFIX.length).split('/')
  const [distro, distroVersion, arch, release] = parts
  if (parts.length !== 4 || distro === undefined || distroVersion === undefined || arch === undefined || release === undefined) return undefined
  const place = toPlace({ distro, distroVersion, arch, release })
  return place === undefined ? undefined : { reference: { ...place.reference, arch: normalizeArch(arch) }, path: place.path }
}
