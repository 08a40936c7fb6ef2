import { isSameDistro } from './platform.js'

/** What people call distributions, and the ID in the os-release of their nodes. */
const IDS: ReadonlyMap<string, string> = new Map([
  ['redhat', 'rhel'], ['oracle', 'ol'], ['oraclelinux', 'ol'], ['amazon', 'amzn'], ['amazonlinux', 'amzn'], ['suse', 'sles'],
  ['alma', 'almalinux'], ['rockylinux', 'rocky'], ['centosstream', 'centos'], ['cblmariner', 'mariner'], ['archlinux', 'arch']
])

/**
 * The ID that was meant by a name which no node's os-release has as its ID: these are of small letters, but for openEuler's.
 * Undefined where the name may be one.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/os-release.html#ID=
 */
export function meantDistro (distro: string): string | undefined {
  const small = distro.toLowerCase()
  const meant = IDS.get(small.replace(/[-_]/g, '')) ?? small
  return isSameDistro(meant, distro) ? undefined : meant
}
