import type { Client } from '../client/client.js'
import { AppError } from '../errors.js'
import { isWholeReference, parseQuery, parseReference, type KernelReference } from '../identity/reference.js'
import { nameRunningKernel } from '../identity/running-kernel.js'
import { placesFrom } from './target.js'

/**
 * The kernel of a service that a reference or a release means; without either the running kernel.
 *
 * @throws AppError `kernel_unknown`, `kernel_ambiguous` where a release stands for several BTFs there
 */
export async function findServedKernel (client: Client, text: string | undefined): Promise<KernelReference> {
  if (text === undefined) {
    const { reference, problem } = await nameRunningKernel(placesFrom(process.env))
    if (reference === undefined) throw new AppError('kernel_unknown', `${problem ?? ''} Or name the kernel with --kernel REF.`)
    return reference
  }
  const query = parseQuery({ kernelRelease: text })
  if (isWholeReference(query)) return query
  const { kernels, nextCursor } = await client.kernels(undefined, { release: query.release })
  const [first, ...others] = kernels
  if (first === undefined) {
    throw new AppError('kernel_unknown', `${client.server} knows no kernel ${query.release}.`, { kernel: query.release })
  }
  const isOne = nextCursor === null && others.every(({ btf_sha256: btf }) => btf !== null && btf === first.btf_sha256)
  if (isOne) return parseReference(first.reference)
  throw new AppError('kernel_ambiguous',
    `Release ${query.release} can mean ${kernels.map(({ reference }) => reference).join(', ')}; name the whole reference.`,
    { kernel: query.release })
}
