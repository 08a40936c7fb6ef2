import { BtfKind } from '../../btf/constants.js'
import { kindOf, typeId, type Btf } from '../../btf/btf.js'
import { shownName } from '../../btf/shown-text.js'

/** Names for what suggestions define, so that all of a report can be pasted into one program. */
export interface NewNames {
  /** The name, or with a number behind it where the program or another suggestion has it already. */
  take(name: string): string
}

export function createNewNames (local: Btf): NewNames {
  let taken: Set<string> | undefined
  return {
    take (name) {
      taken ??= namesIn(local)
      let free = name
      for (let i = 2; taken.has(free); i++) free = `${name}${i}`
      taken.add(free)
      return free
    }
  }
}

const NAMED_KINDS: ReadonlySet<number> = new Set([BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64, BtfKind.FWD, BtfKind.TYPEDEF, BtfKind.FUNC, BtfKind.VAR])

function namesIn (btf: Btf): Set<string> {
  const names = new Set<string>()
  for (let id = typeId(btf.startId); id < btf.endId; id = typeId(id + 1)) {
    if (NAMED_KINDS.has(kindOf(btf, id))) names.add(shownName(btf, id))
  }
  return names
}
