import { createPathReader } from '../kernels/catalog/offered-path.js'
import { createKeptFile, type KeptFileOptions } from './kept-file.js'

export type ListedOptions = Pick<KeptFileOptions, 'path' | 'elsewhere' | 'warn'>

/** Which kernels were ever listed, and by which places. Outlives the process. */
export interface Listed {
  /** Reads what was known when the service last ran, or what replicas know: before anything else, and once. */
  load(signal?: AbortSignal): Promise<void>
  /**
   * The references that are new: listed by a place that was read before, and by none ever. All that is listed counts as known from then on.
   * What a place lists when it is read for the first time is not new: nobody knows since when it has been there.
   *
   * @param places paths by the places that list them
   */
  sift(places: ReadonlyMap<string, readonly string[]>): readonly string[]
  /** Resolves when what was sifted is on disk, or could not be put there. */
  save(): Promise<void>
}

/** More than all that all archives list. Beyond it, what is not listed any more is forgotten. */
const MOST_KERNELS = 200_000

export function createListed ({ path, elsewhere, warn }: ListedOptions): Listed {
  const places = new Set<string>()
  let names = new Set<string>()
  /** What each place listed last time, to pass over what is the very same: an archive has fifty thousand. */
  const sifted = new Map<string, readonly string[]>()
  let isSaved = true
  const file = createKeptFile({ path, elsewhere, warn, text: () => [JSON.stringify([...places]), ...names].join('\n') })

  return {
    async load (signal) {
      const text = await file.read() ?? await file.readElsewhere(signal)
      const [first = '[]', ...rest] = text?.split('\n') ?? []
      for (const place of JSON.parse(first) as string[]) places.add(place) // its checksum proves that save wrote it
      for (const name of rest) names.add(name)
    },
    sift (listings) {
      const read = createPathReader()
      const fresh = new Set<string>()
      const unseen = new Set<string>()
      for (const [place, paths] of listings) {
        if (sifted.get(place) === paths) continue
        sifted.set(place, paths)
        const isFirst = !places.has(place)
        for (const path of paths) {
          const name = read(path)?.name
          if (name === undefined || names.has(name)) continue
          unseen.add(name)
          if (!isFirst) fresh.add(name)
        }
      }
      isSaved &&= unseen.size === 0 && [...listings.keys()].every(place => places.has(place))
      for (const place of listings.keys()) places.add(place)
      for (const name of unseen) names.add(name)
      if (names.size > MOST_KERNELS) names = new Set([...listings.values()].flatMap(paths => paths.flatMap(path => read(path)?.name ?? [])))
      return [...fresh]
    },
    async save () { if (!isSaved) isSaved = await file.save() }
  }
}
