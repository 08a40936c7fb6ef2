import { describe, expect, it } from 'vitest'
import { createOutcomes } from '../../../src/fetch/refusals.js'
import type { Refusal } from '../../../src/fetch/refusal.js'

const HOUR = 3_600_000

describe('what a source refused', () => {
  it.each<[Refusal['state'], number | undefined, number, number]>([
    ['absent', undefined, HOUR, HOUR],
    ['malformed', undefined, 24 * HOUR, 24 * HOUR],
    ['denied', undefined, HOUR, HOUR],
    ['failed', undefined, 24_000, 36_000],
    ['timeout', undefined, 24_000, 36_000],
    ['busy', undefined, 24_000, 36_000],
    ['busy', 7_000, 7_000, 7_000],
    ['failed', 120_000, 120_000, 120_000],
    ['absent', 30_000, 30_000, 30_000],
    ['busy', 0, 1_000, 1_000]
  ])('%s, with a wish of %s ms, is believed for between %d and %d ms', (state, retryAfterMs, least, most) => {
    let now = 1
    const outcomes = createOutcomes({}, { now: () => now })
    const refusal: Refusal = { state, answer: 'no', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
    for (let i = 0; i < 100; i++) outcomes.keep(String(i), refusal)
    now += least - 1
    for (let i = 0; i < 100; i++) expect(outcomes.get(String(i))).toMatchObject({ state, answer: 'no' })
    now += most - least + 2
    for (let i = 0; i < 100; i++) expect(outcomes.get(String(i))).toBeUndefined()
  })

  it('differs in its lifetime where it may pass, so that replicas do not come back together', () => {
    const outcomes = createOutcomes()
    for (let i = 0; i < 50; i++) outcomes.keep(String(i), { state: 'failed', answer: 'no' })
    const left = Array.from({ length: 50 }, (_, i) => outcomes.get(String(i))?.leftMs ?? 0)
    expect(Math.max(...left) - Math.min(...left)).toBeGreaterThan(2_000)
  })

  it('is bounded in number, so that names that nobody has cannot fill the memory', () => {
    const outcomes = createOutcomes()
    for (let i = 0; i < 25_000; i++) outcomes.keep(String(i), { state: 'absent', answer: 'no' })
    expect(outcomes.size).toBe(20_000)
  })
})
