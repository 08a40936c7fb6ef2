import type { KernelReference } from '../identity/reference.js'
import type { Sha256 } from '../store/sha256.js'
import type { BtfAccess } from './btf-access.js'
import type { KernelIndex } from './kernel-index.js'
import type { ModuleRecord } from './kernel-record.js'
import type { OpenedModule } from './sources/source.js'

/**
 * Puts modules that a source gave into the store, and into the row of the kernel that they extend.
 *
 * @returns whether there is such a row still
 */
export type KeepModules = (
  modules: AsyncIterable<OpenedModule> | Iterable<OpenedModule>, reference: KernelReference, base: Sha256, source: string
) => Promise<boolean>

export function createKeepModules (
  { index, btfs }: { readonly index: KernelIndex, readonly btfs: Pick<BtfAccess, 'keep'> }
): KeepModules {
  return async (modules, reference, base, source) => {
    const records: ModuleRecord[] = []
    for await (const { name, btf, url } of modules) {
      await btfs.keep(btf, 'fetched')
      const provenance = { by: source, at: new Date().toISOString(), url }
      records.push({ name, btfSha256: btf.sha256, bytes: btf.parts.byteLength, source, provenance })
    }
    const current = index.get(reference, base)
    if (current === undefined) return false
    await index.add({ ...current, modules: records })
    return true
  }
}
