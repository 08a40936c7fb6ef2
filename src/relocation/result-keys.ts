import type { Sha256 } from '../store/sha256.js'
import type { Target } from './targets.js'
import type { RelocateRequest } from './types.js'

/** What a result is held under: all that it follows from. Hashes are of one length, so that no two lists of them read alike. */
export function keyOf (objectSha256: Sha256, { btf, modules }: Target): string {
  return modules.length === 0 ? objectSha256 + btf : objectSha256 + btf + modules.join('')
}

/** What a verdict depends on beyond object and BTF: the kernel's release, and values that user space will set. */
export function judgedBy (request: RelocateRequest, target: Target): string {
  const assumed = [...request.assume ?? []].map(([name, value]) => `${name}=${value}`).sort()
  return ` ${releaseOf(request, target) ?? ''} ${assumed.join(' ')}`
}

/** Whether something is assumed that has to be looked for in the object first, whatever the verdict depends on. */
export function isAssuming ({ assume }: RelocateRequest): boolean { return assume !== undefined && assume.size > 0 }

/** Of the kernel that the request names. Content alone is that of any number of releases, whichever of them are known now. */
export function releaseOf (request: RelocateRequest, { kernel, records }: Target): string | undefined {
  return request.kernel === undefined && records.length === 0 ? undefined : kernel?.split('/').at(-1)
}
