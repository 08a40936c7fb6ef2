import { createClient } from '../../client/client.js'
import { AppError } from '../../errors.js'
import type { KernelSink } from '../../import/import-kernels.js'

export interface ImportUploadOptions {
  readonly server: string
  readonly tokenFile: string | undefined
}

/** The sink of an import that is a service. What is uploaded answers for a name only where the operator lets uploads do so. */
export function createImportUpload ({ server, tokenFile }: ImportUploadOptions): KernelSink {
  const client = createClient({ server, tokenFile, timeoutMs: TIMEOUT_MS })
  return {
    async putKernel ({ reference, btf, kernelVersion }) {
      return (await client.putKernelBtf(reference, btf, kernelVersion)).created ? 'new' : 'held'
    },
    async putModule (reference, { name, btf }) {
      return (await client.putKernelBtf(reference, btf, undefined, undefined, name)).created ? 'new' : 'held'
    },
    async getKernel () {
      throw new AppError('kernel_unknown', 'With --server, the image of a kernel must be given together with its modules.')
    },
    async findKernels () { return [] },
    async flush () {}
  }
}

/** A kernel's BTF has 5 MB, and lines are slow. */
const TIMEOUT_MS = 120_000
