import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { AppError } from '../../errors.js'
import { BOUNDS } from '../bounds.js'
import type { Member } from './member.js'

/** Whether the bytes begin with the header of a tar archive: `ustar` at 257, in POSIX's or GNU's form. */
export function isTar (bytes: Uint8Array): boolean { return Buffer.from(bytes.subarray(257, 262)).toString('latin1') === 'ustar' }

/**
 * The regular files of a tar archive that arrives in pieces. Links, devices and folders are passed over: nothing is unpacked to
 * a place.
 *
 * @throws AppError `btf_invalid` where it is damaged or cut off, `too_large`
 */
export async function * readTar (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Member> {
  const entries = tar.extract()
  let failure: unknown
  const feeding = pipeline(Readable.from(pieces, { objectMode: false }), entries)
  feeding.catch((error: unknown) => { failure ??= error })
  let count = 0
  try {
    for await (const entry of entries) {
      if (++count > BOUNDS.members) throw new AppError('too_large', `The archive has more than ${BOUNDS.members} files.`, { limit: BOUNDS.members })
      const { name, size = 0, type } = entry.header
      if (type === 'file' || type === 'contiguous-file') yield { name, size, read: () => readEntry(entry, size) }
      entry.resume()
    }
    await feeding
  } catch (error) {
    entries.destroy()
    await feeding.catch(() => {})
    const cause = failure instanceof AppError ? failure : error // the loop ends with "premature close" where the data had the real trouble
    throw cause instanceof AppError ? cause : new AppError('btf_invalid', `The tar archive is damaged or cut off (${cause instanceof Error ? cause.message : String(cause)}).`)
  } finally {
    entries.destroy()
  }
}

async function readEntry (entry: AsyncIterable<unknown>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size)
  let filled = 0
  for await (const piece of entry) {
    if (!(piece instanceof Uint8Array)) continue
    bytes.set(piece, filled)
    filled += piece.length
  }
  return filled === size ? bytes : bytes.subarray(0, filled)
}
