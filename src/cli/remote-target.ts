import type { RelocationRequest } from '../client/relocation.js'
import { AppError } from '../errors.js'
import { formatQuery, formatReference, parseQuery } from '../identity/reference.js'
import { findRunningKernel, nameOfRunning, nameRunningKernel } from '../identity/running-kernel.js'
import { sha256 } from '../store/sha256.js'
import type { Arguments } from './arguments.js'
import { readBtfFiles, readInput } from './files.js'
import { placesFrom } from './target.js'

/** A kernel as a service is asked for it. */
export interface RemoteTarget {
  readonly name: string
  readonly request: Pick<RelocationRequest, 'kernel' | 'btfSha256' | 'btf'>
  /** The BTF of this machine, to send where the service lacks it. */
  readonly ownBtf?: string
}

/**
 * What the options `kernel`, or `btf` and `kernel-release`, name; without either the running kernel.
 *
 * @throws AppError `kernel_unknown` where the running kernel cannot be told, `invalid_request` for a file that cannot be read
 */
export async function findRemoteTarget (options: Arguments): Promise<RemoteTarget> {
  const [vmlinux] = options.getAll('btf')
  if (vmlinux !== undefined) {
    const release = options.get('kernel-release')
    const kernel = release === undefined ? undefined : parseQuery({ kernelRelease: release })
    const btf = await rawOf(options.getAll('btf'))
    return kernel === undefined ? { name: vmlinux, request: { btf } } : { name: formatQuery(kernel), request: { kernel, btf } }
  }
  const reference = options.get('kernel')
  if (reference !== undefined) {
    const kernel = parseQuery({ kernelRelease: reference })
    return { name: formatQuery(kernel), request: { kernel } }
  }
  const places = placesFrom(process.env)
  const running = await findRunningKernel(places)
  if (running !== undefined) {
    const btfSha256 = sha256(readInput(running.btfPath, 'BTF file'))
    return { name: nameOfRunning(running), request: { btfSha256 }, ownBtf: running.btfPath }
  }
  const { reference: own, kernelVersion, problem } = await nameRunningKernel(places)
  if (own === undefined) throw new AppError('kernel_unknown', `${problem ?? ''} Or name the kernel with --kernel REF.`)
  return { name: formatReference(own), request: { kernel: { ...own, kernelVersion } } }
}

/**
 * Raw, since that is what the service attests, and a package is larger than what it takes. A module with a base of its own goes as it
 * is: the service puts it on the real one.
 */
async function rawOf (paths: readonly string[]): Promise<Uint8Array[]> {
  const files = await readBtfFiles(paths)
  return files.map(({ name, bytes, distilledBase }) => distilledBase === undefined ? bytes : readInput(name, 'BTF file'))
}

/**
 * Asks about a kernel by the hash of its BTF, and sends the BTF where it is this machine's and the service lacks it.
 *
 * @throws AppError what `ask` throws
 */
export async function askWithOwnBtf<T> (
  { request, ownBtf }: RemoteTarget,
  ask: (request: RemoteTarget['request']) => Promise<T>
): Promise<T> {
  return await ask(request).catch(async (error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'btf_unknown' || ownBtf === undefined) throw error
    return await ask({ ...request, btfSha256: undefined, btf: [readInput(ownBtf, 'BTF file')] })
  })
}
