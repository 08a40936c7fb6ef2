import { toReferenceJson } from '../identity/reference.js'
import { toPublishedJson } from '../kernels/published-json.js'
import type { KernelEntry, OfferedEntry } from '../kernels/types.js'

/** A kernel in the API's spelling. What is not known of one that is only offered is null. */
export function toKernelJson (entry: KernelEntry | OfferedEntry): Record<string, unknown> {
  const { reference, state, sources } = entry
  const names = toReferenceJson(reference)
  if (entry.state === 'offered') return { ...names, state, sources, ...UNKNOWN, published: toPublishedJson(entry.published) }
  const { provenance } = entry
  return {
    ...names,
    state,
    sources,
    btf_sha256: entry.btfSha256,
    bytes: entry.bytes,
    types: entry.types,
    build_id: entry.buildId ?? null,
    source: entry.source,
    provenance: {
      by: provenance.by,
      at: provenance.at,
      ...(provenance.kernelVersion === undefined ? {} : { kernel_version: provenance.kernelVersion }),
      ...(provenance.url === undefined ? {} : { url: provenance.url }),
      ...(provenance.etag === undefined ? {} : { etag: provenance.etag }),
      ...(provenance.package === undefined ? {} : { package: provenance.package }),
      ...(provenance.checkedAt === undefined ? {} : { checked_at: provenance.checkedAt })
    },
    first_seen: entry.firstSeen,
    last_used: entry.lastUsed,
    modules: entry.modules.map(({ name, btfSha256, bytes, source }) => ({ name, btf_sha256: btfSha256, bytes, source })),
    published: toPublishedJson(entry.published)
  }
}

const UNKNOWN = {
  btf_sha256: null,
  bytes: null,
  types: null,
  build_id: null,
  source: null,
  provenance: null,
  first_seen: null,
  last_used: null,
  modules: []
} as const
