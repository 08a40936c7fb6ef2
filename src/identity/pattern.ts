import type { KernelReference } from './reference.js'

/**
 * Whether a kernel fits a pattern: a reference in which `*` stands for any text within a part, the same of a release alone, or a lone
 * `*` for every kernel.
 */
export function matchesPattern (pattern: string, reference: KernelReference): boolean {
  if (pattern === '*') return true
  if (!pattern.includes('/')) return isMatch(pattern, reference.release)
  const parts = pattern.split('/')
  const named = [reference.distro, reference.distroVersion, reference.arch, reference.release]
  return parts.length === named.length && parts.every((part, i) => isMatch(part, named[i] ?? ''))
}

function isMatch (pattern: string, text: string): boolean {
  return new RegExp(`^${pattern.split('*').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^/]*')}$`).test(text)
}
