import type { KernelIndex } from './kernel-index.js'
import type { Provenance } from './kernel-record.js'
import { formatReference } from '../identity/reference.js'
import type { FoundKernel } from './sources/source.js'
import type { BtfAccess } from './btf-access.js'
import type { Warn } from '../settings/service-options.js'

export interface KeepFoundOptions {
  readonly index: KernelIndex
  readonly btfs: BtfAccess
  readonly warn: Warn
}

/**
 * Puts a kernel that a source gave into the store and the index, beside what others supplied for its name. What the same source
 * gave before for the same build does not count any more.
 */
export function createKeepFound ({ index, btfs, warn }: KeepFoundOptions): (found: FoundKernel, source: string) => Promise<void> {
  return async ({ reference, btf, modules, url, etag, kernelVersion, buildId, package: from }, source) => {
    await Promise.all([btf, ...modules.map(module => module.btf)].map(content => btfs.keep(content, 'fetched')))
    const before = index.named(reference).find(record => record.source === source &&
      record.provenance.kernelVersion === kernelVersion && record.btfSha256 !== btf.sha256)
    const held = index.get(reference, btf.sha256)
    if (before !== undefined && held?.source !== source) {
      warn('A source has other BTF for a kernel than before; the new one counts.',
        { kernel: formatReference(reference), source, held: before.btfSha256, found: btf.sha256 })
    }
    const now = new Date().toISOString()
    const provenance: Provenance = {
      by: source,
      at: held?.source === source ? held.provenance.at : now,
      url,
      checkedAt: now,
      ...(etag === undefined ? {} : { etag }),
      ...(kernelVersion === undefined ? {} : { kernelVersion }),
      ...(from === undefined ? {} : { package: from })
    }
    await index.add({
      reference,
      btfSha256: btf.sha256,
      bytes: btf.parts.byteLength,
      types: btf.types,
      ...(buildId === undefined ? {} : { buildId }),
      source,
      provenance,
      firstSeen: now,
      lastUsed: now,
      modules: modules.map(module => ({
        name: module.name,
        btfSha256: module.btf.sha256,
        bytes: module.btf.parts.byteLength,
        source,
        provenance
      }))
    })
  }
}
