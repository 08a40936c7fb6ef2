import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../src/agent/metrics.js'
import { AGENT_SETTINGS } from '../../src/agent/settings.js'
import { ROOT } from '../cli/corelo.js'

describe('docs/agent.md', () => {
  const text = readFileSync(join(ROOT, 'docs/agent.md'), 'utf8')

  it('lists the settings as they are', () => {
    const rows = text.split('\n').filter(line => /^\| `CORELO_/.test(line))
    expect(rows).toEqual(Object.values(AGENT_SETTINGS).map(({ env, option, value, defaultText, meaning }) => {
      const shown = option === undefined ? '' : `\`--${option}${value === undefined ? '' : ` ${value.replaceAll('|', '\\|')}`}\``
      return `| \`${env}\` | ${shown} | ${defaultText} | ${meaning} |`
    }))
  })

  it('names every metric', async () => {
    const metrics = (await createMetrics('1').render()).text.matchAll(/^# TYPE (corelo_\w+)/gm)
    for (const [, name = ''] of metrics) expect(text).toContain(`\`${name}`)
  })
})
