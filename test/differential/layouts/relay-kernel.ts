import { KIND } from '../../support/btf-builder.js'
import type { Random } from '../random/random.js'

/**
 * A kernel made of a real one by changing a few of its types where they are: members elsewhere, renamed, of another type, bitfields
 * of another width, enumerators of other values, arrays of other lengths, types of another kind or name. Little-endian BTF only.
 *
 * @param isInteresting tells by name the types of which most changes are
 */
export function relayKernel (kernel: Uint8Array, r: Random, isInteresting: (name: string) => boolean): Uint8Array {
  const bytes = new Uint8Array(kernel)
  const view = new DataView(bytes.buffer)
  const types = typesOf(kernel)
  const composites = types.filter(({ kind, vlen }) => (kind === KIND.STRUCT || kind === KIND.UNION) && vlen > 0)
  const enums = types.filter(({ kind, vlen }) => kind === KIND.ENUM && vlen > 0)
  const wanted = {
    composites: composites.filter(({ name }) => isInteresting(name)), enums: enums.filter(({ name }) => isInteresting(name))
  }
  const pick = (all: readonly RawRecord[], interesting: readonly RawRecord[]): RawRecord =>
    interesting.length > 0 && r.chance(0.8) ? r.pick(interesting) : r.pick(all)
  const arrays = types.filter(({ kind }) => kind === KIND.ARRAY)
  const word = (at: number): number => view.getUint32(at, true)
  const set = (at: number, value: number): void => { view.setUint32(at, value, true) }
  const member = ({ at, vlen }: RawRecord): number => at + 12 + 12 * r.nat(vlen)

  for (let changes = 1 + r.nat(4); changes > 0; changes--) {
    const type = pick(composites, wanted.composites)
    const [one, other] = [member(type), member(type)]
    switch (r.weighted({
      move: 3, swap: 3, rename: 3, drop: 1, retype: 3, size: 1, width: 2, value: 2, enumerator: 2, array: 1, kind: 1, name: 2
    })) {
      case 'move': set(one + 8, word(one + 8) + 8 * (1 + r.nat(16))); break
      case 'swap': {
        const place = word(one + 8)
        set(one + 8, word(other + 8))
        set(other + 8, place)
        break
      }
      case 'rename': set(one, word(r.chance(0.5) ? other : member(r.pick(composites)))); break
      case 'drop': set(one, 0); break
      case 'retype': set(one + 4, word(other + 4)); break
      case 'size': set(type.at + 8, word(type.at + 8) + 8); break
      case 'width': if (type.hasWidths) set(one + 8, (word(one + 8) & 0xffffff) + 0x1000000 * (1 + r.nat(12))); break
      case 'value': {
        const { at, vlen } = pick(enums, wanted.enums)
        const enumerator = at + 12 + 8 * r.nat(vlen)
        set(enumerator + 4, word(enumerator + 4) + 1)
        break
      }
      case 'enumerator': {
        const { at, vlen } = pick(enums, wanted.enums)
        const last = at + 12 + 8 * (vlen - 1)
        const enumerator = at + 12 + 8 * r.nat(vlen)
        const name = word(enumerator)
        set(enumerator, word(last))
        set(last, name)
        break
      }
      case 'array': if (arrays.length > 0) set(r.pick(arrays).at + 20, r.nat(20)); break
      case 'kind': set(
        type.at + 4, (word(type.at + 4) & ~0x7f000000 | (type.kind === KIND.STRUCT ? KIND.UNION : KIND.STRUCT) << 24) >>> 0
      ); break
      case 'name': set(type.at, word(r.chance(0.5) ? r.pick(composites).at : pick(composites, wanted.composites).at)); break
    }
  }
  return bytes
}

interface RawRecord {
  /** Byte offset of the record. */
  readonly at: number
  readonly kind: number
  readonly vlen: number
  readonly hasWidths: boolean
  readonly name: string
}

/** Bytes that follow a record, and each of its elements. */
const TAILS = [
  [0, 0], [4, 0], [0, 0], [12, 0], [0, 12], [0, 12], [0, 8], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 8], [4, 0], [0, 12],
  [0, 0], [4, 0], [0, 0], [0, 12]
]

const known = new WeakMap<Uint8Array, readonly RawRecord[]>()

function typesOf (bytes: Uint8Array): readonly RawRecord[] {
  const held = known.get(bytes)
  if (held !== undefined) return held
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const start = view.getUint32(4, true)
  const end = start + view.getUint32(8, true) + view.getUint32(12, true)
  const strings = start + view.getUint32(16, true)
  const types: RawRecord[] = []
  const decoder = new TextDecoder('latin1')
  for (let at = start + view.getUint32(8, true); at < end;) {
    const info = view.getUint32(at + 4, true)
    const kind = info >>> 24 & 0x7f
    const vlen = info & 0xffffff
    const [fixed = 0, element = 0] = TAILS[kind] ?? []
    const isNamed = kind === KIND.STRUCT || kind === KIND.UNION || kind === KIND.ENUM
    const name = strings + view.getUint32(at, true)
    types.push({
      at, kind, vlen, hasWidths: info >>> 31 === 1, name: isNamed ? decoder.decode(bytes.subarray(name, bytes.indexOf(0, name))) : ''
    })
    at += 12 + fixed + element * vlen
  }
  known.set(bytes, types)
  return types
}
