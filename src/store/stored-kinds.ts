import type { Share } from './disk-ledger.js'
import type { Sha256 } from './sha256.js'

/** What content is: raw BTF, or an eBPF object. */
export type ContentKind = 'btf' | 'object'

/**
 * What is made of content and can be made of it again: the layout table and the index of BTF, the results of an object. It has the hash of
 * the content for a name, and proves by itself that it was made here.
 */
export type DerivedKind = 'layout' | 'index' | 'result'

/** What is stored. */
export type StoredKind = ContentKind | DerivedKind

export const STORED_KINDS: readonly StoredKind[] = ['btf', 'object', 'layout', 'index', 'result']

/** Whose what is not BTF is. Results go for objects: both come with requests. */
export const SHARE_OF_KIND: Readonly<Record<Exclude<StoredKind, 'btf'>, Share>> = {
  object: 'object', layout: 'fetched', index: 'fetched', result: 'object'
}

/** A file of the store. */
export type StoredKey = `${StoredKind} ${Sha256}`

export function splitKey (key: StoredKey): [StoredKind, Sha256] {
  const at = key.indexOf(' ')
  return [key.slice(0, at) as StoredKind, key.slice(at + 1) as Sha256] // the type says that it has both
}

export function isContentKind (kind: StoredKind): kind is ContentKind { return kind === 'btf' || kind === 'object' }
