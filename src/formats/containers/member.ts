import type { ByteReader } from '../byte-reader.js'

/** A regular file in an archive or a package. Members come one after the other; one that is not read is passed over. */
export interface Member {
  /** As stored: never to be used as a path. */
  readonly name: string
  /** Bytes, as its header says. */
  readonly size: number
  /** Its content. To be called before the next member is asked for. */
  read(): Promise<Uint8Array>
  /** The same in pieces of at most 256 KiB, each of which can be let go of by itself. */
  pieces(): AsyncGenerator<Uint8Array>
}

const PIECE_BYTES = 256 * 1024

/** A member whose content comes next, and how many bytes of it were not read. */
export function openMember (reader: ByteReader, name: string, size: number): { readonly member: Member, left(): number } {
  let left = size
  return {
    left: () => left,
    member: {
      name,
      size,
      async read () {
        left = 0
        return await reader.take(size)
      },
      async * pieces () {
        while (left > 0) {
          const piece = await reader.take(Math.min(left, PIECE_BYTES))
          left -= piece.length
          yield piece
        }
      }
    }
  }
}
