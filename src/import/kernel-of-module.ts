import type { Evidence } from '../identity/evidence.js'
import { isSameDistro } from '../identity/platform.js'
import { formatReference, type KernelReference } from '../identity/reference.js'

/** A kernel that modules may be of. */
export interface NamedKernel {
  readonly reference: KernelReference
  /** `uname -v`, where it is known. */
  readonly kernelVersion: string | undefined
}

/**
 * The kernel that modules of another package are of, where their own package does not say all of its name: the one of their
 * release that was built from the very same source package, which both its `uname -v` and the version of the modules' package tell.
 *
 * Never the only one that happens to be held: Ubuntu builds 5.15.0-91-generic twice, for 22.04 and for 20.04.
 *
 * @param kernels that are held or were imported, of any release
 * @returns undefined where no kernel is proven, or several are
 */
export function kernelOfModule (evidence: Evidence, kernels: readonly NamedKernel[]): KernelReference | undefined {
  const { packageVersion } = evidence
  if (packageVersion === undefined) return undefined
  const proven = kernels.filter(({ reference, kernelVersion }) => reference.release === evidence.release &&
    (evidence.arch === undefined || reference.arch === evidence.arch) &&
    (evidence.distro === undefined || isSameDistro(evidence.distro, reference.distro)) &&
    (evidence.distroVersion === undefined || evidence.distroVersion === reference.distroVersion) &&
    kernelVersion !== undefined && isOfPackage(kernelVersion, packageVersion))
  const [first, ...others] = new Map(proven.map(({ reference }) => [formatReference(reference), reference])).values()
  return others.length === 0 ? first : undefined
}

/**
 * Whether `uname -v` says that the kernel was built as that version of its Debian or Ubuntu package:
 *
 *     #1 SMP PREEMPT_DYNAMIC Debian 6.12.43-1 (2026-08-27)     6.12.43-1
 *     #101~20.04.1-Ubuntu SMP Thu Nov 16 14:22:28 UTC 2023     5.15.0-91.101~20.04.1
 */
function isOfPackage (kernelVersion: string, packageVersion: string): boolean {
  const version = packageVersion.replace(/^\d+:/, '')
  if (kernelVersion.includes(` Debian ${version} (`)) return true
  const [, upload] = /^[\d.]+-\d+\.(.+)$/.exec(version) ?? []
  return upload !== undefined && kernelVersion.startsWith(`#${upload}-Ubuntu `)
}
