import { isEnum, kindOf, nameOf, nameOffsetOf, vlenOf, type Btf, type TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'

/**
 * Names of types in one C file. Where a name is taken, the next type that has it becomes `name___2`, as in libbpf's btf_dump: a
 * flavor, so that CO-RE still finds the kernel's type by it.
 */
export interface UniqueNames {
  /** The tag of a struct, union or enum; empty where it has none. */
  tagOf(id: TypeId): string
  /** The name of a typedef. */
  identifierOf(id: TypeId): string
  /** The name of an enumerator, which shares its name space with typedefs. */
  enumerator(name: string): string
}

export function createUniqueNames (btf: Btf): UniqueNames {
  const tags = new Map<string, number>()
  const identifiers = new Map<string, number>()
  const known = new Map<TypeId, string>()

  const take = (taken: Map<string, number>, name: string): string => {
    const count = (taken.get(name) ?? 0) + 1
    taken.set(name, count)
    return count === 1 ? name : `${name}___${count}`
  }
  const resolve = (id: TypeId, taken: Map<string, number>): string => {
    if (nameOffsetOf(btf, id) === 0) return ''
    let name = known.get(id)
    if (name === undefined) {
      const kind = kindOf(btf, id)
      const isForward = kind === BtfKind.FWD || (isEnum(kind) && vlenOf(btf, id) === 0)
      name = isForward ? nameOf(btf, id) : take(taken, nameOf(btf, id))
      known.set(id, name)
    }
    return name
  }
  return {
    tagOf: id => resolve(id, tags),
    identifierOf: id => resolve(id, identifiers),
    enumerator: name => take(identifiers, name)
  }
}
