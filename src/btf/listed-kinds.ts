import type { Btf, TypeId } from './btf.js'
import { typeId } from './btf.js'
import { BtfKind } from './constants.js'
import { BTF_TYPE } from './layout.js'

/** The types of an object's own BTF that belong to no other: those are looked for again and again, and there are few. */
export interface ListedKinds {
  /** Sections with their variables. Ascending. */
  readonly datasecs: readonly TypeId[]
  /** Ascending. */
  readonly declTags: readonly TypeId[]
}

/** They follow from the object alone, which is judged and reported on for many kernels. */
const known = new WeakMap<Btf, ListedKinds>()

/** @param btf without a base: of an object */
export function listedKinds (btf: Btf): ListedKinds {
  let listed = known.get(btf)
  if (listed === undefined) known.set(btf, listed = listKinds(btf))
  return listed
}

/** Reads each record's kind by itself: an object has hundreds of types, and small ones are judged in the time of as many calls. */
function listKinds ({ view, littleEndian, startId, typeOffsets }: Btf): ListedKinds {
  const datasecs: TypeId[] = []
  const declTags: TypeId[] = []
  for (let i = 0; i < typeOffsets.length; i++) {
    const kind = (view.getUint32((typeOffsets[i] ?? 0) + BTF_TYPE.info, littleEndian) >>> 24) & 0x7f
    if (kind === BtfKind.DATASEC) datasecs.push(typeId(startId + i))
    else if (kind === BtfKind.DECL_TAG) declTags.push(typeId(startId + i))
  }
  return { datasecs, declTags }
}
