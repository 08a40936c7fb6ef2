import type { TypeKey, TypeSearch } from '../c-types/search.js'
import type { WantedTypes } from '../c-types/type-definition.js'
import type { KernelReference } from '../identity/reference.js'
import type { KernelQuestion, Kernels } from '../kernels/kernels.js'
import type { Sha256 } from '../store/sha256.js'
import type { WorkerPool } from '../workers/pool.js'

/** Types of a kernel as text, with where they are from. */
export interface KernelTypes {
  /** UTF-8: C, or a JSON list of TypeDefinition or FoundType. */
  readonly bytes: Uint8Array
  /** Of the text. */
  readonly sha256: Sha256
  readonly btfSha256: Sha256
  /** Who the service has the BTF from. */
  readonly source: string
}

export interface KernelTypesOptions {
  readonly kernels: Pick<Kernels, 'load'>
  readonly pool: Pick<WorkerPool, 'run'>
}

/** @throws AppError what Kernels.getBtf throws, and `not_found` for a type that the kernel does not have */
export async function writeKernelTypes (
  { kernels, pool }: KernelTypesOptions,
  reference: KernelReference,
  wanted: WantedTypes,
  question: KernelQuestion = {}
): Promise<KernelTypes> {
  const { btf, source } = await kernels.load(reference, question)
  return { ...await pool.run({ kind: 'writeTypes', btf, wanted }), btfSha256: btf.sha256, source }
}

export interface KernelTypesPage extends KernelTypes {
  /** After which to go on; null where there are no more. */
  readonly next: TypeKey | null
}

/** @throws AppError what Kernels.getBtf throws */
export async function searchKernelTypes (
  { kernels, pool }: KernelTypesOptions,
  reference: KernelReference,
  search: TypeSearch,
  question: KernelQuestion = {}
): Promise<KernelTypesPage> {
  const { btf, source } = await kernels.load(reference, question)
  return { ...await pool.run({ kind: 'searchTypes', btf, search }), btfSha256: btf.sha256, source }
}
