import { BtfKind } from '../../btf/constants.js'
import { kindOf, nameOffsetOf, typeId, type Btf } from '../../btf/btf.js'
import { sameBytes } from '../../bytes/strings.js'
import { shownName } from '../../btf/shown-text.js'

/** Names for what suggestions define, so that all of a report can be pasted into one program. */
export interface NewNames {
  /** The name, or with a number behind it where the program or another suggestion has it already. */
  take(name: string): string
}

/** Names that are looked for one by one; to make a text of each of the program's names pays for more. */
const FEW = 16

export function createNewNames (local: Btf): NewNames {
  const taken = new Set<string>()
  let asked = 0
  let known: ReadonlySet<string> | undefined
  const isInUse = (name: string): boolean => {
    if (taken.has(name)) return true
    if (asked++ < FEW) return hasName(local, name)
    known ??= namesIn(local)
    return known.has(name)
  }
  return {
    take (name) {
      let free = name
      for (let i = 2; isInUse(free); i++) free = `${name}${i}`
      taken.add(free)
      return free
    }
  }
}

const NAMED_KINDS: ReadonlySet<number> = new Set([
  BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64, BtfKind.FWD, BtfKind.TYPEDEF, BtfKind.FUNC, BtfKind.VAR
])

/** An object's BTF has no base, so that its own bytes have all its names. */
function hasName (btf: Btf, name: string): boolean {
  const wanted = new TextEncoder().encode(name)
  const { bytes, strStart } = btf
  for (let id = typeId(btf.startId); id < btf.endId; id = typeId(id + 1)) {
    const offset = strStart + nameOffsetOf(btf, id)
    if (bytes[offset] !== wanted[0] || bytes[offset + wanted.length] !== 0) continue
    if (NAMED_KINDS.has(kindOf(btf, id)) && sameBytes(bytes, offset, wanted, 0, wanted.length)) return true
  }
  return false
}

function namesIn (btf: Btf): Set<string> {
  const names = new Set<string>()
  for (let id = typeId(btf.startId); id < btf.endId; id = typeId(id + 1)) {
    if (NAMED_KINDS.has(kindOf(btf, id))) names.add(shownName(btf, id))
  }
  return names
}
