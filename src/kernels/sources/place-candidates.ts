import { kernelsAt, type ArchivePlace } from '../identity/archive-places.js'
import type { KernelQuery } from '../reference.js'
import type { Candidates } from './source.js'

/** Where in BTFHub's layout a source may have what a query means, likeliest first. */
export type PlacesOf = (query: KernelQuery) => readonly ArchivePlace[]

/** The kernels that a query can mean in BTFHub's layout. */
export async function placeCandidates (query: KernelQuery, placesOf: PlacesOf): Promise<Candidates> {
  return { state: 'listed', references: kernelsAt(placesOf(query), query.release) }
}
