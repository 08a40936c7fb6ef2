import { verdictKey } from '../verdict/index.js'
import type { CheckedObject, KernelContent } from './types.js'

/** Tells which kernels have one outcome, before any is relocated. */
export interface OutcomeKeys {
  /**
   * One text for each kernel, in their order. Two kernels have the same text only where the object has the same outcome in both: state,
   * verdicts with reasons and assumptions, failing places with their sentences and suggestions. Called with some hundred kernels at a
   * time.
   */
  of(object: CheckedObject, kernels: readonly KernelContent[], signal: AbortSignal): readonly string[] | Promise<readonly string[]>
}

/** By content: kernels of one BTF, as far as the verdict reads the same of their releases. */
export function createContentKeys (): OutcomeKeys {
  return {
    of ({ bytes }, kernels) {
      // A name that the file has nowhere is not that of an extern in it.
      const readsVersion = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('LINUX_KERNEL_VERSION')
      return kernels.map(({ btf, modules, release }) => `${btf} ${modules.join()} ${verdictKey(release, { readsVersion })}`)
    }
  }
}
