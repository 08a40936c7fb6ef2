import { enumeratorNameOffset, enumeratorValue, kindFlagOf, kindOf, vlenOf, type Btf, type TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { step, type Work } from '../btf/work.js'
import { hasName } from '../members/paths.js'

/** Which enumerator has that name, in UTF-8; undefined where none has. One step of work for each that is passed. */
export function findEnumerator (btf: Btf, id: TypeId, name: Uint8Array, work: Work): number | undefined {
  for (let i = 0; i < vlenOf(btf, id); i++) {
    step(work)
    if (hasName(btf, enumeratorNameOffset(btf, id, i), name)) return i
  }
  return undefined
}

/** An enumerator's value as C has it: signed only where the BTF says so (kind_flag), which compilers have written since 2022. */
export function signedValue (btf: Btf, id: TypeId, index: number): bigint {
  const value = enumeratorValue(btf, id, index)
  const bits = kindOf(btf, id) === BtfKind.ENUM ? 32 : 64
  return kindFlagOf(btf, id) ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
}
