import { getString, kindOf, nameOffsetOf, typeId, type Btf } from './btf.js'
import { BtfKind } from './constants.js'

/** Bytes of the longest name that is looked for. Few of the kernel's symbols have more than 100. */
const MAX_NAME_BYTES = 256
/** Names that are remembered of a BTF. */
const MAX_KNOWN = 4096

/** Functions have no index by name: what was asked once is not looked for again while the BTF is in memory. */
const known = new WeakMap<Btf, Map<string, boolean>>()

/**
 * Those of the names that functions (FUNC) of the BTF have, its base left out. One pass over the types for all that were not asked before.
 */
export function findFunctions (btf: Btf, names: readonly string[]): ReadonlySet<string> {
  let answers = known.get(btf)
  if (answers === undefined || answers.size > MAX_KNOWN) known.set(btf, answers = new Map())
  const held = answers
  const missing = new Set(names.filter(name => !held.has(name)))
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

function lookFor (btf: Btf, names: ReadonlySet<string>): ReadonlySet<string> {
  const wanted = byInitial(names)
  const found = new Set<string>()
  for (let i = btf.startId; i < btf.endId; i++) {
    const id = typeId(i)
    if (kindOf(btf, id) !== BtfKind.FUNC) continue
    const { bytes, offset } = getString(btf, nameOffsetOf(btf, id))
    for (const { name, text } of wanted.get(bytes[offset] ?? 0) ?? []) {
      if (isName(bytes, offset, text)) found.add(name)
    }
  }
  return found
}

interface WantedName {
  readonly name: string
  readonly text: Uint8Array
}

/** By their first byte, of which most functions have another one. */
function byInitial (names: ReadonlySet<string>): ReadonlyMap<number, readonly WantedName[]> {
  const wanted = new Map<number, WantedName[]>()
  for (const name of names) {
    const text = new TextEncoder().encode(name)
    const [first] = text
    if (first === undefined || text.length > MAX_NAME_BYTES) continue
    const others = wanted.get(first)
    if (others === undefined) wanted.set(first, [{ name, text }])
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
