import { describe, expect, it } from 'vitest'
import { createPlaces } from '../../../src/check/places.js'

describe('places of checks', () => {
  it('are left for others by a caller who takes all that one may have', () => {
    const places = createPlaces({ atOnceOfCaller: 2, atOnce: 3 })
    const leave = places.take('greedy')
    places.take('greedy')
    expect(() => places.take('greedy')).toThrow(expect.objectContaining({ code: 'rate_limited', details: { limit: 2, retry_after: 5 } }))
    places.take('another')
    expect(() => places.take('a third')).toThrow(expect.objectContaining({ code: 'overloaded' }))
    leave()
    leave()
    expect(places.taken).toBe(2)
    places.take('greedy')
    expect(places.taken).toBe(3)
  })
})
