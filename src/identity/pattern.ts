import { normalizeArch } from './arch.js'
import { isSameDistro, isSamePlatform, type Platform } from './platform.js'
import type { KernelReference } from './reference.js'

const PART = /^[A-Za-z0-9._+~*-]{1,128}$/

/** Whether a text is a pattern of kernels: a reference, a release or a lone `*`. */
export function isPattern (text: string): boolean {
  const parts = text.split('/')
  return (parts.length === 1 || parts.length === 4) && parts.every(part => PART.test(part))
}

/**
 * Tells whether a kernel fits a pattern: a reference in which `*` stands for any text within a part, the same of a release alone, or a lone
 * `*` for every kernel. A distribution, a version and an architecture without a star may have any of their names, as in a whole reference:
 * `debian/bookworm/amd64/*` is `debian/12/x86_64/*`. The pattern is taken apart once, for all kernels.
 */
export function compilePattern (pattern: string): (reference: KernelReference) => boolean {
  if (pattern === '*') return () => true
  if (!pattern.includes('/')) {
    const fits = compilePart(pattern)
    return ({ release }) => fits(release)
  }
  const [distro = '', distroVersion = '', arch = '', release = '', ...rest] = pattern.split('/')
  if (rest.length > 0) return () => false
  const fitsPlatform = compilePlatform(distro, distroVersion)
  const [fitsArch, fitsRelease] = [compilePart(normalizeArch(arch)), compilePart(release)]
  return reference => fitsArch(reference.arch) && fitsRelease(reference.release) && fitsPlatform(reference)
}

function compilePlatform (distro: string, distroVersion: string): (platform: Platform) => boolean {
  const fitsDistro = distro.includes('*') ? compilePart(distro) : (name: string) => isSameDistro(distro, name)
  const fitsVersion = distroVersion.includes('*') ? compilePart(distroVersion) : undefined
  const fits = (platform: Platform): boolean => fitsDistro(platform.distro) &&
    (fitsVersion?.(platform.distroVersion) ?? isSamePlatform({ distro: platform.distro, distroVersion }, platform))
  // Kernels come in the order of their references: what holds for one mostly holds for the next.
  let before: { readonly platform: Platform, readonly isFit: boolean } | undefined
  return ({ distro, distroVersion }) => {
    if (before?.platform.distro !== distro || before.platform.distroVersion !== distroVersion) {
      const platform = { distro, distroVersion }
      before = { platform, isFit: fits(platform) }
    }
    return before.isFit
  }
}

/** Each piece between stars at the first place where it is found: no later one could fit where that does not. */
function compilePart (pattern: string): (text: string) => boolean {
  const [first = '', ...pieces] = pattern.split('*')
  const last = pieces.pop()
  if (last === undefined) return text => text === first
  return text => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false
    let at = first.length
    for (const piece of pieces) {
      const found = text.indexOf(piece, at)
      if (found < 0) return false
      at = found + piece.length
    }
    return at <= text.length - last.length
  }
}
