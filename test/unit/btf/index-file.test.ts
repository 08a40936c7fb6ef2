import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  BTF_INDEX_FOOTER, BTF_INDEX_VERSION, finishBtfIndex, indexTailBytes, readBtfIndex, type IndexSeal
} from '../../../src/btf/index-file.js'
import { attachBtf, parseBtfParts, type BtfParts } from '../../../src/btf/parse.js'
import { findCandidates } from '../../../src/btf/find.js'
import { newWork } from '../../../src/btf/work.js'
import { isSealedBy, sealOf } from '../../../src/store/seal.js'
import { at, btf, integers, KIND } from '../../support/btf-builder.js'

const KEY = new Uint8Array(32).fill(1)
const sealWith = (key: Uint8Array): IndexSeal =>
  ({
    make: bytes => sealOf(key, 'btf index', bytes),
    matches: (bytes, seal) => isSealedBy([key], 'btf index', bytes, seal),
    digest: bytes => createHash('sha256').update(bytes).digest('binary')
  })
const SEAL = sealWith(KEY)

function sample (structs = 5): Uint8Array {
  const b = btf()
  const { int } = integers(b)
  for (let i = 0; i < structs; i++) b.struct(`struct_${i}`, 8, [at('x', 0, int), at(`y${i}`, 4, int)])
  return b.bytes()
}

const contentOf = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

function make (bytes: Uint8Array): { parts: BtfParts, file: Uint8Array } {
  const parts = parseBtfParts(bytes, { allocate: byteLength => new ArrayBuffer(byteLength + indexTailBytes(bytes.length, byteLength)) })
  finishBtfIndex(parts, contentOf(bytes), SEAL)
  return { parts, file: new Uint8Array(parts.index) }
}

describe('the file of an index', () => {
  it('gives back what parsing made', () => {
    const bytes = sample()
    const { parts, file } = make(bytes)
    const read = readBtfIndex(bytes, file.slice(), contentOf(bytes), SEAL)
    if (typeof read === 'string') throw new Error(read)
    expect(read.parts.shape).toEqual(parts.shape)
    const [before, after] = [attachBtf(parts, undefined), attachBtf(read.parts, undefined)]
    expect(after.typeOffsets).toEqual(before.typeOffsets)
    expect(after.nameIndex).toEqual(before.nameIndex)
    const name = { bytes: new TextEncoder().encode('struct_3'), offset: 0, length: 8 }
    expect(findCandidates(after, KIND.STRUCT, name, false, newWork())).toHaveLength(1)
  })

  it('is refused with any one of its bits changed, and when it is cut or grown', () => {
    const bytes = sample(2)
    const { file } = make(bytes)
    const taken: number[] = []
    for (let bit = 0; bit < 8 * file.length; bit++) {
      const changed = file.slice()
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      if (typeof readBtfIndex(bytes, changed, contentOf(bytes), SEAL) !== 'string') taken.push(bit)
    }
    expect(taken).toEqual([])
    for (let length = 0; length < file.length; length++) {
      expect(readBtfIndex(bytes, file.slice(0, length), contentOf(bytes), SEAL)).toBe('damaged')
    }
    const longer = new Uint8Array(file.length + 4)
    longer.set(file)
    expect(readBtfIndex(bytes, longer, contentOf(bytes), SEAL)).toBe('damaged')
  })

  it('is refused where somebody else made it, who knows the format and not the secret', () => {
    const bytes = sample()
    const { parts, file } = make(bytes)
    new Uint32Array(parts.index, 0, 1)[0] = 0
    finishBtfIndex(parts, contentOf(bytes), sealWith(new Uint8Array(32).fill(2)))
    expect(readBtfIndex(bytes, file, contentOf(bytes), SEAL)).toBe('damaged')
  })

  it('is refused for other BTF', () => {
    const [bytes, other] = [sample(2), sample(3)]
    expect(readBtfIndex(other, make(bytes).file, contentOf(other), SEAL)).toBe('damaged')
    const named = sample(2).fill(0x7a, -4, -1) // of the same size, with the same types
    expect(readBtfIndex(named, make(bytes).file, contentOf(named), SEAL)).toBe('damaged')
  })

  it('is outdated when it is of another version or of a machine of the other byte order', () => {
    const bytes = sample()
    const { file } = make(bytes)
    const footer = file.length - BTF_INDEX_FOOTER.SIZE
    const later = file.slice()
    new DataView(later.buffer).setUint8(footer + BTF_INDEX_FOOTER.version, BTF_INDEX_VERSION + 1)
    expect(readBtfIndex(bytes, later, contentOf(bytes), SEAL)).toBe('outdated')
    const swapped = file.slice()
    swapped.subarray(footer, footer + 4).reverse()
    expect(readBtfIndex(bytes, swapped, contentOf(bytes), SEAL)).toBe('outdated')
  })

  it('has the same bytes for the same BTF as long as its version is the same: raise the version when this fails', () => {
    const { file } = make(sample(40))
    const words = file.slice(0, file.length - BTF_INDEX_FOOTER.SIZE)
    expect([BTF_INDEX_VERSION, createHash('sha256').update(words).digest('hex').slice(0, 16)]).toMatchInlineSnapshot(`
      [
        3,
        "938bcbc80d9f3e10",
      ]
    `)
  })
})
