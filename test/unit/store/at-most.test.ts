import { LRUCache } from 'lru-cache'
import { describe, expect, it } from 'vitest'
import { atMost } from '../../../src/store/at-most.js'

describe('a bound of entries', () => {
  it('holds, and lets go of what was used longest ago', () => {
    const cache = new LRUCache<number, string>(atMost(3))
    for (const key of [1, 2, 3]) cache.set(key, `value ${key}`)
    cache.get(1)
    cache.set(4, 'value 4')
    cache.set(4, 'another value')
    expect([...cache.entries()].toSorted()).toEqual([[1, 'value 1'], [3, 'value 3'], [4, 'another value']])
  })

  it('takes no room for entries that are not there', () => {
    expect(() => new LRUCache<number, string>(atMost(Number.MAX_SAFE_INTEGER))).not.toThrow()
  })
})
