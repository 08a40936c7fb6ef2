import { formatReference } from '../kernels/reference.js'
import type { KernelEntry } from '../service/types.js'

/** A kernel in the API's spelling. */
export function toKernelJson (entry: KernelEntry): Record<string, unknown> {
  const { reference, provenance } = entry
  return {
    reference: formatReference(reference),
    distro: reference.distro,
    distro_version: reference.distroVersion,
    arch: reference.arch,
    release: reference.release,
    btf_sha256: entry.btfSha256,
    bytes: entry.bytes,
    types: entry.types,
    source: entry.source,
    provenance: {
      by: provenance.by,
      at: provenance.at,
      ...(provenance.kernelVersion === undefined ? {} : { kernel_version: provenance.kernelVersion }),
      ...(provenance.url === undefined ? {} : { url: provenance.url }),
      ...(provenance.etag === undefined ? {} : { etag: provenance.etag }),
      ...(provenance.checkedAt === undefined ? {} : { checked_at: provenance.checkedAt })
    },
    first_seen: entry.firstSeen,
    last_used: entry.lastUsed,
    modules: entry.modules.map(({ name, btfSha256, bytes, source }) => ({ name, btf_sha256: btfSha256, bytes, source }))
  }
}
