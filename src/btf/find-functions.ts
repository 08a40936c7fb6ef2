import { getString, kindOf, nameOffsetOf, typeId, type Btf } from './btf.js'
import { BtfKind } from './constants.js'
import { BTF_TYPE } from './layout.js'

/** Characters of the longest name that is looked for: no function has a longer one. Few of the kernel's symbols have more than 100. */
const MAX_NAME = 256
/** Names that are remembered of a BTF. */
const MAX_KNOWN = 1024

/** Functions have no index by name: what was asked once is not looked for again while the BTF is in memory. */
const known = new WeakMap<Btf, Map<string, boolean>>()

/**
 * Those of the names that functions (FUNC) of the BTF have, its base left out. One pass over the types for all that were not asked before.
 */
export function findFunctions (btf: Btf, names: readonly string[]): ReadonlySet<string> {
  let answers = known.get(btf)
  if (answers === undefined || answers.size > MAX_KNOWN) known.set(btf, answers = new Map())
  const held = answers
  const missing = new Set(names.filter(name => !held.has(name) && name.length <= MAX_NAME))
  if (missing.size > 0) {
    const found = lookFor(btf, missing)
    for (const name of missing) held.set(name, found.has(name))
  }
  return new Set(names.filter(name => held.get(name) === true))
}

/** Whether a BTF has any function: some kernels' describe none. */
export function hasFunctions (btf: Btf): boolean {
  for (let i = btf.startId; i < btf.endId; i++) if (kindOf(btf, typeId(i)) === BtfKind.FUNC) return true
  return false
}

/** Reads of each record the two words that it needs: a kernel has some 150,000, and half of them are functions. */
function lookFor (btf: Btf, names: ReadonlySet<string>): ReadonlySet<string> {
  const { bytes, view, littleEndian, startId, startStrOff, strStart, typeOffsets, pages } = btf
  const wanted = byInitial(names)
  const found = new Set<string>()
  for (let i = 0; i < typeOffsets.length; i++) {
    const record = typeOffsets[i] ?? 0
    const kind = pages === undefined ? view.getUint32(record + BTF_TYPE.info, littleEndian) >>> 24 & 0x7f : kindOf(btf, typeId(startId + i))
    if (kind !== BtfKind.FUNC) continue
    const nameOff = pages === undefined ? view.getUint32(record + BTF_TYPE.nameOff, littleEndian) : nameOffsetOf(btf, typeId(startId + i))
    const isHere = pages === undefined && nameOff >= startStrOff
    const place = isHere ? undefined : getString(btf, nameOff)
    const offset = place?.offset ?? strStart + nameOff - startStrOff
    const own = place?.bytes ?? bytes
    const begun = wanted[own[offset] ?? 0]
    if (begun === undefined) continue
    for (const { name, text } of begun) if (isName(own, offset, text)) found.add(name)
  }
  return found
}

interface WantedName {
  readonly name: string
  readonly text: Uint8Array
}

/** By their first byte, of which most functions have another one. */
function byInitial (names: ReadonlySet<string>): ReadonlyArray<readonly WantedName[] | undefined> {
  const wanted = new Array<WantedName[] | undefined>(256).fill(undefined)
  for (const name of names) {
    const text = new TextEncoder().encode(name)
    const [first] = text
    if (first === undefined) continue
    const others = wanted[first]
    if (others === undefined) wanted[first] = [{ name, text }]
    else others.push({ name, text })
  }
  return wanted
}

/** Whether the string at an offset is exactly this one. Its end differs sooner than its beginning, which many functions share. */
function isName (bytes: Uint8Array, offset: number, text: Uint8Array): boolean {
  if (bytes[offset + text.length] !== 0) return false
  for (let i = text.length - 1; i > 0; i--) if (bytes[offset + i] !== text[i]) return false
  return true
}
