import { AppError } from '../errors.js'
import { formatQuery, formatReference, type KernelQuery } from '../identity/reference.js'
import type { KernelIndex } from './kernel-index.js'
import type { KernelRecord } from './kernel-record.js'
import { matchesName } from './matches.js'
import { recordsOfBuild } from './resolve.js'
import { isSharedKernel } from './shared-kernels.js'

/**
 * The records with a build-id that may answer for a name. A build-id settles the kernel by itself; a name beside it has to be one of
 * that kernel's.
 *
 * @param query the name, where there is one
 * @returns none where no record is known to have the build-id: the name has to do then
 * @throws AppError `kernel_ambiguous` where the name is of another kernel, with both
 */
export function recordsOfBuildId (index: KernelIndex, buildId: string, query: KernelQuery | undefined, trustUploads: boolean): readonly KernelRecord[] {
  const built = recordsOfBuild(index, buildId, trustUploads)
  if (query === undefined || built.length === 0) return built
  const named = built.filter(record => record.reference.release === query.release && (matchesName(query, record.reference) || isSharedKernel(query, record)))
  if (named.length > 0) return named
  const names = built.map(({ reference }) => formatReference(reference)).join(', ')
  throw new AppError('kernel_ambiguous', `The build-id ${buildId} is that of ${names}, and not of ${formatQuery(query)}, which the request names; correct the one, or leave the other out.`, {
    kernel: formatQuery(query),
    build_id: buildId,
    candidates: built.map(({ reference, btfSha256, source }) => ({ reference: formatReference(reference), btf_sha256: btfSha256, source, build_id: buildId }))
  })
}
