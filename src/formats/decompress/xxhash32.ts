import { dataView } from '../../bytes/checked.js'

const PRIME1 = 0x9e3779b1
const PRIME2 = 0x85ebca77
const PRIME3 = 0xc2b2ae3d
const PRIME4 = 0x27d4eb2f
const PRIME5 = 0x165667b1
/** Bytes of one round: a word for each of four sums. */
const STRIPE = 16

/** XXH32 with seed 0, over pieces. */
export interface Xxhash32 {
  update(bytes: Uint8Array): void
  /** Unsigned. */
  digest(): number
}

/** The checksum of lz4's frames. @see https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
export function createXxhash32 (): Xxhash32 {
  let [a, b, c, d] = [PRIME1 + PRIME2 | 0, PRIME2 | 0, 0, -PRIME1 | 0]
  let rest: Uint8Array = new Uint8Array(0)
  let total = 0
  return {
    update (bytes) {
      total += bytes.length
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      const view = dataView(all)
      let at = 0
      for (; at + STRIPE <= all.length; at += STRIPE) {
        a = round(a, view.getUint32(at, true))
        b = round(b, view.getUint32(at + 4, true))
        c = round(c, view.getUint32(at + 8, true))
        d = round(d, view.getUint32(at + 12, true))
      }
      rest = all.slice(at)
    },
    digest () {
      let hash = total >= STRIPE ? rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18) | 0 : PRIME5
      hash = hash + total | 0
      const view = dataView(rest)
      let at = 0
      for (; at + 4 <= rest.length; at += 4) hash = Math.imul(rotate(hash + Math.imul(view.getUint32(at, true), PRIME3) | 0, 17), PRIME4)
      for (; at < rest.length; at++) hash = Math.imul(rotate(hash + Math.imul(view.getUint8(at), PRIME5) | 0, 11), PRIME1)
      hash = Math.imul(hash ^ hash >>> 15, PRIME2)
      hash = Math.imul(hash ^ hash >>> 13, PRIME3)
      return (hash ^ hash >>> 16) >>> 0
    }
  }
}

function round (sum: number, word: number): number { return Math.imul(rotate(sum + Math.imul(word, PRIME2) | 0, 13), PRIME1) }

function rotate (value: number, bits: number): number { return value << bits | value >>> 32 - bits }
