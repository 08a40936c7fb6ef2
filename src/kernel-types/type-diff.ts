import type { TypeName } from '../c-types/named-types.js'
import { formatQuery, type KernelQuery } from '../identity/reference.js'
import type { BtfAccess } from '../kernels/btf-access.js'
import type { Targets } from '../relocation/targets.js'
import type { Deadline } from '../relocation/types.js'
import { abortable } from '../store/abortable.js'
import type { Sha256 } from '../store/sha256.js'
import type { WorkerPool } from '../workers/pool.js'
import type { KernelOfTypes } from '../wire/types.js'

export interface DiffRequest {
  readonly from: KernelQuery
  readonly to: KernelQuery
  readonly wanted: TypeName
}

export interface TypesDiff {
  readonly isSame: boolean
  readonly from: KernelOfTypes
  readonly to: KernelOfTypes
  /** UTF-8: a JSON list of TypeDifference. */
  readonly bytes: Uint8Array
  /** Of that text. */
  readonly sha256: Sha256
}

export interface DiffOptions {
  readonly targets: Targets
  readonly btfs: Pick<BtfAccess, 'load'>
  readonly pool: Pick<WorkerPool, 'run'>
}

/**
 * How the types of one name differ between two kernels. These are found as relocation finds them: fetched where they are not held.
 *
 * @throws AppError what Targets.find throws, and `not_found` where neither kernel has such a type
 */
export async function diffKernelTypes (
  { targets, btfs, pool }: DiffOptions,
  request: DiffRequest,
  deadline?: Deadline
): Promise<TypesDiff> {
  const load = async (kernel: KernelQuery) => {
    const { btf, source } = await targets.find({ kernel }, deadline)
    return { btf: await btfs.load(btf), kernel: { kernel: formatQuery(kernel), btf_sha256: btf, source } }
  }
  const work = async (): Promise<TypesDiff> => {
    const [from, to] = await Promise.all([load(request.from), load(request.to)])
    const written = await pool.run({ kind: 'diffTypes', from: from.btf, to: to.btf, wanted: request.wanted })
    return { from: from.kernel, to: to.kernel, ...written }
  }
  return await abortable(work(), deadline?.signal)
}
