import { BtfKind } from './constants.js'
import { findCandidates } from './find.js'
import { essentialNameLength } from './names.js'
import type { Btf } from './btf.js'
import { newWork } from './work.js'

/** A type as reports write it, taken apart. */
interface Wanted {
  /** Kinds that it may have. */
  readonly kinds: readonly number[]
  /** Its essential name. */
  readonly name: Uint8Array
}

const KEYWORDS: ReadonlyMap<string, readonly number[]> = new Map([
  ['struct', [BtfKind.STRUCT]], ['union', [BtfKind.UNION]], ['enum', [BtfKind.ENUM]]
])
/** What C writes as a bare name. */
const BARE_KINDS = [BtfKind.TYPEDEF, BtfKind.INT, BtfKind.FLOAT]
const WANTED = /^(?:(struct|union|enum) )?([A-Za-z_][A-Za-z0-9_ ]*)$/

/**
 * Whether a BTF has a type that a relocation of `type` would take for a candidate: one of its kind and essential name, its own types
 * only where it has a base. That is libbpf's bpf_core_add_cands.
 *
 * @param type as reports write it: `struct nf_conn`, `nf_conn___v2` with or without a flavour. False for what has no name.
 */
export function hasCandidate (btf: Btf, type: string): boolean {
  const wanted = parseWanted(type)
  if (wanted === undefined) return false
  const { kinds, name } = wanted
  const nameBytes = { bytes: name, offset: 0, length: name.length }
  return kinds.some(kind => findCandidates(btf, kind, nameBytes, btf.base !== undefined, newWork()).length > 0)
}

function parseWanted (type: string): Wanted | undefined {
  const [, keyword, name] = WANTED.exec(type) ?? []
  if (name === undefined) return undefined
  const bytes = Uint8Array.from(name, character => character.charCodeAt(0)) // ASCII, by the pattern
  return {
    kinds: keyword === undefined ? BARE_KINDS : KEYWORDS.get(keyword) ?? [],
    name: bytes.subarray(0, essentialNameLength(bytes, 0, bytes.length))
  }
}
