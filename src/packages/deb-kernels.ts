import { normalizeArch } from '../identity/arch.js'
import { isSegment } from '../identity/reference.js'
import type { IndexedPackage, PackageFile, PublishedKernel } from './published.js'
import { compareDebVersions } from './versions.js'

/** The distribution whose naming rules apply. Debian's apply also to its derivatives that rebuild its kernel packages. */
export type DebNaming = 'debian' | 'ubuntu'

/** Packages of `linux-*` that are worth keeping of an index: all that a kernel's files can be in. */
const KEPT = /^(?:linux-(?:image|binary|modules)|(?:proxmox|pve)-kernel)-/

/** A release begins with its version. Metapackages (`linux-image-amd64`, `linux-image-generic-hwe-22.04`) do not. */
const RELEASE = /^\d+\.\d+[.\d]*(?:-|\+|~|$)/

/** What Armbian's packages are made of, which alone says their kernel's version. */
const ARMBIAN_SOURCE = /^linux-(\d+\.\d+\.\d+(?:-rc\d+)?)$/

/** Packages beside the kernel: symbols, templates for signing, and Ubuntu's images for Core and for FIPS boot chains. */
const OTHER = /-(?:dbg|dbgsym|signed-template|cloud-tools|headers)$/

/** A metapackage has no kernel in it; 100 kB are fewer than any kernel has. */
const LEAST_BYTES = 100_000

export function isKernelDeb (name: string): boolean { return KEPT.test(name) && !OTHER.test(name) }

type Role = 'image' | 'modules'

/**
 * Which release a package belongs to, with what of it; undefined for all others.
 *
 * Debian: `linux-image-<release>`, and `linux-binary-<release>` since 6.19, each with and without `-unsigned` behind it. Ubuntu:
 * `linux-image-unsigned-<release>` and `linux-image-<release>`; `linux-image-fb-` and `linux-image-uc-` are other builds of that release.
 * Proxmox: `proxmox-kernel-<release>`, before 6.5 `pve-kernel-<release>`, each with and without `-signed`. Armbian: `linux-image-<flavour>`
 * of the source `linux-<version>` is `<version>-<flavour>`.
 *
 * @param source of the package, as its index names it
 */
export function parseDebKernel (
  name: string, naming: DebNaming, source?: string
): { readonly role: Role, readonly release: string, readonly rank: number } | undefined {
  if (!isKernelDeb(name)) return undefined
  const proxmox = /^(?:proxmox|pve)-kernel-(.*?)(-signed)?$/.exec(name)
  if (proxmox?.[1] !== undefined) {
    return RELEASE.test(proxmox[1]) ? { role: 'image', release: proxmox[1], rank: proxmox[2] === undefined ? 1 : 0 } : undefined
  }
  const [, kind = '', rest = ''] = /^linux-(image|binary|modules)-(.*)$/.exec(name) ?? []
  if (naming === 'ubuntu') {
    if (kind === 'image') {
      const release = rest.replace(/^unsigned-/, '')
      return RELEASE.test(release) ? { role: 'image', release, rank: rest === release ? 1 : 0 } : undefined
    }
    const release = rest.replace(/^extra-/, '')
    return kind === 'modules' && RELEASE.test(release) ? { role: 'modules', release, rank: rest === release ? 0 : 1 } : undefined
  }
  const [, version] = kind === 'image' ? ARMBIAN_SOURCE.exec(source ?? '') ?? [] : []
  if (version !== undefined && /^[a-z]/.test(rest)) return { role: 'image', release: `${version}-${rest}`, rank: 0 }
  const release = rest.replace(/-unsigned$/, '')
  if (!RELEASE.test(release)) return undefined
  const isUnsigned = rest !== release
  if (kind === 'modules') return { role: 'modules', release, rank: 0 }
  return { role: 'image', release, rank: (kind === 'binary' ? 0 : 2) + (isUnsigned ? 1 : 0) }
}

/**
 * The kernels that an index of packages has. A release that is there in several versions is there several times, newest first: they are
 * different builds, and which of them a node runs is not for us to say.
 */
export function findDebKernels (
  packages: readonly IndexedPackage[],
  { distro, distroVersion }: { readonly distro: string, readonly distroVersion: string },
  naming: DebNaming
): PublishedKernel[] {
  const byRelease = new Map<string, Array<{ role: Role, rank: number, file: IndexedPackage }>>()
  for (const file of packages) {
    const parsed = parseDebKernel(file.name, naming, file.source)
    if (parsed === undefined || !isSegment(parsed.release) || file.bytes < LEAST_BYTES) continue
    const key = `${file.arch} ${parsed.release}`
    const known = byRelease.get(key) ?? []
    known.push({ role: parsed.role, rank: parsed.rank, file })
    byRelease.set(key, known)
  }
  return [...byRelease].flatMap(([key, found]) => {
    const release = key.slice(key.indexOf(' ') + 1)
    const images = found.filter(({ role }) => role === 'image')
    const rank = Math.min(...images.map(image => image.rank))
    const best = new Map(images.filter(image => image.rank === rank).map(({ file }) => [file.sha256, file]))
    return [...best.values()].sort((a, b) => compareDebVersions(b.version, a.version)).map(image => ({
      reference: { distro, distroVersion, arch: normalizeArch(image.arch), release },
      image: toFile(image),
      modules: modulesFor(image, found.filter(({ role }) => role === 'modules'))
    }))
  })
}

/** Modules of the very version, in their own packages and else in the image's. */
function modulesFor (image: IndexedPackage, found: ReadonlyArray<{ readonly rank: number, readonly file: IndexedPackage }>): PackageFile[] {
  const own = found.filter(({ file }) => file.version === image.version).sort((a, b) => a.rank - b.rank).map(({ file }) => toFile(file))
  return own.length > 0 ? own : [toFile(image)]
}

function toFile ({ arch: _, source: __, ...file }: IndexedPackage): PackageFile { return file }
