// Writes the reference pages that the code itself knows best: docs/settings.md and docs/metrics.md.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createMetrics as createAgentMetrics } from '../dist/agent/metrics.js'
import { AGENT_SETTINGS } from '../dist/agent/settings.js'
import { SETTINGS } from '../dist/http/config.js'
import { createMetrics } from '../dist/http/metrics.js'

const docs = fileURLToPath(new URL('../docs/', import.meta.url))
const cell = text => text.replaceAll('|', '\\|')
const table = (head, rows) => [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows.map(row => `| ${row.map(cell).join(' | ')} |`)].join('\n')
const code = text => `\`${text}\``

writeFileSync(`${docs}settings.md`, `# Settings

Environment variables. They are checked at the start: a value that is not valid ends the process with a sentence that names the variable.
\`corelo serve --help\` and \`corelo agent --help\` print the same lists.

## The service

${table(['name', 'default', 'meaning'], SETTINGS.map(({ name, defaultText, meaning }) => [code(name), defaultText, meaning]))}

## The agent

An option goes before its variable.

${table(['variable', 'option', 'default', 'meaning'], Object.values(AGENT_SETTINGS).map(({ env, option, value, defaultText, meaning }) =>
  [code(env), option === undefined ? '' : code(`--${option}${value === undefined ? '' : ` ${value}`}`), defaultText, meaning]))}

## Fixed limits

Some limits cannot be set, because they bound the work that one input can cause. [\`src/limits.ts\`](../src/limits.ts) has them, each with its reason.
`)

const metricRows = metrics => metrics.filter(({ name }) => name.startsWith('corelo_')).map(({ name, help, labelNames = [] }) => [code(`${name}${labelNames.length === 0 ? '' : `{${labelNames.join(',')}}`}`), help])
writeFileSync(`${docs}metrics.md`, `# Metrics

In Prometheus' text format. Beside these, both have Node's own metrics of \`prom-client\`. No label of the service takes its values from a request.

## The service: \`GET /metrics\`

${table(['metric', 'is'], metricRows(createMetrics({}, () => 0).list()))}

## The agent: \`/metrics\` on \`CORELO_AGENT_PORT\`

${table(['metric', 'is'], metricRows(createAgentMetrics('').list()))}
`)
