import { AppError } from '../../errors.js'
import { BOUNDS } from '../bounds.js'
import { createByteReader } from '../byte-reader.js'
import { openMember, type Member } from './member.js'

/** Magic and 13 numbers of eight hex digits. */
const HEADER_SIZE = 110
const FIELD = { mode: 1, fileSize: 6, nameSize: 11 } as const
const FILE_TYPE = 0o170000
const REGULAR_FILE = 0o100000
const MAX_NAME_BYTES = 4096
const TRAILER = 'TRAILER!!!'

/**
 * The regular files of a cpio archive in the "newc" format, which RPM's payload is. Own lines, because nothing on npm reads it as
 * a stream with bounds.
 *
 * @throws AppError `btf_invalid`, `too_large`
 * @see https://man.archlinux.org/man/cpio.5 "New ASCII Format"
 */
export async function * readCpio (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Member> {
  const reader = createByteReader(pieces, 'cpio archive')
  try {
    for (let count = 0; ; count++) {
      if (count > BOUNDS.members) {
        throw new AppError('too_large', `The archive has more than ${BOUNDS.members} files.`, { limit: BOUNDS.members })
      }
      const header = Buffer.from(await reader.take(HEADER_SIZE)).toString('latin1')
      if (header.startsWith('07070X')) {
        throw new AppError('btf_invalid', 'The package has a file of 4 GiB or more, ' +
          'which RPM stores in another form. corelo does not read that form.')
      }
      if (!/^07070[12][0-9A-Fa-f]{104}$/.test(header)) {
        throw new AppError('btf_invalid', 'The cpio archive is damaged: a header is malformed.')
      }
      const field = (index: number): number => parseInt(header.slice(6 + 8 * index, 14 + 8 * index), 16)
      const size = field(FIELD.fileSize)
      const nameSize = field(FIELD.nameSize)
      if (nameSize === 0 || nameSize > MAX_NAME_BYTES) {
        throw new AppError('btf_invalid', `The cpio archive is damaged: a name has ${nameSize} bytes.`)
      }
      const name = Buffer.from(await reader.take(nameSize)).toString('utf8').replace(/\0.*$/s, '')
      await reader.skip(padding(HEADER_SIZE + nameSize))
      if (name === TRAILER) return
      let left = size
      if ((field(FIELD.mode) & FILE_TYPE) === REGULAR_FILE) {
        const file = openMember(reader, name, size)
        yield file.member
        left = file.left()
      }
      await reader.skip(left + padding(size))
    }
  } finally {
    await reader.close()
  }
}

/** Names and contents are filled up to multiples of four. */
function padding (size: number): number { return (4 - size % 4) % 4 }
