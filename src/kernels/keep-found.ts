import type { KernelIndex } from './kernel-index.js'
import type { Provenance } from './kernel-record.js'
import { formatReference } from '../identity/reference.js'
import { answersForName } from './resolve.js'
import type { FoundKernel } from './sources/source.js'
import type { BtfAccess } from './btf-access.js'
import type { Warn } from '../settings.js'

export interface KeepFoundOptions {
  readonly index: KernelIndex
  readonly btfs: BtfAccess
  readonly trustUploads: boolean
  readonly warn: Warn
}

/**
 * Puts a kernel that a source gave into the store and the index. What others supplied for its name, and may answer for it,
 * stays; what the same source gave before is replaced.
 */
export function createKeepFound ({ index, btfs, trustUploads, warn }: KeepFoundOptions): (found: FoundKernel, source: string) => Promise<void> {
  return async ({ reference, btf, modules, url, etag, kernelVersion, buildId, package: from }, source) => {
    await Promise.all([btf, ...modules.map(module => module.btf)].map(content => btfs.keep(content)))
    const held = index.get(reference)
    if (held !== undefined && held.source !== source && answersForName(held, trustUploads)) return
    const isSame = held?.btfSha256 === btf.sha256
    if (held?.source === source && !isSame) {
      warn('A source has other BTF for a kernel than before; the new one counts.', { kernel: formatReference(reference), source, held: held.btfSha256, found: btf.sha256 })
    }
    const now = new Date().toISOString()
    const at = isSame && held.source === source ? held.provenance.at : now
    const provenance: Provenance = { by: source, at, url, checkedAt: now, ...(etag === undefined ? {} : { etag }), ...(kernelVersion === undefined ? {} : { kernelVersion }), ...(from === undefined ? {} : { package: from }) }
    await index.put({
      reference,
      btfSha256: btf.sha256,
      bytes: btf.parts.byteLength,
      types: btf.types,
      ...(buildId === undefined ? {} : { buildId }),
      source,
      provenance,
      firstSeen: isSame ? held.firstSeen : now,
      lastUsed: isSame ? held.lastUsed : now,
      modules: modules.length === 0 && isSame // a source that gives modules one by one gives none with the kernel
        ? held.modules
        : modules.map(module => ({ name: module.name, btfSha256: module.btf.sha256, bytes: module.btf.parts.byteLength, source, provenance })),
      ...(held?.releaseAskedAt === undefined ? {} : { releaseAskedAt: held.releaseAskedAt })
    })
  }
}
