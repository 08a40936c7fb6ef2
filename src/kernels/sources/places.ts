import { kernelsAt, type ArchivePlace } from '../../identity/archive-places.js'
import { formatReference, type KernelQuery, type KernelReference } from '../../identity/reference.js'
import { gravest, type Refusal } from '../../fetch/refusal.js'
import type { Candidates, FoundKernel, SourceOutcome } from './source.js'

/** Where in BTFHub's layout a source may have what a query means, likeliest first. */
export type PlacesOf = (query: KernelQuery) => readonly ArchivePlace[]

/** The kernels that a query can mean in BTFHub's layout. */
export async function placeCandidates (query: KernelQuery, placesOf: PlacesOf): Promise<Candidates> {
  return { state: 'listed', references: kernelsAt(placesOf(query), query.release) }
}

/**
 * Looks for a kernel at all its places in BTFHub's layout, one after the other. A file that is named after the very release is
 * the kernel. Files of its rebuilds, which `uname -r` does not tell apart, are it only where they all have the same BTF.
 */
export async function searchPlaces (
  reference: KernelReference,
  placesOf: PlacesOf,
  look: (place: ArchivePlace) => Promise<SourceOutcome>
): Promise<SourceOutcome> {
  const refusals: Refusal[] = []
  const rebuilds: FoundKernel[] = []
  for (const place of placesOf(reference)) {
    const outcome = await look(place)
    if (outcome.state === 'unchanged') return outcome
    if (outcome.state !== 'found') refusals.push(outcome)
    else if (place.reference.release === reference.release) return outcome
    else rebuilds.push(outcome)
  }
  const worst = gravest(refusals)
  const [rebuild, ...others] = rebuilds
  if (worst !== undefined && worst.state !== 'absent') return worst
  if (rebuild !== undefined) {
    if (others.every(({ btf }) => btf.sha256 === rebuild.btf.sha256)) return rebuild
    const names = rebuilds.map(({ url }) => url).join(', ')
    return { state: 'absent', answer: `has builds of it with different BTF (${names}); name one of those` }
  }
  if (worst === undefined) {
    return { state: 'absent', answer: `not asked: no directory of the archive can be named for ${formatReference(reference)}` }
  }
  return refusals.length === 1 ? worst : { ...worst, answer: `${worst.answer}, and so it was at ${refusals.length - 1} further places` }
}
