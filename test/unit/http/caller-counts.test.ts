import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createCallerCounts } from '../../../src/http/caller-counts.js'

describe('requests of a caller', () => {
  it('are counted within the minute that began with the first of them, each caller\'s alone', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
    onTestFinished(() => { vi.useRealTimers() })
    const counts = createCallerCounts(2)
    expect([counts.isSpent('a'), counts.count('a')]).toEqual([false, { current: 1, ttl: 60_000 }])
    vi.setSystemTime(1_020_000)
    expect([counts.isSpent('a'), counts.count('a')]).toEqual([false, { current: 2, ttl: 40_000 }])
    expect([counts.isSpent('a'), counts.isSpent('b'), counts.count('a')]).toEqual([true, false, { current: 3, ttl: 40_000 }])
    vi.setSystemTime(1_060_000)
    expect([counts.isSpent('a'), counts.count('a')]).toEqual([false, { current: 1, ttl: 60_000 }])
  })
})
