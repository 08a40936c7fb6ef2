import { describe, expect, it } from 'vitest'
import { parseBtf, relocate } from '../../../src/core/index.js'
import { sha256 } from '../../../src/store/sha256.js'
import { createParsedObjects, weightOf, type ParsedObjects } from '../../../src/workers/parsed-objects.js'
import { fooBtf, fooObject } from '../service/lab.js'

function relocateAndHold (objects: ParsedObjects, bytes: Uint8Array) {
  const object = objects.get(sha256(bytes), bytes)
  relocate(object, parseBtf(fooBtf()))
  objects.hold(sha256(bytes), object)
  return object
}

const weight = weightOf(createParsedObjects(1).get(sha256(fooObject()), fooObject()))

describe('the parsed objects of a worker', () => {
  it('are parsed once, for however many kernels', () => {
    const objects = createParsedObjects(10 * weight)
    const object = relocateAndHold(objects, fooObject(1))
    expect(relocateAndHold(objects, fooObject(2))).not.toBe(object)
    expect(relocateAndHold(objects, fooObject(1))).toBe(object)
    expect(objects.entries).toBe(2)
  })

  it('go when others take their room, the least recently used first', () => {
    const objects = createParsedObjects(2 * weight)
    const [first, second] = [relocateAndHold(objects, fooObject(1)), relocateAndHold(objects, fooObject(2))]
    relocateAndHold(objects, fooObject(1))
    relocateAndHold(objects, fooObject(3))
    expect(objects.entries).toBe(2)
    expect(relocateAndHold(objects, fooObject(1))).toBe(first)
    expect(relocateAndHold(objects, fooObject(2))).not.toBe(second)
  })

  it('are not kept where one alone is too large', () => {
    const objects = createParsedObjects(weight - 1)
    relocateAndHold(objects, fooObject(1))
    expect(objects.entries).toBe(0)
  })

  it('are let go of all at once', () => {
    const objects = createParsedObjects(10 * weight)
    const object = relocateAndHold(objects, fooObject(1))
    objects.clear()
    expect(relocateAndHold(objects, fooObject(1))).not.toBe(object)
  })
})
