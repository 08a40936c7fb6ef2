import { AppError } from '../../errors.js'
import type { ByteReader } from '../byte-reader.js'

const GLOBAL_HEADER = '!<arch>\n'
/** name: 16, time: 12, owner: 6, group: 6, mode: 8, size: 10, "`\n": all text, filled up with spaces. */
const HEADER_SIZE = 60
/** A Debian package has three members, and at most a few more that start with an underscore. */
const MAX_MEMBERS = 64

/** A part of an `ar` archive. */
export interface ArMember {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Its content, as it arrives. To be read before the next member is asked for. */
  pieces(): AsyncGenerator<Uint8Array>
}

export function isAr (bytes: Uint8Array): boolean { return latin1(bytes, 0, GLOBAL_HEADER.length) === GLOBAL_HEADER }

/**
 * The members of an `ar` archive, one after the other. Own lines, because a Debian package is all that it is needed for.
 *
 * @throws AppError `btf_invalid`
 * @see https://manpages.debian.org/bookworm/dpkg-dev/deb.5.en.html
 */
export async function * readAr (reader: ByteReader): AsyncGenerator<ArMember> {
  await reader.skip(GLOBAL_HEADER.length)
  for (let count = 0; (await reader.peek(1)).length > 0; count++) {
    const header = await reader.take(HEADER_SIZE)
    const name = latin1(header, 0, 16).trimEnd().replace(/\/$/, '')
    const digits = latin1(header, 48, 58).trimEnd()
    if (latin1(header, 58, HEADER_SIZE) !== '`\n' || !/^\d+$/.test(digits)) {
      throw invalid('The package is damaged: one of its parts has no header.')
    }
    if (count === MAX_MEMBERS) throw invalid(`The package has more than ${MAX_MEMBERS} parts.`)
    const size = Number(digits)
    let left = size
    yield {
      name,
      size,
      async * pieces () {
        while (left > 0) {
          const piece = await reader.takeSome(left)
          if (piece.length === 0) {
            const part = JSON.stringify(name)
            throw invalid(`The package is cut off: its part ${part} needs ${size} bytes, and ${size - left} are there.`)
          }
          left -= piece.length
          yield piece
        }
      }
    }
    await reader.skip(left)
    if (size % 2 === 1 && (await reader.peek(1)).length > 0) await reader.skip(1)
  }
}

function latin1 (bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString('latin1')
}

function invalid (message: string): AppError { return new AppError('btf_invalid', message) }
