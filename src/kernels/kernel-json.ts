import { toReferenceJson } from '../identity/reference.js'
import type { HeldKernelJson, KernelJson, OfferedKernelJson, ProvenanceJson, PublishedJson } from '../wire/kernel.js'
import type { KernelEntry, OfferedEntry, Published } from './types.js'

/** A kernel in the API's spelling. */
export function toKernelJson (entry: KernelEntry | OfferedEntry): KernelJson {
  return entry.state === 'held' ? toHeldJson(entry) : toOfferedJson(entry)
}

/** A kernel whose BTF is held. */
export function toHeldJson (entry: KernelEntry): HeldKernelJson {
  return {
    ...toReferenceJson(entry.reference),
    state: 'held',
    sources: entry.sources,
    btf_sha256: entry.btfSha256,
    bytes: entry.bytes,
    types: entry.types,
    build_id: entry.buildId ?? null,
    source: entry.source,
    provenance: toProvenanceJson(entry.provenance),
    first_seen: entry.firstSeen,
    last_used: entry.lastUsed,
    modules: entry.modules.map(({ name, btfSha256, bytes, source }) => ({ name, btf_sha256: btfSha256, bytes, source })),
    published: toPublishedJson(entry.published)
  }
}

/** The package of a kernel, as answers and events have it: null where none is known. */
export function toPublishedJson (published: Published | undefined): PublishedJson | null {
  if (published === undefined) return null
  const { repository, package: name, version, bytes, builtAt } = published
  return { repository, package: name, version, bytes, built_at: builtAt ?? null }
}

function toOfferedJson ({ reference, sources, published }: OfferedEntry): OfferedKernelJson {
  return {
    ...toReferenceJson(reference),
    state: 'offered',
    sources,
    btf_sha256: null,
    bytes: null,
    types: null,
    build_id: null,
    source: null,
    provenance: null,
    first_seen: null,
    last_used: null,
    modules: [],
    published: toPublishedJson(published)
  }
}

function toProvenanceJson ({ by, at, kernelVersion, url, etag, package: name, checkedAt }: KernelEntry['provenance']): ProvenanceJson {
  return {
    by,
    at,
    ...(kernelVersion === undefined ? {} : { kernel_version: kernelVersion }),
    ...(url === undefined ? {} : { url }),
    ...(etag === undefined ? {} : { etag }),
    ...(name === undefined ? {} : { package: name }),
    ...(checkedAt === undefined ? {} : { checked_at: checkedAt })
  }
}
