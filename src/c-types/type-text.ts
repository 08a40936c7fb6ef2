import type { Btf, TypeId } from '../btf/btf.js'
import { resolveSize } from '../btf/resolve.js'
import { createAlignments } from './alignment.js'
import { createDeclarations } from './declarations.js'
import { createTextWriter, type TextRoom } from './text-writer.js'
import { createUniqueNames } from './unique-names.js'

export interface TypeTextOptions {
  /** Leaves out what no layout has: names of parameters, and type tags. */
  readonly isPlain?: boolean
  /** Where several texts may have only so many characters together. */
  readonly room?: TextRoom
}

/** A type by itself, as C writes it: `const struct list_head *`. */
export function typeText (btf: Btf, id: TypeId, { isPlain = false, room }: TypeTextOptions = {}): string {
  const out = createTextWriter(room)
  const [names, alignments] = [createUniqueNames(btf), createAlignments(btf)]
  createDeclarations({ btf, out, names, alignments, isShort: true, isPlain }).declare(id, '')
  return out.text()
}

/** In bytes; null where it has none, such as a function. */
export function sizeOf (btf: Btf, id: TypeId): number | null {
  const size = resolveSize(btf, id)
  return size < 0 ? null : size
}
