import { normalizeArch } from '../identity/arch.js'
import { isSegment } from '../identity/reference.js'
import type { IndexedPackage, PackageFile, PublishedKernel } from './published.js'
import { compareRpmVersions } from './versions.js'

/**
 * The packages with a kernel's image, by name, and how its release is made of version, release and architecture of the package.
 *
 * - Fedora, Enterprise Linux: `kernel-core` 6.9.7-200.fc40 → 6.9.7-200.fc40.x86_64. Its variants put their name behind: `+rt`, `+64k`,
 *   `+debug`.
 * - Older EL and Amazon Linux: `kernel`; Amazon Linux 2023 has further series as `kernel6.12`.
 * - Oracle: `kernel-uek-core`, before UEK 7 `kernel-uek`.
 * - SUSE: `kernel-default` 5.14.21-150500.55.44.1 → 5.14.21-150500.55.44-default: the last number counts rebuilds, and uname leaves it out.
 */
const IMAGE = /^kernel(?:\d+\.\d+)?(?:-uek)?(?:-(?:rt|64k|16k|rt-64k|debug|rt-debug|64k-debug))?(?:-core)?$/
const MODULES = /^(kernel(?:\d+\.\d+)?(?:-uek)?(?:-(?:rt|64k|16k|rt-64k|debug|rt-debug|64k-debug))?)-modules(-core|-extra|-internal)?$/
const SUSE_IMAGE = /^kernel-(default|azure|preempt|rt|kvmsmall|64kb|longterm)(?:-(base|extra|optional))?$/

/** A metapackage (`kernel` since EL 8) has no kernel in it. */
const LEAST_BYTES = 1_000_000

export function isKernelRpm (name: string): boolean { return IMAGE.test(name) || MODULES.test(name) || SUSE_IMAGE.test(name) }

interface Parsed {
  readonly role: 'image' | 'modules'
  readonly rank: number
  readonly release: string
}

/** Which release a package belongs to, with what of it; undefined for all others. `version` is without epoch: `6.9.7-200.fc40`. */
export function parseRpmKernel (name: string, version: string, arch: string): Parsed | undefined {
  const [, suse, part] = SUSE_IMAGE.exec(name) ?? []
  if (suse !== undefined && isSuse(version, suse)) {
    const release = `${version.replace(/\.\d+$/, '')}-${suse}`
    return part === undefined ? { role: 'image', rank: 0, release } : { role: 'modules', rank: 1, release }
  }
  const modules = MODULES.exec(name)
  if (modules?.[1] !== undefined) {
    return { role: 'modules', rank: MODULE_RANKS[modules[2] ?? ''] ?? 3, release: releaseOf(modules[1], version, arch) }
  }
  if (!IMAGE.test(name)) return undefined
  const isCore = name.endsWith('-core')
  return { role: 'image', rank: isCore ? 0 : 1, release: releaseOf(name.replace(/-core$/, ''), version, arch) }
}

const MODULE_RANKS: Readonly<Record<string, number>> = { '-core': 0, '': 1, '-extra': 2, '-internal': 3 }

/** `kernel-rt` is also the name of Red Hat's real-time kernel, whose version has no SUSE tag in it. */
function isSuse (version: string, flavour: string): boolean {
  return flavour !== 'rt' || /-(?:lp)?15\d/.test(version) || !/\.(?:el|fc|amzn|oe)\d/.test(version)
}

/**
 * Red Hat's kernels of another flavour call themselves `<version>.<arch>+<flavour>`; its own real-time kernel up to EL 9.2 has a version of
 * its own (`4.18.0-553.rt7.342.el8_10`), with nothing behind the architecture.
 */
function releaseOf (name: string, version: string, arch: string): string {
  const flavour = name.replace(/^kernel(?:\d+\.\d+)?(?:-uek)?-?/, '')
  const plain = `${version}.${arch}`
  if (flavour === '' || (flavour === 'rt' && /\.rt\d/.test(version))) return plain
  if (name.startsWith('kernel-uek') && flavour === '64k') return `${version}.64k.${arch}`
  return `${plain}+${flavour}`
}

/**
 * The kernels that a repository has, builds of one release newest first. Where a release has `kernel-core`, a package `kernel` beside it is
 * its metapackage.
 */
export function findRpmKernels (
  packages: readonly IndexedPackage[], { distro, distroVersion }: { readonly distro: string, readonly distroVersion: string }
): PublishedKernel[] {
  const byRelease = new Map<string, Array<{ parsed: Parsed, file: IndexedPackage }>>()
  for (const file of packages) {
    const parsed = parseRpmKernel(file.name, file.version.replace(/^\d+:/, ''), file.arch)
    if (parsed === undefined || !isSegment(parsed.release)) continue
    const known = byRelease.get(parsed.release) ?? []
    known.push({ parsed, file })
    byRelease.set(parsed.release, known)
  }
  return [...byRelease].flatMap(([release, found]) => {
    const images = found.filter(({ parsed, file }) => parsed.role === 'image' && file.bytes >= LEAST_BYTES)
    const rank = Math.min(...images.map(({ parsed }) => parsed.rank))
    const best = new Map(images.filter(({ parsed }) => parsed.rank === rank).map(({ file }) => [file.sha256, file]))
    const modules = found.filter(({ parsed }) => parsed.role === 'modules')
      .sort((a, b) => a.parsed.rank - b.parsed.rank).map(({ file }) => toFile(file))
    return [...best.values()].sort((a, b) => compareRpmVersions(b.version, a.version)).map(image => ({
      reference: { distro, distroVersion, arch: normalizeArch(image.arch), release },
      image: toFile(image),
      // Split packages have a few modules in kernel-core itself in no release; where there are none of them, they are in the image's.
      modules: modules.length > 0 ? [...modules, toFile(image)] : [toFile(image)]
    }))
  })
}

function toFile ({ arch: _, ...file }: IndexedPackage): PackageFile { return file }
