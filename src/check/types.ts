import type { Sha256 } from '../store/sha256.js'
import type { CheckOutcome, Comparison } from './wire.js'

/** An object that is checked. */
export interface CheckedObject {
  readonly sha256: Sha256
  /** In shared memory. */
  readonly bytes: Uint8Array
}

/** The same with what people call it. */
export interface NamedObject extends CheckedObject {
  readonly name: string
}

/** A kernel as an outcome depends on it. */
export interface KernelContent {
  readonly btf: Sha256
  /** In the order in which they are consulted. */
  readonly modules: readonly Sha256[]
  /** `uname -r`: the verdict takes the verifier's age and LINUX_KERNEL_VERSION from it. */
  readonly release: string
}

/** A kernel of a check: its content, or why there is none. */
export type CheckedKernel =
  | { readonly name: string, readonly content: KernelContent }
  | { readonly name: string, readonly outcome: CheckOutcome }

/**
 * Rows in the order in which they are known, as many at a time as are known together. Never so many that to go through them keeps
 * others waiting.
 */
export type Cells = AsyncIterable<readonly Cell[]>

/** Most rows at a time. */
export const CELLS_AT_ONCE = 256

/** One row. Equal outcomes are the same object, so that they can be told by identity. */
export interface Cell {
  readonly object: Pick<NamedObject, 'sha256' | 'name'>
  readonly kernel: string
  readonly outcome: CheckOutcome
  readonly baseline?: Comparison | undefined
}
