import { describe, expect, it } from 'vitest'
import { createResults } from '../../../src/relocation/results.js'
import { sha256 } from '../../../src/store/sha256.js'
import type { RelocatedObject } from '../../../src/workers/protocol.js'

function createLab (memoryBytes: number) {
  const evicted: unknown[] = []
  const released: number[] = []
  const results = createResults({ memoryBytes, onEvict: outcome => evicted.push(outcome), onRelease: bytes => released.push(bytes) })
  return { results, evicted, released }
}

function relocated (result: string, patches = 1): RelocatedObject & { fetchMs: number } {
  return {
    patches: { offsets: new Uint32Array(patches), before: new Uint8Array(8 * patches), after: new Uint8Array(8 * patches) },
    sha256: sha256(result),
    counts: { resolved: patches, absent: 0, poisoned: 0, failed: 0 },
    verdict: 'loads',
    assumes: [],
    isJudged: false,
    isAlreadyRelocated: false,
    report: undefined,
    parseMs: 1,
    relocateMs: 1,
    fetchMs: 1
  }
}

const OBJECT = sha256('object')

describe('held results', () => {
  it('share the bytes of their object, and those that are equal their patches', () => {
    const { results } = createLab(1e6)
    const [a, b, c] = ['same', 'same', 'other'].map((result, i) =>
      results.set(`kernel ${i}`, OBJECT, new Uint8Array(1000), relocated(result)))
    expect(b?.object).toBe(a?.object)
    expect(c?.object).toBe(a?.object)
    expect(b?.patches).toBe(a?.patches)
    expect(c?.patches).not.toBe(a?.patches)
    expect(results.get('kernel 1')).toBe(b)
  })

  it('do not share patches with an equal result of another object', () => {
    const { results } = createLab(1e6)
    const a = results.set('a', OBJECT, new Uint8Array(10), relocated('same'))
    expect(results.set('b', sha256('another object'), new Uint8Array(10), relocated('same')).patches).not.toBe(a.patches)
  })

  it('of 50 kernels weigh less than a tenth of what their bytes would', () => {
    const { results } = createLab(1e9)
    for (let object = 0; object < 20; object++) {
      for (let kernel = 0; kernel < 50; kernel++) {
        results.set(`${object} ${kernel}`, sha256(`${object}`), new Uint8Array(30_000), relocated(`${object} ${kernel}`, 40))
      }
    }
    expect(results.entries).toBe(1000)
    expect(results.size).toBeLessThan(1000 * 30_000 / 10)
  })

  it('weigh what their report does: those without one stay where those with one have to go', () => {
    const report: RelocatedObject['report'] = {
      members: Buffer.alloc(200_000),
      byteOrder: 'little',
      changedInstructions: 1,
      failing: Buffer.alloc(100_000),
      failure: undefined,
      hasMorePlaces: false,
      missingTypes: []
    }
    const { results: plain } = createLab(1e6)
    const { results: reported, evicted } = createLab(1e6)
    for (let i = 0; i < 10; i++) {
      plain.set(`kernel ${i}`, OBJECT, new Uint8Array(1000), relocated(`${i}`))
      reported.set(`kernel ${i}`, OBJECT, new Uint8Array(1000), { ...relocated(`${i}`), report })
    }
    expect(plain.entries).toBe(10)
    expect(reported.entries).toBe(3)
    expect(evicted).toHaveLength(7)
    expect(reported.size).toBeGreaterThan(900_000)
    expect(reported.size).toBeLessThanOrEqual(1e6)
  })

  it('count their objects, and give them back with the last result of each', () => {
    const { results, evicted, released } = createLab(100_000)
    results.set('a 1', sha256('a'), new Uint8Array(60_000), relocated('1'))
    results.set('a 2', sha256('a'), new Uint8Array(60_000), relocated('2'))
    expect(results.size).toBeGreaterThan(60_000)
    expect(results.size).toBeLessThan(70_000)
    results.set('b 1', sha256('b'), new Uint8Array(60_000), relocated('3'))
    expect(evicted).toHaveLength(2)
    expect(released).toEqual([60_000])
    expect(results.get('b 1')).toBeDefined()
    expect(results.size).toBeLessThan(70_000)
  })

  it('let go of one that is larger than all the memory there is', () => {
    const { results, released } = createLab(10_000)
    expect(results.set('a', OBJECT, new Uint8Array(60_000), relocated('1')).object).toHaveLength(60_000)
    expect(results.set('b', OBJECT, new Uint8Array(60_000), relocated('2', 1000)).patches.offsets).toHaveLength(1000)
    expect(released).toEqual([60_000, 60_000])
    expect([results.size, results.entries]).toEqual([0, 0])
  })

  it('replace one of the same key', () => {
    const { results, evicted } = createLab(1e6)
    const first = results.set('a', OBJECT, new Uint8Array(10), relocated('1'))
    results.set('a', OBJECT, new Uint8Array(10), relocated('2'))
    expect(evicted).toEqual([first])
    expect(results.entries).toBe(1)
  })
})
