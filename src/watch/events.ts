import { createHash } from 'node:crypto'
import { toReferenceJson, type KernelReference } from '../identity/reference.js'
import type { KernelRecord } from '../kernels/kernel-record.js'
import { toPublishedJson } from '../kernels/kernel-json.js'
import type { Published } from '../kernels/types.js'

/** Something that the webhook is told of. */
export interface WatchEvent {
  /** A function of what happened, so that every replica that tells of it, and every repetition, has the same. */
  readonly id: string
  /** When it happened (RFC 3339). */
  readonly at: string
  /** JSON, as it is sent each time. */
  readonly body: string
}

/** What is told of a kernel that is listed. */
interface Listing {
  readonly sources: readonly string[]
  readonly published: Published | undefined
  readonly at: string
}

/** A source lists a kernel that none listed before. */
export function listedEvent (reference: KernelReference, { sources, published, at }: Listing): WatchEvent {
  return toEvent('kernel.listed', at, [], { ...toReferenceJson(reference), sources, published: toPublishedJson(published) })
}

/** The BTF of such a kernel is held. */
export function heldEvent (reference: KernelReference, record: KernelRecord, at: string): WatchEvent {
  const { btfSha256, bytes, types, buildId, source, provenance } = record
  return toEvent('kernel.held', at, [btfSha256], {
    ...toReferenceJson(reference),
    btf_sha256: btfSha256,
    bytes,
    types,
    build_id: buildId ?? null,
    kernel_version: provenance.kernelVersion ?? null,
    source
  })
}

function toEvent (
  type: string,
  at: string,
  facts: readonly string[],
  data: { readonly reference: string, readonly [member: string]: unknown }
): WatchEvent {
  const digest = createHash('sha256').update([type, data.reference, ...facts].join('\n')).digest('base64url')
  return { id: `msg_${digest.slice(0, ID_LENGTH)}`, at, body: JSON.stringify({ type, timestamp: at, data }) }
}

/** 192 bits. */
const ID_LENGTH = 32
