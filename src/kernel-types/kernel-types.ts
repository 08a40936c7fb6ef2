import type { KernelReference } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'
import type { WorkerPool } from '../workers/pool.js'
import type { WantedTypes } from '../c-types/type-definition.js'
import type { KernelQuestion, Kernels } from '../kernels/kernels.js'

/** Types of a kernel as text, with where they are from. */
export interface KernelTypes {
  /** UTF-8: C, or a JSON list of type definitions. */
  readonly bytes: Uint8Array
  /** Of the text. */
  readonly sha256: Sha256
  readonly btfSha256: Sha256
  /** Who the service has the BTF from. */
  readonly source: string
}

/** @throws AppError what Kernels.getBtf throws, and `not_found` for a type that the kernel does not have */
export async function writeKernelTypes (
  { kernels, pool }: { readonly kernels: Kernels, readonly pool: WorkerPool },
  reference: KernelReference,
  wanted: WantedTypes,
  question: KernelQuestion = {}
): Promise<KernelTypes> {
  const { btf, source } = await kernels.load(reference, question)
  return { ...await pool.run({ kind: 'writeTypes', btf, wanted }), btfSha256: btf.sha256, source }
}
