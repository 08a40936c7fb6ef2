import { getString, kindOf, nameOffsetOf, typeId, type Btf } from './btf.js'
import { BtfKind } from './constants.js'

/** Bytes of the longest name that is looked for: no function has a longer one. Few of the kernel's symbols have more than 100. */
const MAX_NAME_BYTES = 256

/** Those of the names that functions (FUNC) of the BTF have, its base left out. They have no index: one pass over all types. */
export function findFunctions (btf: Btf, names: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>()
  const wanted = byInitial(names)
  if (wanted.size === 0) return found
  for (let i = btf.startId; i < btf.endId; i++) {
    const id = typeId(i)
    if (kindOf(btf, id) !== BtfKind.FUNC) continue
    const { bytes, offset } = getString(btf, nameOffsetOf(btf, id))
    for (const { name, text } of wanted.get(bytes[offset] ?? 0) ?? []) if (isName(bytes, offset, text)) found.add(name)
  }
  return found
}

/** Whether a BTF has any function: some kernels' describe none. */
export function hasFunctions (btf: Btf): boolean {
  for (let i = btf.startId; i < btf.endId; i++) if (kindOf(btf, typeId(i)) === BtfKind.FUNC) return true
  return false
}

interface WantedName {
  readonly name: string
  readonly text: Uint8Array
}

/** By their first byte, of which most functions have another one. */
function byInitial (names: readonly string[]): ReadonlyMap<number, readonly WantedName[]> {
  const wanted = new Map<number, WantedName[]>()
  for (const name of new Set(names)) {
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
