import { getString, lengthOf, nameOffsetOf, typeId, type Btf } from '../btf/btf.js'
import { sameBytes } from '../bytes/strings.js'
import { findPathCounted, type Path } from '../members/paths.js'
import type { FollowedPath } from './format.js'

export interface Followed {
  readonly paths: ReadonlyArray<Path | undefined>
  readonly steps: number
}

interface Follower {
  /** Not 0 by the first byte of the names of composites that may have paths that are followed. Nearly all others have another. */
  readonly initials: Uint8Array
  /**
   * Where the followed paths of a composite lead, in their order, and how many members were passed for that; undefined for one that it
   * does not have.
   *
   * @throws AppError `btf_invalid`: for types that cannot be walked
   */
  readonly follow: (composite: number) => Followed
}

export function createFollower (btf: Btf, followed: readonly FollowedPath[]): Follower {
  const byType = new Map<string, { readonly type: Uint8Array, readonly paths: string[] }>()
  for (const { type, path } of followed) {
    const entry = byType.get(type) ?? { type: toBytes(type), paths: [] }
    entry.paths.push(path)
    byType.set(type, entry)
  }
  const entries = [...byType.values()]
  const initials = new Uint8Array(256)
  for (const { type: [initial = 0] } of entries) initials[initial] = 1
  return {
    initials,
    follow (composite) {
      const id = typeId(composite)
      const nameOffset = nameOffsetOf(btf, id)
      const entry = entries.find(({ type }) => hasName(btf, nameOffset, type))
      if (entry === undefined) return NOTHING
      const found = entry.paths.map(path => findPathCounted(btf, id, path))
      return { paths: found.map(({ path }) => path), steps: found.reduce((sum, { steps }) => sum + steps, 0) }
    }
  }
}

const NOTHING: Followed = { paths: [], steps: 0 }

function toBytes (name: string): Uint8Array { return Uint8Array.from(name, character => character.charCodeAt(0)) }

function hasName (btf: Btf, nameOffset: number, name: Uint8Array): boolean {
  const place = getString(btf, nameOffset)
  return sameBytes(place.bytes, place.offset, name, 0, name.length) && lengthOf(place) === name.length
}
