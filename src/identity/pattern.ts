import { normalizeArch } from './arch.js'
import type { KernelReference } from './reference.js'

const PART = /^[A-Za-z0-9._+~*-]{1,128}$/

/** Whether a text is a pattern of kernels: a reference, a release or a lone `*`. */
export function isPattern (text: string): boolean {
  const parts = text.split('/')
  return (parts.length === 1 || parts.length === 4) && parts.every(part => PART.test(part))
}

/**
 * Tells whether a kernel fits a pattern: a reference in which `*` stands for any text within a part, the same of a release alone, or a lone
 * `*` for every kernel. The architecture may have any of its names. The pattern is taken apart once, for all kernels.
 */
export function compilePattern (pattern: string): (reference: KernelReference) => boolean {
  if (pattern === '*') return () => true
  if (!pattern.includes('/')) {
    const fits = compilePart(pattern)
    return ({ release }) => fits(release)
  }
  const [distro = '', distroVersion = '', arch = '', release = '', ...rest] = pattern.split('/')
  if (rest.length > 0) return () => false
  const [fitsDistro, fitsVersion] = [compilePart(distro), compilePart(distroVersion)]
  const [fitsArch, fitsRelease] = [compilePart(normalizeArch(arch)), compilePart(release)]
  return reference => fitsDistro(reference.distro) && fitsVersion(reference.distroVersion) &&
    fitsArch(reference.arch) && fitsRelease(reference.release)
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
