import { Histogram, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { SeriesHistogram } from '../../../src/http/series-histogram.js'

const BUCKETS = [0.001, 0.25, 1]
const VALUES = [0, 0.001, 0.0011, 0.25, 0.9, 1, 1.5, 60]

describe('a histogram whose series are kept', () => {
  it('says in text and as values what the histogram of prom-client says of the same observations', async () => {
    const config = { name: 'seconds', help: 'Time of a thing.', labelNames: ['method', 'status'] as const, buckets: BUCKETS }
    const [ours, theirs] = [new Registry(), new Registry()]
    const kept = new SeriesHistogram({ ...config, registers: [ours] })
    const found = new Histogram({ ...config, registers: [theirs] })
    for (const labels of [{ method: 'GET', status: 200 }, { method: 'GET', status: 304 }, { method: 'PUT', status: 200 }]) {
      const series = kept.add(labels)
      for (const value of VALUES) {
        series.observe(value)
        found.observe(labels, value)
      }
    }
    expect(await ours.metrics()).toBe(await theirs.metrics())
    expect((await kept.get()).values).toMatchObject((await found.get()).values.map(({ metricName, labels, value }) =>
      ({ metricName, labels, value })))
  })
})
