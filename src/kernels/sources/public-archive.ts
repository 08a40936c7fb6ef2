import type { ArchivePlace } from '../../identity/archive-places.js'

/** BTFHub's own archive: the files themselves, at the address to which GitHub's `raw` links redirect. */
export const PUBLIC_ARCHIVE = 'https://raw.githubusercontent.com/aquasecurity/btfhub-archive/main'

/**
 * The distributions that BTFHub builds BTF for. It is not asked for others, of which every node of a fleet might.
 *
 * @see https://github.com/aquasecurity/btfhub (cmd/btfhub)
 */
const DISTROS: ReadonlySet<string> = new Set(['amzn', 'centos', 'debian', 'fedora', 'ol', 'rhel', 'sles', 'ubuntu'])

/** Those of the places that the public archive can have. */
export function inPublicArchive (places: readonly ArchivePlace[]): readonly ArchivePlace[] {
  return places.filter(({ reference }) => DISTROS.has(reference.distro))
}
