import { findString, type Btf } from '../btf/btf.js'
import { wordsOf } from '../btf/words.js'
import { AppError } from '../errors.js'

/**
 * Type records as words, for a walk over all types of a BTF: it reads some hundred thousand of them, for which typed arrays are
 * several times as fast as a view. A BTF and its bases are parts of one row of ids and of strings.
 */
export interface Part {
  readonly startId: number
  readonly words: Int32Array
  /** Byte offset of the first word. */
  readonly start: number
  /** Byte offsets of the records, by id from `startId` on. */
  readonly offsets: Uint32Array
}

/** The BTF's own part first, then those of its bases. */
export function partsOfBtf (btf: Btf): { readonly own: Part, readonly bases: readonly Part[] } {
  const bases: Part[] = []
  for (let owner = btf.base; owner !== undefined; owner = owner.base) bases.push(partOf(owner))
  return { own: partOf(btf), bases }
}

function partOf ({ bytes, pages, startId, typeOffsets, littleEndian, strStart }: Btf): Part {
  if (pages !== undefined) throw new AppError('internal_error', 'A walk over all types is of BTF all of whose bytes are there.')
  const start = typeOffsets[0] ?? strStart
  return { startId, words: wordsOf(bytes, start, strStart, littleEndian), start, offsets: typeOffsets }
}

/**
 * Where a name of one of the bases is.
 *
 * @throws AppError `btf_invalid`: it is past the strings
 */
export function nameInBase (btf: Btf, offset: number): { readonly bytes: Uint8Array, readonly offset: number } {
  const place = findString(btf, offset)
  if (place === undefined) {
    throw new AppError('btf_invalid', `String offset ${offset} is past the BTF's strings.`, { string_offset: offset })
  }
  return place
}
