import { Type } from 'typebox'
import { sha256 } from './fields.js'

export const HashParams = Type.Object({ hash: sha256('Hash of the content.') })

export const StoredObject = Type.Object({
  sha256: sha256('Hash of the object.'),
  bytes: Type.Integer({ minimum: 0 })
}, { $id: 'StoredObject' })

export const State = Type.Object({ status: Type.String({ examples: ['ready'] }) }, { $id: 'State' })

/** A body that is bytes, for the OpenAPI document. */
export const binary = { schema: Type.Unsafe<unknown>({ type: 'string', format: 'binary' }) }
export const text = { schema: Type.String() }
export const NOT_MODIFIED = { description: 'The caller has it already (If-None-Match).', type: 'null' }
export const json = (component: string) => ({ 'application/json': { schema: Type.Ref(component) } })
