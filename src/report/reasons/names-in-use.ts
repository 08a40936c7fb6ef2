import { BtfKind } from '../../btf/constants.js'
import { kindOf, typeId, type Btf, type TypeId } from '../../btf/btf.js'
import { BTF_TYPE } from '../../btf/layout.js'
import { sameBytes } from '../../bytes/strings.js'
import { shownName, shownText } from '../../btf/shown-text.js'
import { describeType } from '../../core/describe.js'
import type { Spec } from '../../core/spec.js'

/** Names for what suggestions define, so that all of a report can be pasted into one program. */
export interface NewNames {
  /** The name, or with a number behind it where the program or another suggestion has it already. */
  take(name: string): string
  /** The same of a function that reads an access: `task_struct_state`. */
  takeFunction(access: Spec): string
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
  const take = (name: string): string => {
    let free = name
    for (let i = 2; isInUse(free); i++) free = `${name}${i}`
    taken.add(free)
    return free
  }
  /** What the names of functions begin with: many accesses start from one type. */
  const roots = new Map<TypeId, string>()
  const rootOf = ({ btf, rootId }: Spec): string => {
    let root = roots.get(rootId)
    if (root === undefined) roots.set(rootId, root = describeType(btf, rootId, true).replace(/^(struct|union|enum) /, ''))
    return root
  }
  return {
    take,
    takeFunction (access) {
      let name = rootOf(access)
      for (const [i, { name: offset, index }] of access.accessors.entries()) {
        // Nearly all accesses begin with the index 0.
        if (i === 0 && offset === undefined && index === 0 && access.accessors.length > 1) continue
        name += `_${offset === undefined ? (index === 0 ? '' : index) : shownText(access.btf, offset)}`
      }
      return take(STRANGE.test(name) ? name.replace(/[^A-Za-z0-9_]/g, '_').replace(/__+/g, '_') : name)
    }
  }
}

/** What is left out of a function's name. */
const STRANGE = /[^A-Za-z0-9_]|__/

const NAMED_KINDS: ReadonlySet<number> = new Set([
  BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64, BtfKind.FWD, BtfKind.TYPEDEF, BtfKind.FUNC, BtfKind.VAR
])

const encoder = new TextEncoder()

/** A text in UTF-8: nearly all names are of ASCII, of which to copy the characters costs less than to call the encoder. */
function bytesOf (text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return encoder.encode(text)
    bytes[i] = unit
  }
  return bytes
}

/**
 * An object's BTF has no base, so that its own bytes have all its names. Reads each record's name by itself: hundreds of types are passed
 * for each name.
 */
function hasName (btf: Btf, name: string): boolean {
  const wanted = bytesOf(name)
  const [first] = wanted
  const { bytes, view, littleEndian, startId, strStart, typeOffsets } = btf
  for (let i = 0; i < typeOffsets.length; i++) {
    const offset = strStart + view.getUint32((typeOffsets[i] ?? 0) + BTF_TYPE.nameOff, littleEndian)
    if (bytes[offset] !== first || bytes[offset + wanted.length] !== 0) continue
    if (NAMED_KINDS.has(kindOf(btf, typeId(startId + i))) && sameBytes(bytes, offset, wanted, 0, wanted.length)) return true
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
