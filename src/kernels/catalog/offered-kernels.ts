import { ARCHIVE_SUFFIX, archivePlaces, type ArchivePlace } from '../../identity/archive-places.js'
import { matchesName, type KernelNarrowing } from '../matches.js'
import { nearestKernels, tokensOf } from '../nearest.js'
import type { KernelQuery, KernelReference } from '../../identity/reference.js'
import { createPathReader } from './offered-path.js'

/** What one source lists. */
export interface SourceListing {
  /** As records and answers call the source: `btfhub`, `directory`. */
  readonly source: string
  readonly paths: readonly string[]
}

/** A kernel that a source is known to have. */
export interface OfferedKernel extends ArchivePlace {
  readonly sources: readonly string[]
}

/** All kernels that sources list, at one moment. Made for fifty thousand: a search never looks at all of them. */
export interface OfferedKernels {
  readonly size: number
  byRelease(release: string): readonly OfferedKernel[]
  /** Kernels at the places that a query may mean, other spellings of their releases included. */
  matching(query: KernelQuery): readonly OfferedKernel[]
  /** In the order of their references, from behind that of the cursor on. */
  list(narrowing: KernelNarrowing, after?: string): Iterable<OfferedKernel>
  /** References of those most like the one asked for, of its kernel series. */
  nearest(query: KernelQuery, count: number): readonly string[]
}

/** A folder `<distro>/<distro_version>/<arch>`: a stretch of the sorted names. */
interface Folder {
  readonly reference: KernelReference
  readonly start: number
  end: number
}

/** Most sources that are told apart: a bit each. */
export const MAX_LISTINGS = 8

/** How many kernels on each side of where the one asked for would be are compared with it. */
const NEIGHBOURS = 64

export function createOfferedKernels (listings: readonly SourceListing[]): OfferedKernels {
  const { names, paths, masks } = collect(listings)
  const folders = foldersOf(names)
  const releases = new Map<string, number | number[]>()
  const series = new Map<string, number[]>()
  const ordered = new Map<string, readonly number[]>()

  const releaseOf = (at: number): string => {
    const name = names[at] ?? ''
    return name.slice(name.lastIndexOf('/') + 1)
  }
  for (let at = 0; at < names.length; at++) {
    const release = releaseOf(at)
    const known = releases.get(release)
    if (known === undefined) releases.set(release, at)
    else if (typeof known === 'number') releases.set(release, [known, at])
    else known.push(at)
    const ofSeries = series.get(seriesOf(release))
    if (ofSeries === undefined) series.set(seriesOf(release), [at])
    else ofSeries.push(at)
  }

  const kernelAt = (at: number): OfferedKernel => {
    const name = names[at] ?? ''
    const path = paths.get(name) ?? `${name}${ARCHIVE_SUFFIX}`
    const [distro = '', distroVersion = '', arch = '', release = ''] = name.split('/')
    const mask = masks[at] ?? 0
    const sources = listings.flatMap(({ source }, bit) => (mask & (1 << bit)) === 0 ? [] : source)
    return { reference: { distro, distroVersion, arch, release }, path, sources }
  }
  const byRelease = (release: string): readonly OfferedKernel[] => [releases.get(release) ?? []].flat().map(kernelAt)

  /** Those of a series in the order of their numbers. Sorted when first needed, since most never are. */
  const inOrder = (key: string): readonly number[] => {
    const known = ordered.get(key)
    if (known !== undefined) return known
    const keyed = (series.get(key) ?? []).map(at => ({ at, key: orderKey(releaseOf(at)) })).sort((a, b) => a.key < b.key ? -1 : 1)
    const order = keyed.map(({ at }) => at)
    ordered.set(key, order)
    return order
  }

  return {
    size: names.length,
    byRelease,
    matching (query) {
      const exact = byRelease(query.release).filter(({ reference }) => matchesName(query, reference))
      const known = new Set(exact.map(({ path }) => path))
      const respelled = archivePlaces(query).filter(({ path, reference }) => !known.has(path) && releases.has(reference.release))
        .flatMap(({ path, reference }) => byRelease(reference.release).filter(kernel => kernel.path === path))
      return [...exact, ...respelled]
    },
    * list (narrowing, after) {
      for (const folder of folders) {
        if (!matchesName(narrowing, folder.reference)) continue
        const from = after === undefined ? folder.start : Math.max(folder.start, lowerBound(folder.end, at => (names[at] ?? '') > after))
        for (let at = from; at < folder.end; at++) yield kernelAt(at)
      }
    },
    nearest (query, count) {
      const order = inOrder(seriesOf(query.release))
      const wanted = orderKey(query.release)
      const middle = lowerBound(order.length, at => orderKey(releaseOf(order[at] ?? 0)) >= wanted)
      const around = order.slice(Math.max(0, middle - NEIGHBOURS), middle + NEIGHBOURS).map(kernelAt)
      return nearestKernels(around, query, count)
    }
  }
}

/** Names of all, sorted, with the sources of each as bits; and the paths that are spelled otherwise than their names. */
function collect (listings: readonly SourceListing[]): { names: readonly string[], paths: ReadonlyMap<string, string>, masks: Uint8Array } {
  const read = createPathReader()
  const bits = new Map<string, number>()
  const paths = new Map<string, string>()
  for (const [bit, listing] of listings.slice(0, MAX_LISTINGS).entries()) {
    for (const path of listing.paths) {
      const name = read(path)?.name
      if (name === undefined) continue
      bits.set(name, (bits.get(name) ?? 0) | (1 << bit))
      if (!path.startsWith(name) && !paths.has(name)) paths.set(name, path)
    }
  }
  const names = [...bits.keys()].sort()
  return { names, paths, masks: Uint8Array.from(names, name => bits.get(name) ?? 0) }
}

function foldersOf (names: readonly string[]): readonly Folder[] {
  const folders: Folder[] = []
  let prefix: string | undefined
  for (const [at, name] of names.entries()) {
    const last = folders.at(-1)
    if (last !== undefined && prefix !== undefined && name.startsWith(prefix)) {
      last.end = at + 1
      continue
    }
    prefix = name.slice(0, name.lastIndexOf('/') + 1)
    const [distro = '', distroVersion = '', arch = '', release = ''] = name.split('/')
    folders.push({ reference: { distro, distroVersion, arch, release }, start: at, end: at + 1 })
  }
  return folders
}

/** `5.4` of 5.4.0-42-generic. */
function seriesOf (release: string): string { return /^\d+\.\d+/.exec(release)?.[0] ?? '' }

/** A text whose order is that of the numbers in a release. */
function orderKey (release: string): string {
  return tokensOf(release).map(token => typeof token === 'number' ? String(token).padStart(16, '0') : token).join(' ')
}

/** The first of `count` places at which the condition holds, which then holds for all behind it. */
function lowerBound (count: number, holds: (at: number) => boolean): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
