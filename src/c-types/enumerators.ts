import { enumeratorValue, kindFlagOf, kindOf, type Btf, type TypeId } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'

/** An enumerator's value as C has it: signed only where the BTF says so (kind_flag), which compilers have written since 2022. */
export function signedValue (btf: Btf, id: TypeId, index: number): bigint {
  const value = enumeratorValue(btf, id, index)
  const bits = kindOf(btf, id) === BtfKind.ENUM ? 32 : 64
  return kindFlagOf(btf, id) ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
}
