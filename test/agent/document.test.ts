import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../src/agent/metrics.js'
import { ROOT } from '../cli/corelo.js'

describe('docs/metrics.md', () => {
  const text = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8')

  it('names every metric of the agent', async () => {
    const metrics = (await createMetrics('1').render()).text.matchAll(/^# TYPE (corelo_\w+)/gm)
    for (const [, name = ''] of metrics) expect(text).toContain(`\`${name}`)
  })
})
