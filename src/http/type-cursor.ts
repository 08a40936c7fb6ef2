import { isNamedKind } from '../c-types/named-types.js'
import type { TypeKey } from '../c-types/search.js'
import { AppError } from '../errors.js'

/** The cursor is the last type that was shown. Opaque to callers. */
export function formatTypeCursor ({ name, kind, type_id: id }: TypeKey): string {
  return Buffer.from(`${name} ${kind} ${id}`).toString('base64url')
}

/** @throws AppError `invalid_request` for a cursor that is none */
export function parseTypeCursor (cursor: string): TypeKey {
  const [, name, kind, id] = /^(\S{1,256}) (\w+) (\d{1,10})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (name === undefined || !isNamedKind(kind)) {
    throw new AppError('invalid_request', 'The cursor is not one that this service gave.', { field: 'cursor' })
  }
  return { name, kind, type_id: Number(id) }
}
