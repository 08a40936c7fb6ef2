import { archivePlaces } from '../identity/archive-places.js'
import { formatReference, type KernelQuery } from '../reference.js'
import type { Candidates } from './source.js'

/** The kernels that a query can mean in BTFHub's layout, as its release proves them. */
export async function placeCandidates (query: KernelQuery): Promise<Candidates> {
  const references = new Map(archivePlaces(query).map(({ reference }) => [formatReference(reference), reference]))
  return { state: 'listed', references: [...references.values()] }
}
