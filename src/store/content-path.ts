import { join, sep } from 'node:path'
import { hexOf, type Sha256 } from './sha256.js'
import type { StoredKind } from './stored-kinds.js'

/** The folder of a kind of content in a cache folder. */
export function rootOf (directory: string, kind: StoredKind): string { return join(directory, 'content', kind) }

/** Where the store of a cache folder has content, or would have it. */
export function contentPath (directory: string, kind: StoredKind, hash: Sha256): string {
  return contentPathIn(rootOf(directory, kind), hash)
}

/** @param root as rootOf gives it: a check asks for the paths of thousands, and to join the parts anew would take longer than all else */
export function contentPathIn (root: string, hash: Sha256): string {
  const hex = hexOf(hash)
  return `${root}${sep}${hex.slice(0, 2)}${sep}${hex}`
}
