import type { Evidence } from '../identity/evidence.js'
import { findBtf } from '../formats/find-btf.js'
import type { Want } from '../formats/find-options.js'
import type { Found } from '../formats/found.js'
import type { Member } from '../formats/containers/member.js'
import { MANIFEST_NAME } from './bundle/manifest.js'
import { readBundle, readManifestText } from './bundle/read-bundle.js'

/** What is known of a file, and what of it is wanted. */
export interface ExtractOptions {
  readonly evidence?: Evidence
  readonly want?: Want
}

/**
 * Finds the BTF of kernels in a file, and what is in a bundle of `corelo btf export`, which may be any file that the opener reads.
 * See findBtf.
 */
export function extractBtf (
  content: Uint8Array | AsyncIterable<Uint8Array>, place: string, options: ExtractOptions = {}, depth = 0
): AsyncGenerator<Found> {
  const openBundle = (
    first: Member, rest: AsyncGenerator<Member>, bundlePlace: string, innerDepth: number
  ): AsyncGenerator<Found> | undefined =>
    first.name === MANIFEST_NAME ? readBundleOf(first, rest, bundlePlace, innerDepth, options) : undefined
  return findBtf(content, place, { ...options, openBundle }, depth)
}

async function * readBundleOf (
  manifest: Member, members: AsyncGenerator<Member>, place: string, depth: number, { want }: ExtractOptions
): AsyncGenerator<Found> {
  const inner = (bytes: Uint8Array, innerPlace: string, evidence: Evidence): AsyncGenerator<Found> =>
    extractBtf(bytes, innerPlace, { evidence, ...(want === undefined ? {} : { want }) }, depth)
  yield * readBundle(await readManifestText(manifest), members, place, inner)
}
