import type { Btf } from '../btf/btf.js'
import { AppError } from '../errors.js'
import type { TypeDifference } from '../wire/types.js'
import { diffTypes } from './diff.js'
import { findTypes, formatTypeName, otherKinds, type TypeName } from './named-types.js'
import { didYouMean, nearTypes } from './require-types.js'
import { defineTypes } from './type-definition.js'

export interface KernelsDifference {
  /** Whether both kernels have the same types. */
  readonly isSame: boolean
  readonly types: readonly TypeDifference[]
}

/**
 * How the types of one name differ between two kernels.
 *
 * @throws AppError `not_found` where neither kernel has such a type, which names those of other kinds or of near names, and what
 *   defineTypes throws
 */
export function diffKernels (from: Btf, to: Btf, wanted: TypeName): KernelsDifference {
  const definitionsIn = (btf: Btf) => defineTypes(btf, findTypes(btf, wanted), wanted.kind)
  const types = diffTypes(definitionsIn(from), definitionsIn(to))
  if (types.length === 0) {
    const type = formatTypeName(wanted)
    const others = otherKinds([from, to], wanted)
    const hint = others.length === 0 ? didYouMean(nearTypes([from, to], wanted)) : ` There is ${others.join(' and ')}.`
    throw new AppError('not_found', `Neither kernel has a type ${type}.${hint}`, { type })
  }
  return { isSame: types.every(({ change }) => change === 'same'), types }
}
