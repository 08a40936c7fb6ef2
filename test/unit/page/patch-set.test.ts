import { describe, expect, it } from 'vitest'
import { comparePatched } from '../../../page/model/patch-set.js'

const apply = (before: Uint8Array, patches: ReturnType<typeof comparePatched>): Uint8Array => {
  const after = before.slice()
  for (const { position, bytes } of patches) after.set(Buffer.from(bytes, 'hex'), position)
  return after
}

describe('the patches of a result', () => {
  it('are the places where it differs, with the new bytes', () => {
    const before = Uint8Array.from({ length: 40 }, (_, i) => i)
    const after = before.slice()
    after.set([0xff, 0xee], 10)
    after[39] = 0
    expect(comparePatched(before, after)).toEqual([{ position: 10, length: 2, bytes: 'ffee' }, { position: 39, length: 1, bytes: '00' }])
    expect(comparePatched(before, before)).toEqual([])
  })

  it('have a few equal bytes in one of them rather than a patch for each', () => {
    const before = new Uint8Array(16)
    const after = Uint8Array.from(before, (_, i) => i === 2 || i === 6 || i === 11 ? 1 : 0)
    expect(comparePatched(before, after)).toEqual([
      { position: 2, length: 5, bytes: '0100000001' }, { position: 11, length: 1, bytes: '01' }
    ])
  })

  it('make the result of the object, wherever they are', () => {
    let seed = 1
    const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below
    for (let run = 0; run < 200; run++) {
      const before = Uint8Array.from({ length: 64 }, () => random(256))
      const after = before.slice()
      for (let i = random(12); i > 0; i--) after[random(64)] = random(256)
      expect(apply(before, comparePatched(before, after))).toEqual(after)
    }
  })

  it('are refused for a file of another length', () => {
    expect(() => comparePatched(new Uint8Array(2), new Uint8Array(3))).toThrow('3 bytes, not 2')
  })
})
