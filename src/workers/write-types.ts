import type { Btf } from '../btf/btf.js'
import { diffKernels } from '../c-types/diff-kernels.js'
import { writeHeader } from '../c-types/header.js'
import { findPlaces } from '../c-types/places.js'
import { requireTypes } from '../c-types/require-types.js'
import { searchTypes } from '../c-types/search.js'
import { defineTypes, writeDefinitions, type NamedTypes } from '../c-types/type-definition.js'
import { sha256 } from '../store/sha256.js'
import { attachShared } from './attached-btfs.js'
import { openChecked } from './check-objects.js'
import type {
  DiffTypesTask, FindPlacesTask, FoundPlaces, SearchTypesTask, WriteObjectTypesTask, WrittenDifferences, WrittenSearch, WrittenTypes,
  WriteTypesTask
} from './protocol.js'
import { parsedObjects } from './relocate-object.js'

/** @throws AppError `not_found` where the kernel has no such type, `btf_invalid` for types that C cannot have */
export function writeTypes ({ btf, wanted }: WriteTypesTask): WrittenTypes {
  const target = attachShared(btf)
  return wanted.form === 'header' ? written(writeHeader(target)) : writeNamed(target, wanted, 'This kernel')
}

/** @throws AppError `object_invalid`, `not_found` where the object has no such type, `btf_invalid` for types that C cannot have */
export function writeObjectTypes ({ object, objectSha256, wanted }: WriteObjectTypesTask): WrittenTypes {
  return writeNamed(parsedObjects.get(objectSha256, object).btf, wanted, 'This object')
}

function writeNamed (btf: Btf, wanted: NamedTypes, owner: string): WrittenTypes {
  const ids = requireTypes(btf, wanted, owner)
  if (wanted.form === 'c') return written(writeDefinitions(btf, ids, wanted.kind))
  return written(JSON.stringify(defineTypes(btf, ids, wanted.kind)))
}

/** @throws AppError `not_found` where neither kernel has such a type */
export function writeDifferences ({ from, to, wanted }: DiffTypesTask): WrittenDifferences {
  const { types, isSame } = diffKernels(attachShared(from), attachShared(to), wanted)
  return { ...written(JSON.stringify(types)), isSame }
}

export function writeFoundTypes ({ btf, search }: SearchTypesTask): WrittenSearch {
  const { types, next } = searchTypes(attachShared(btf), search)
  return { ...written(JSON.stringify(types)), next }
}

/** @throws AppError `btf_invalid` */
export function findPlacesIn ({ btf, wanted, member }: FindPlacesTask): FoundPlaces {
  const opened = openChecked(btf)
  return opened === undefined ? { state: 'absent' } : { state: 'ready', places: findPlaces(opened, wanted, member) }
}

function written (text: string): WrittenTypes {
  const bytes = new TextEncoder().encode(text)
  return { bytes, sha256: sha256(bytes) }
}
