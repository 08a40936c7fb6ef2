import type { Btf } from '../btf/btf.js'
import { writeHeader } from '../c-types/header.js'
import { defineType, findTypes, NAMED_KINDS, writeType } from '../c-types/type-definition.js'
import { AppError } from '../errors.js'
import { sha256 } from '../store/sha256.js'
import type { NamedKind } from '../wire/types.js'
import { attachShared } from './attached-btfs.js'
import type { WrittenTypes, WriteTypesTask } from './protocol.js'

/** @throws AppError `not_found` where the kernel has no such type, `btf_invalid` for types that C cannot have */
export function writeTypes ({ btf, wanted }: WriteTypesTask): WrittenTypes {
  const target = attachShared(btf)
  if (wanted.form === 'header') return written(writeHeader(target))
  const { kind, name } = wanted
  const ids = findTypes(target, kind, name)
  if (ids.length === 0) throw unknownType(target, kind, name)
  if (wanted.form === 'c') return written(ids.map(id => writeType(target, id, kind)).join('\n'))
  return written(JSON.stringify(ids.map(id => defineType(target, id, kind))))
}

function written (text: string): WrittenTypes {
  const bytes = new TextEncoder().encode(text)
  return { bytes, sha256: sha256(bytes) }
}

function unknownType (btf: Btf, kind: NamedKind, name: string): AppError {
  const kinds = Object.keys(NAMED_KINDS).filter((other): other is NamedKind => Object.hasOwn(NAMED_KINDS, other))
  const others = kinds.filter(other => other !== kind && findTypes(btf, other, name).length > 0)
  const hint = others.length === 0 ? '' : ` It has ${others.map(other => `${other} ${name}`).join(' and ')}.`
  return new AppError('not_found', `This kernel has no ${kind} ${name}.${hint}`, { type: `${kind} ${name}` })
}
