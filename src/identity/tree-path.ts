import { normalizeArch } from './arch.js'
import { isSegment } from './reference.js'
import type { Evidence } from './evidence.js'

/** Architectures that a folder of BTFHub's layout is called after. */
const ARCHS: ReadonlySet<string> = new Set(['x86_64', 'arm64', 's390x', 'ppc64le', 'riscv64', 'loongarch64', 'arm', 'x86'])

/** Distributions that are known by name, so that a folder which is called so is believed wherever it is. */
const DISTROS: ReadonlySet<string> = new Set([
  'almalinux', 'amzn', 'android', 'arch', 'bclinux', 'centos', 'debian', 'fedora', 'kylin', 'ol', 'openEuler',
  'opensuse-leap', 'opensuse-tumbleweed', 'rhel', 'rocky', 'sled', 'sles', 'ubuntu'
])

/**
 * What a path in BTFHub's layout says: `<distro>/<distro_version>/<arch>/<kernel_release>.btf.tar.xz` (or `.btf`). Nothing is read
 * out of a path of another form: BTFHub's own history has folders in wrong places.
 *
 * @param path as it was given, folder included
 * @param depth number of its last parts that are within a folder that was given: what is not, counts only by a known name
 */
export function evidenceOfPath (path: string, depth: number): Evidence {
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  const [distro = '', distroVersion = '', archName = '', file = ''] = parts.slice(-4)
  const release = /^(.+)\.btf(?:\.tar\.xz)?$/.exec(file)?.[1]
  if (parts.length < 4 || release === undefined || !isSegment(release)) return {}
  const arch = normalizeArch(archName)
  if (!ARCHS.has(arch) || !isSegment(distroVersion) || !isSegment(distro)) return {}
  return depth >= 4 || DISTROS.has(distro) ? { distro, distroVersion, arch, release } : {}
}
