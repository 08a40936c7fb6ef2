import { normalizeArch } from '../../identity/arch.js'
import { ARCHIVE_SUFFIX } from '../../identity/archive-places.js'
import { isSegment } from '../../identity/reference.js'

/** A path in an archive, and the kernel that it holds. */
export interface OfferedPath {
  /** As it is written there. */
  readonly path: string
  /** The kernel's reference as text, with its architecture in BTFHub's spelling. */
  readonly name: string
}

/**
 * Reads paths in an archive of BTFHub's layout, of which most are in a folder that was seen before. What holds no kernel is
 * undefined: the archive's README, misplaced folders, those of its old layout, and everything that is no safe path.
 */
export function createPathReader (): (text: string) => OfferedPath | undefined {
  const folders = new Map<string, string | undefined>()
  return text => {
    const start = text.startsWith('./') ? 2 : 0
    const slash = text.lastIndexOf('/') + 1
    const release = text.slice(slash, -ARCHIVE_SUFFIX.length)
    if (!text.endsWith(ARCHIVE_SUFFIX) || !isSegment(release)) return undefined
    const prefix = text.slice(start, slash)
    if (!folders.has(prefix)) folders.set(prefix, canonicalFolder(prefix))
    const folder = folders.get(prefix)
    return folder === undefined ? undefined : { path: start === 0 ? text : text.slice(start), name: `${folder}${release}` }
  }
}

/** `<distro>/<distro_version>/<arch>/` */
function canonicalFolder (prefix: string): string | undefined {
  const [distro = '', distroVersion = '', arch = '', ...rest] = prefix.split('/')
  if (rest.length !== 1 || rest[0] !== '' || ![distro, distroVersion, arch].every(isSegment)) return undefined
  return `${distro}/${distroVersion}/${normalizeArch(arch)}/`
}
