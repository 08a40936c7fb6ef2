import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/store/sha256.js'
import { createObjectMemory, type ObjectMemory } from '../../../src/relocation/object-memory.js'

function memoryOf (objects: readonly Uint8Array[], maxBytes = 1_000_000): ObjectMemory {
  const memory = createObjectMemory(maxBytes, () => {})
  for (const object of objects) memory.set(sha256(object), object)
  return memory
}

/** Objects of one length that differ in one byte each. */
function alike (count: number, bytes = 4096): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new Uint8Array(bytes).fill(7).with(i + 1, 9))
}

describe('an object in memory', () => {
  it('is recognised by its bytes, wherever they are', () => {
    const object = Buffer.from('\x7fELF and more')
    const shared = new Uint8Array(new SharedArrayBuffer(object.length))
    shared.set(object)
    const memory = memoryOf([shared])
    expect(memory.recognise(object)).toBe(sha256(object))
    expect(memory.recognise(new Uint8Array([0, ...object]).subarray(1))).toBe(sha256(object))
  })

  it('is told from those that differ in a single byte', () => {
    const [known = expect.fail(), ...others] = alike(200)
    const memory = memoryOf([known])
    expect(others.map(other => memory.recognise(other)).filter(hash => hash !== undefined)).toEqual([])
    expect(memory.recognise(known)).toBe(sha256(known))
  })

  it('is never taken for another, whatever else is held', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 80, max: 2 })
    fc.assert(fc.property(fc.array(bytes, { maxLength: 20 }), bytes, (held, asked) => {
      const found = memoryOf(held, 400).recognise(asked)
      expect([undefined, sha256(asked)]).toContain(found)
    }))
  })

  it('may go unrecognised where many are alike, the latest not', () => {
    const objects = alike(10)
    const memory = memoryOf(objects)
    expect(memory.recognise(objects.at(-1) ?? expect.fail())).toBe(sha256(objects.at(-1) ?? expect.fail()))
    expect(memory.entries).toBe(10)
  })

  it('is forgotten with its memory, which is told', () => {
    const released: number[] = []
    const memory = createObjectMemory(10_000, bytes => { released.push(bytes) })
    const objects = alike(3)
    for (const object of objects) memory.set(sha256(object), object)
    expect(released).toEqual([4096])
    expect(objects.map(object => memory.recognise(object) === sha256(object))).toEqual([false, true, true])
    expect([memory.size, memory.entries]).toEqual([8192, 2])
  })

  it('stays longest when it is asked for', () => {
    const [first = expect.fail(), second = expect.fail(), third = expect.fail()] = alike(3)
    const memory = memoryOf([first, second], 10_000)
    memory.recognise(first)
    memory.set(sha256(third), third)
    expect([first, second, third].map(object => memory.has(sha256(object)))).toEqual([true, false, true])
  })

  it('that is larger than the memory is not held', () => {
    const [object = expect.fail()] = alike(1)
    const memory = memoryOf([object], 100)
    expect(memory.recognise(object)).toBeUndefined()
    expect(memory.get(sha256(object))).toBeUndefined()
  })
})
