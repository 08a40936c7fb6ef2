import { archivePlaces, kernelsAt } from '../identity/archive-places.js'
import type { KernelQuery } from '../reference.js'
import type { Candidates } from './source.js'

/** The kernels that a query can mean in BTFHub's layout, as its release proves them. */
export async function placeCandidates (query: KernelQuery): Promise<Candidates> {
  return { state: 'listed', references: kernelsAt(archivePlaces(query), query.release) }
}
