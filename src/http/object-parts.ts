import { AppError } from '../errors.js'
import { isSha256, type Sha256 } from '../store/sha256.js'

/** @throws AppError `object_invalid` where the part object has no bytes */
export function requireObjectBytes (content: Uint8Array): Uint8Array {
  if (content.length === 0) throw new AppError('object_invalid', 'The object is empty: the part object has no bytes.', { part: 'object' })
  return content
}

/** The hash that a part object without a file name names an object by. @throws AppError `invalid_request` where it is none */
export function requireObjectText (text: string): Sha256 {
  if (isSha256(text)) return text
  throw new AppError('invalid_request',
    'The part object must be a file (a part with a file name), or the text sha256: and 64 lower-case hex digits.', { field: 'object' })
}
