import { describe, expect, it } from 'vitest'
import { createSummaryCounter } from '../../../src/check/summary.js'

describe('the time in a summary', () => {
  it('is that since the check began, where its forms are written later', () => {
    const { ms } = createSummaryCounter([], { started: performance.now() - 5_000 }).summary()
    expect(ms).toBeGreaterThanOrEqual(5_000)
  })
})
