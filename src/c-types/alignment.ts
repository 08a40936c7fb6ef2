import {
  arrayElement, isComposite, isEnum, isModifierOrTypedef, kindOf, memberBitfieldSize, memberBitOffset, memberType, sizeWordOf, vlenOf,
  referencedType, type Btf, type TypeId
} from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'

/** How types are aligned, worked out from their layout, since BTF does not say it: as libbpf's btf__align_of. */
export interface Alignments {
  /** In bytes; 0 for what has no size. */
  of(id: TypeId): number
  /** Whether a struct's layout is one that C gives only with `__attribute__((packed))`. */
  isPacked(struct: TypeId): boolean
}

export function createAlignments (btf: Btf): Alignments {
  const known = new Map<TypeId, number>()

  const compute = (id: TypeId, depth: number): number => {
    if (depth > LIMITS.cNesting) throw tooDeep(id)
    const kind = kindOf(btf, id)
    if (kind === BtfKind.INT || kind === BtfKind.FLOAT || isEnum(kind)) return Math.min(btf.pointerSize, sizeWordOf(btf, id))
    if (kind === BtfKind.PTR) return btf.pointerSize
    if (isModifierOrTypedef(kind)) return alignmentOf(referencedType(btf, id), depth + 1)
    if (kind === BtfKind.ARRAY) return alignmentOf(arrayElement(btf, id), depth + 1)
    if (!isComposite(kind)) return 0
    let widest = 1
    for (let i = 0; i < vlenOf(btf, id); i++) {
      const alignment = alignmentOf(memberType(btf, id, i), depth + 1)
      if (alignment <= 0) return 0
      widest = Math.max(widest, alignment)
      if (memberBitfieldSize(btf, id, i) === 0 && memberBitOffset(btf, id, i) % (8 * alignment) !== 0) return 1
    }
    return sizeWordOf(btf, id) % widest === 0 ? widest : 1
  }

  const alignmentOf = (id: TypeId, depth = 0): number => {
    let alignment = known.get(id)
    if (alignment === undefined) known.set(id, alignment = compute(id, depth))
    return alignment
  }

  return {
    of: id => alignmentOf(id),
    isPacked (struct) {
      let widest = 1
      for (let i = 0; i < vlenOf(btf, struct); i++) {
        const alignment = alignmentOf(memberType(btf, struct, i))
        const isBitfield = memberBitfieldSize(btf, struct, i) !== 0
        if (alignment > 0 && !isBitfield && memberBitOffset(btf, struct, i) % (8 * alignment) !== 0) return true
        widest = Math.max(widest, alignment)
      }
      return sizeWordOf(btf, struct) % widest !== 0
    }
  }
}

export function tooDeep (id: TypeId): AppError {
  return new AppError('btf_invalid',
    `The types nest more than ${LIMITS.cNesting} levels deep at type ${id}; those of a kernel nest about twenty.`,
    { type_id: id, limit: LIMITS.cNesting })
}
