import { describe, expect, it } from 'vitest'
import { createBtfMemory, residentBytes, sharedKey, type SharedBtf } from '../../../src/store/btf-memory.js'
import { createSingleFlight } from '../../../src/store/single-flight.js'
import { sha256 } from '../../../src/store/sha256.js'
import { createWriteBehind } from '../../../src/store/write-behind.js'
import { parseBtfParts } from '../../../src/btf/parse.js'
import { richTarget } from '../../support/corpus.js'

function shared (name: string, base?: string): SharedBtf {
  const parts = parseBtfParts(richTarget().bytes(), { allocate: size => new SharedArrayBuffer(size) })
  return {
    key: sharedKey(sha256(name), base === undefined ? undefined : sha256(base)),
    sha256: sha256(name),
    parts,
    types: parts.shape.endId - 1,
    isSealed: false
  }
}

describe('BTF in memory', () => {
  it('loads once for all who ask at a time, and not again while it is there', async () => {
    const memory = createBtfMemory({ maxBytes: 1 << 20 })
    let loads = 0
    const load = async (): Promise<SharedBtf> => { loads++; return shared('a') }
    const all = await Promise.all(Array.from({ length: 10 }, () => memory.get(sha256('a'), load)))
    expect(new Set(all).size).toBe(1)
    await memory.get(sha256('a'), load)
    expect(loads).toBe(1)
    expect(memory.peek(sha256('a'))).toBe(all[0])
  })

  it('gives a failed load to all who waited, and tries again for the next', async () => {
    const memory = createBtfMemory({ maxBytes: 1 << 20 })
    let loads = 0
    const fail = async (): Promise<SharedBtf> => { loads++; throw new Error('no') }
    const outcomes = await Promise.allSettled([memory.get('k', fail), memory.get('k', fail)])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await expect(memory.get('k', fail)).rejects.toThrow('no')
    expect(loads).toBe(2)
  })

  it('keeps to its budget, lets the least recently used go, and says so', () => {
    const size = residentBytes(shared('a'))
    const released: number[] = []
    const memory = createBtfMemory({ maxBytes: 2 * size, onRelease: bytes => released.push(bytes) })
    for (const name of ['a', 'b']) memory.put(shared(name))
    memory.peek(sha256('a'))
    memory.put(shared('c'))
    expect(['a', 'b', 'c'].map(name => memory.peek(sha256(name)) !== undefined)).toEqual([true, false, true])
    expect(released).toEqual([size])
    expect(memory.stats()).toMatchObject({ bytes: 2 * size, entries: 2, evictions: 1 })
  })

  it('serves a BTF that is larger than its budget without keeping it', async () => {
    const released: number[] = []
    const memory = createBtfMemory({ maxBytes: 10, onRelease: bytes => released.push(bytes) })
    expect(await memory.get('k', async () => shared('a'))).toMatchObject({ sha256: sha256('a') })
    expect(memory.stats().entries).toBe(0)
    expect(released).toHaveLength(1)
  })

  it('finds a module by its hash alone, though it is kept with its base', () => {
    const memory = createBtfMemory({ maxBytes: 1 << 20 })
    memory.put(shared('module', 'vmlinux'))
    expect(memory.peek(sha256('module'))).toBeUndefined()
    expect(memory.find(sha256('module'))?.sha256).toBe(sha256('module'))
  })
})

describe('single flight', () => {
  it('forgets work when it is done, whether it failed or not', async () => {
    const flights = createSingleFlight<number>()
    const first = flights.run('k', async () => 1)
    expect(flights.run('k', async () => 2)).toBe(first)
    expect([await first, flights.size, await flights.run('k', async () => 3)]).toEqual([1, 0, 3])
    await expect(flights.run('f', async () => { throw new Error('no') })).rejects.toThrow('no')
    expect(flights.size).toBe(0)
  })
})

describe('writing behind', () => {
  it('goes at once for a burst, then keeps its pace, and catches up when it is closed', async () => {
    const behind = createWriteBehind({ burst: 3, perSecond: 5, maxBytes: 1000 })
    let written = 0
    for (let i = 0; i < 8; i++) behind.add(1, async () => { written++ })
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(written).toBe(3)
    await behind.close()
    expect(written).toBe(8)
  })

  it('drops what finds no room, and what comes after the end, and survives failures', async () => {
    const behind = createWriteBehind({ burst: 1, perSecond: 1, maxBytes: 10 })
    const written: number[] = []
    behind.add(6, async () => { throw new Error('disk full') })
    await new Promise(resolve => setTimeout(resolve, 10))
    for (const bytes of [6, 6, 4]) behind.add(bytes, async () => { written.push(bytes) })
    expect(behind.dropped).toBe(1)
    await behind.close()
    behind.add(1, async () => { written.push(1) })
    expect(written).toEqual([6, 4])
    expect(behind.dropped).toBe(2)
  })
})
