import { createClient } from '../../client/client.js'
import { AppError } from '../../errors.js'
import { formatReference, type KernelReference } from '../../identity/reference.js'
import type { Sha256 } from '../../store/sha256.js'
import type { KernelSink } from '../../import/import-kernels.js'
import { readNetwork } from '../../settings/network-settings.js'

export interface ImportUploadOptions {
  readonly server: string
  readonly tokenFile: string | undefined
  /** Told of each kernel that the service has from uploads alone. */
  readonly onUpload: (reference: KernelReference, btfSha256: Sha256) => void
}

/** The sink of an import that is a service. What is uploaded answers for a name only where the operator lets uploads do so. */
export function createImportUpload ({ server, tokenFile, onUpload }: ImportUploadOptions): KernelSink {
  const client = createClient({ server, tokenFile, timeoutMs: TIMEOUT_MS, network: readNetwork(process.env) })
  /** The vmlinux BTF of each kernel that was sent, which its modules extend. */
  const sent = new Map<string, Sha256>()
  return {
    async putKernel ({ reference, btf, sha256, kernelVersion }) {
      const { created, source } = await client.putKernelBtf(reference, btf, kernelVersion)
      sent.set(formatReference(reference), sha256)
      if (source === UPLOAD) onUpload(reference, sha256)
      return created ? 'new' : 'held'
    },
    async putModule (reference, { name, btf }) {
      const base = sent.get(formatReference(reference))
      const { created } = await client.putKernelBtf(reference, btf, undefined, undefined, name, base)
      return created ? 'new' : 'held'
    },
    async getKernel () {
      throw new AppError('kernel_unknown', 'With --server, the image of a kernel must be given together with its modules.')
    },
    async findKernels () { return [] },
    async flush () {}
  }
}

/** As the service calls content that nobody but a sender vouches for. */
const UPLOAD = 'upload'

/** A kernel's BTF has 5 MB, and lines are slow. */
const TIMEOUT_MS = 120_000
