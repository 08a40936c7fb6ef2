import { gravest, type Refusal } from '../fetch/refusal.js'
import { formatReference } from '../identity/reference.js'
import { agreementOfBuild, type WantedBuild } from '../kernels/matches.js'
import type { FoundKernel, SourceOutcome } from '../kernels/sources/source.js'

/**
 * What the packages of one release say together. All of them are recorded, each as the build that it is: where the build is not told, the
 * name then means several kernels rather than the one that happened to be read first.
 *
 * @param found what was read of them
 * @param refusals of those that could not be read, of which each may be the build that is meant
 * @returns undefined where all of them are other builds than the one that is meant
 */
export function chooseBuild (found: readonly FoundKernel[], refusals: readonly Refusal[], wanted: WantedBuild): SourceOutcome | undefined {
  const same = found.filter(kernel => agreementOfBuild(wanted, kernel) === 'same')
  const worst = gravest(refusals)
  if (same.length === 0 && worst !== undefined) return worst
  const [first] = same.length > 0 ? same : found.filter(kernel => agreementOfBuild(wanted, kernel) === 'possible')
  if (first === undefined) return undefined
  // The index tells builds of one source apart by `uname -v`.
  const isTwin = found.some(({ kernelVersion, btf }) =>
    found.some(other => other.kernelVersion === kernelVersion && other.btf.sha256 !== btf.sha256))
  if (isTwin) {
    const versions = found.flatMap(({ package: from }) => from?.version ?? []).join(', ')
    const name = formatReference(first.reference)
    return { state: 'absent', answer: `have ${found.length} builds of ${name} with different BTF (${versions})` }
  }
  return { ...first, otherBuilds: found.filter(kernel => kernel !== first) }
}

/** A build as messages tell it. */
export function formatBuild ({ kernelVersion, buildId }: WantedBuild): string {
  const known = [kernelVersion === undefined ? [] : `uname -v ${kernelVersion}`, buildId === undefined ? [] : `build-id ${buildId}`]
  return known.flat().join(', ')
}
