import type { Sha256 } from '../store/sha256.js'
import type { ReportWarning } from '../wire/report.js'
import type { CheckOutcome } from './wire.js'

/** An object that is checked. */
export interface CheckedObject {
  readonly sha256: Sha256
  /** In shared memory. */
  readonly bytes: Uint8Array
}

/** The same with what people call it. */
export interface NamedObject extends CheckedObject {
  readonly name: string
  /** Where there is nothing to relocate, so that it passes whatever it is, or where libbpf does not open it. */
  readonly warning?: ReportWarning | undefined
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
