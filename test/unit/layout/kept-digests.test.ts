import { describe, expect, it } from 'vitest'
import { createKeptDigests, findKept, keep, LONGEST_KEPT, VALUE_WORDS, type KeptDigests } from '../../../src/layout/kept-digests.js'
import { random } from '../../differential/random/random.js'

const KEPT_BYTES = 64 * 1024

/** Room for some 150 texts of those below. */
function smallMemory (): KeptDigests { return createKeptDigests(KEPT_BYTES / 4, 256) }

function wordsOf (...values: number[]): Int32Array { return Int32Array.from(values) }

/** What is kept with a text in these tests: other words for each. */
function valueOf (text: Int32Array): number[] {
  const sum = text.reduce((all, word, i) => (all + Math.imul(word ^ i, 0x01000193)) | 0, text.length)
  return Array.from({ length: VALUE_WORDS }, (_, i) => sum ^ i)
}

/** As a walk asks for it: looked for, and kept where it is not found. @returns what was found */
function meet (kept: KeptDigests, text: Int32Array): number[] | undefined {
  const before = 3 // it stands behind others, as in a walk
  const all = new Int32Array(before + text.length + 1)
  all.set(text, before)
  const value = new Int32Array(1 + VALUE_WORDS + 1).fill(7)
  const isFound = findKept(kept, all, before, before + text.length, value, 1)
  if (value[0] !== 7 || value[1 + VALUE_WORDS] !== 7) throw new Error('more was written than the value')
  if (isFound) return Array.from(value.subarray(1, 1 + VALUE_WORDS))
  keep(kept, all, before, before + text.length, Int32Array.from(valueOf(text)), 0)
  return undefined
}

describe('a text whose digest is kept', () => {
  it('is found from the third time on that it is met: what comes once takes no room', () => {
    const kept = smallMemory()
    const text = wordsOf(4, 0x6b736174, 0, 64)
    expect([meet(kept, text), meet(kept, text)]).toEqual([undefined, undefined])
    expect(meet(kept, text)).toEqual(valueOf(text))
  })

  it('is not taken for another that is longer, shorter, or has one other word', () => {
    const kept = smallMemory()
    const text = wordsOf(4, 0x6b736174, 0, 64, 0, -1)
    for (let i = 0; i < 3; i++) meet(kept, text)
    const others = [text.subarray(0, 5), text.subarray(1), wordsOf(...text, 0), ...text.keys()].map(other => {
      if (typeof other !== 'number') return other
      const changed = text.slice()
      changed[other] = (changed[other] ?? 0) ^ 0x80000000
      return changed
    })
    expect(others.map(other => meet(kept, other))).toEqual(others.map(() => undefined))
    expect(meet(kept, text)).toEqual(valueOf(text))
  })

  it('is told apart from another that has the same hash', () => {
    const kept = smallMemory()
    const byHash = new Map<number, Int32Array>()
    const pairs: Array<[Int32Array, Int32Array]> = []
    const draw = random(1)
    while (pairs.length < 3) { // some 100,000 texts for each
      const text = wordsOf(4, draw.nat(0x7fffffff), draw.nat(0x7fffffff))
      findKept(kept, text, 0, text.length, new Int32Array(VALUE_WORDS), 0)
      const other = byHash.get(kept.hash)
      if (other === undefined) byHash.set(kept.hash, text)
      else if (other.join() !== text.join()) pairs.push([other, text])
    }
    for (const [one, other] of pairs) {
      for (let i = 0; i < 3; i++) [one, other].forEach(text => meet(kept, text))
      expect([meet(kept, one), meet(kept, other)]).toEqual([valueOf(one), valueOf(other)])
    }
  })

  it('is found as long as it is met again and again, and forgotten after many others', () => {
    const kept = smallMemory()
    const [usual, rare] = [wordsOf(1, 2, 3), wordsOf(4, 5, 6)]
    for (let i = 0; i < 3; i++) [usual, rare].forEach(text => meet(kept, text))
    for (let i = 0; i < 1000; i++) {
      const text = new Int32Array(100).fill(i)
      for (let times = 0; times < 3; times++) meet(kept, text)
      expect(meet(kept, usual)).toEqual(valueOf(usual))
    }
    expect(meet(kept, rare)).toBeUndefined()
  })

  it('is not kept where it is longer than most', () => {
    const kept = smallMemory()
    const [longest, longer] = [new Int32Array(LONGEST_KEPT).fill(5), new Int32Array(LONGEST_KEPT + 1).fill(5)]
    const found = Array.from({ length: 4 }, () => [longest, longer].map(text => meet(kept, text) !== undefined))
    expect(found).toEqual([[false, false], [false, false], [true, false], [true, false]])
  })
})

describe('the memory of kept digests', () => {
  it('is never more than at first, and what is found in it is always what was kept with that text', () => {
    const kept = smallMemory()
    const draw = random(2)
    const texts = Array.from({ length: 600 }, () => Int32Array.from({ length: 2 + draw.nat(LONGEST_KEPT + 3) }, () => draw.nat(3)))
    const { words, slots } = kept
    const wrong: Int32Array[] = []
    let found = 0
    for (let i = 0; i < 20_000; i++) {
      const near = Math.floor(i / 100) // other texts as time goes on, of which a few come again
      const text = texts[(near + draw.nat(31)) % texts.length] ?? wordsOf()
      const value = meet(kept, text)
      if (value === undefined) continue
      found++
      if (value.join() !== valueOf(text).join()) wrong.push(text)
    }
    expect(wrong).toEqual([])
    expect(found).toBeGreaterThan(10_000)
    expect([kept.words, kept.slots]).toEqual([words, slots])
    expect(words.byteLength).toBe(KEPT_BYTES)
  })
})
