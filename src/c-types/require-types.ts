import { kindOf, nameOf, typeId, type Btf, type TypeId } from '../btf/btf.js'
import { newWork, step, tryWithin } from '../btf/work.js'
import { AppError } from '../errors.js'
import { nearNames } from '../members/near.js'
import { findTypes, formatTypeName, isNamedKind, NAMED_KINDS, otherKinds, type TypeName } from './named-types.js'

/** Names of one kind that are compared. The largest kernels have half as many structs. */
const MAX_NAMES = 65_536

/**
 * The types of a name, in id order, of a kernel that must have one.
 *
 * @param kernel as the sentence of the error calls it
 * @throws AppError `not_found`, which names types of another kind that have the name, or otherwise types of a name that is near
 */
export function requireTypes (btf: Btf, wanted: TypeName, kernel = 'This kernel'): TypeId[] {
  const ids = findTypes(btf, wanted)
  if (ids.length > 0) return ids
  const { kind, name } = wanted
  const others = otherKinds([btf], wanted)
  const hint = others.length === 0 ? didYouMean(nearTypes([btf], wanted)) : ` It has ${others.join(' and ')}.`
  throw new AppError('not_found', `${kernel} has no ${kind} ${name}.${hint}`, { type: `${kind} ${name}` })
}

/**
 * Types that were most likely meant by a name which no BTF of these has: of its kind, otherwise of another one, at most three. None where
 * they have too many types to look at.
 */
export function nearTypes (btfs: readonly Btf[], { kind, name }: TypeName): string[] {
  for (const other of [kind, ...Object.keys(NAMED_KINDS).filter(isNamedKind).filter(other => other !== kind)]) {
    const names = tryWithin(() => btfs.flatMap(btf => namesOf(btf, NAMED_KINDS[other])), () => [])
    const near = names.length > MAX_NAMES ? [] : nearNames(name, names)
    if (near.length > 0) return near.map(name => formatTypeName({ kind: other, name }))
  }
  return []
}

/** A sentence, after a blank, where there is something to say. */
export function didYouMean (names: readonly string[]): string { return names.length === 0 ? '' : ` Did you mean ${names.join(' or ')}?` }

function namesOf (btf: Btf, kinds: readonly number[]): string[] {
  const work = newWork()
  const names: string[] = []
  for (let number = 1; number < btf.endId && names.length <= MAX_NAMES; number++) {
    step(work)
    const id = typeId(number)
    if (kinds.includes(kindOf(btf, id))) names.push(nameOf(btf, id))
  }
  return names
}
