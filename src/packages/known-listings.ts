import { formatReference, type KernelReference } from '../identity/reference.js'
import type { Indexes } from './indexes.js'
import type { Publication } from './publication.js'
import type { PublishedKernel } from './published.js'
import type { Repository } from './repository.js'

/** What the indexes list that are known now. Nothing is fetched for it. */
export interface KnownListings {
  /** The first repository's kernel of that name. */
  publicationOf(reference: KernelReference): Publication | undefined
  /** The kernels of each index, by the repository's id. */
  all(): ReadonlyMap<string, readonly KernelReference[]>
  count(): number
}

export function createKnownListings (repositories: readonly Repository[], indexes: Indexes): KnownListings {
  /** By name, for as long as the indexes stay the same. */
  const names = new Map<Repository, { kernels: readonly PublishedKernel[] | undefined, byName: ReadonlyMap<string, PublishedKernel> }>()
  const kernelsOf = (repository: Repository): readonly PublishedKernel[] | undefined => indexes.peek(repository).index?.kernels
  return {
    publicationOf (reference) {
      const name = formatReference(reference)
      for (const repository of repositories) {
        const kernels = kernelsOf(repository)
        let known = names.get(repository)
        if (known === undefined || known.kernels !== kernels) {
          known = { kernels, byName: new Map((kernels ?? []).map(kernel => [formatReference(kernel.reference), kernel])) }
          names.set(repository, known)
        }
        const kernel = known.byName.get(name)
        if (kernel !== undefined) return { repository, kernel }
      }
      return undefined
    },
    all: () => new Map(repositories.flatMap(repository => {
      const kernels = kernelsOf(repository)
      return kernels === undefined ? [] : [[repository.id, kernels.map(({ reference }) => reference)]]
    })),
    count: () => repositories.reduce((sum, repository) => sum + (kernelsOf(repository)?.length ?? 0), 0)
  }
}
