import { join } from 'node:path'
import { hexOf, type Sha256 } from './sha256.js'
import type { StoredKind } from './stored-kinds.js'

/** The folder of a kind of content in a cache folder. */
export function rootOf (directory: string, kind: StoredKind): string { return join(directory, 'content', kind) }

/** Where the store of a cache folder has content, or would have it. */
export function contentPath (directory: string, kind: StoredKind, hash: Sha256): string {
  const hex = hexOf(hash)
  return join(rootOf(directory, kind), hex.slice(0, 2), hex)
}
