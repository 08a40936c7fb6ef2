import { findString, type Btf } from '../btf/btf.js'
import { wordsOf } from '../btf/words.js'
import { AppError } from '../errors.js'

/**
 * Type records as words, for a walk over all types of a BTF: it reads some hundred thousand of them, for which typed arrays are
 * several times as fast as a view. A BTF and its bases are one to it.
 */
export interface Records {
  /** The words of the record that `locate` found last. */
  readonly words: Int32Array
  /** Index of the record's first word in `words`. The id must be valid, and not void. */
  locate(id: number): number
  /** The bytes of the string that `findName` found last. */
  readonly names: Uint8Array
  /** Offset of a name in `names`. */
  findName(offset: number): number
}

interface Part {
  readonly startId: number
  readonly words: Int32Array
  /** Byte offset of the first word. */
  readonly start: number
  readonly offsets: Uint32Array
}

export function createRecords (btf: Btf): Records {
  const parts: Part[] = []
  for (let owner: Btf | undefined = btf; owner !== undefined; owner = owner.base) parts.push(partOf(owner))
  const [own] = parts
  if (own === undefined) throw new AppError('internal_error', 'A BTF has no part.')
  const firstName = btf.strStart - btf.startStrOff
  let words = own.words
  let names = btf.bytes
  return {
    get words () { return words },
    get names () { return names },
    locate (id) {
      const part = id >= own.startId ? own : parts.find(({ startId }) => id >= startId) ?? own
      words = part.words
      return ((part.offsets[id - part.startId] ?? 0) - part.start) >>> 2
    },
    findName (offset) {
      if (offset >= btf.startStrOff) {
        names = btf.bytes
        return firstName + offset
      }
      const place = findString(btf, offset)
      if (place === undefined) {
        throw new AppError('btf_invalid', `String offset ${offset} is past the BTF's strings.`, { string_offset: offset })
      }
      names = place.bytes
      return place.offset
    }
  }
}

function partOf ({ bytes, pages, startId, typeOffsets, littleEndian, strStart }: Btf): Part {
  if (pages !== undefined) throw new AppError('internal_error', 'A walk over all types is of BTF all of whose bytes are there.')
  const start = typeOffsets[0] ?? strStart
  return { startId, words: wordsOf(bytes, start, strStart, littleEndian), start, offsets: typeOffsets }
}
