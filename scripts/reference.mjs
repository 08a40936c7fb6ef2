// Writes the reference pages that the code itself knows best: settings, metrics, reasons and warnings, the attestation, the library.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createMetrics as createAgentMetrics } from '../dist/agent/metrics.js'
import { PREDICATE_MEMBERS, serializeStatement } from '../dist/attestation/statement.js'
import { createMetrics } from '../dist/http/metrics.js'
import { REASONS, WARNINGS } from '../dist/report/meanings.js'
import { LISTED } from '../dist/settings/listed-settings.js'
import { readLibrary } from './reference/library.mjs'

const docs = fileURLToPath(new URL('../docs/', import.meta.url))
const cell = text => text.replaceAll('|', '\\|')
const table = (head, rows) =>
  [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows.map(row => `| ${row.map(cell).join(' | ')} |`)].join('\n')
const code = text => `\`${text}\``

const settingRows = settings => settings.map(({ env, option, kind, defaultText, meaning }) => [
  code(env),
  option === undefined ? '' : code(`--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`),
  kind.must.replaceAll('<', '&lt;'),
  defaultText,
  meaning
])
const settingTable = settings => table(['variable', 'option', 'value', 'default', 'meaning'], settingRows(settings))
writeFileSync(`${docs}settings.md`, `# Settings

corelo is configured by environment variables, some of which have an option too. If both are set, the option wins. Values are checked at
the start: if one is not valid, the process ends with a sentence that names it. \`corelo serve --help\` and \`corelo agent --help\` print
the same lists.

## The service

${settingTable(LISTED.service)}

## The agent

${settingTable(LISTED.agent)}

## Fixed limits

Some limits cannot be set, because they bound the work that one input can cause. [\`src/limits.ts\`](../src/limits.ts) has them, each with
its reason.
`)

const metricRows = metrics => metrics.filter(({ name }) => name.startsWith('corelo_')).map(({ name, help, labelNames = [] }) =>
  [code(`${name}${labelNames.length === 0 ? '' : `{${labelNames.join(',')}}`}`), help])
writeFileSync(`${docs}metrics.md`, `# Metrics

Metrics are in Prometheus' text format. Besides these, the service and the agent have Node's own metrics of \`prom-client\`. No label of the
service takes its values from a request.

## The service: \`GET /metrics\`

${table(['metric', 'meaning'], metricRows(createMetrics({}, () => 0).list()))}

## The agent: \`/metrics\` on \`CORELO_AGENT_PORT\`

${table(['metric', 'meaning'], metricRows(createAgentMetrics('').list()))}
`)

const reasonRows = group =>
  Object.entries(REASONS).filter(([, reason]) => reason.group === group).map(([name, { meaning }]) => [code(name), meaning])
writeFileSync(`${docs}reasons.md`, `# Reasons and warnings

## \`reason\` of a relocation

Each relocation in the [report](report.md) that is not plainly resolved has a \`reason\` for programs and a \`detail\` for people.

### \`poisoned\` or \`absent\`: the kernel has no value

An existence check (\`bpf_core_field_exists()\` and the like) is \`absent\`: it answers 0, and that is no error. Any other relocation is
\`poisoned\`: the kernel refuses the program if it can reach the instruction.

${table(['reason', 'meaning'], reasonRows('no value'))}

### \`resolved\`: a value is written, and the program may still be wrong

${table(['reason', 'meaning'], reasonRows('resolved'))}

### \`failed\`: libbpf refuses the object

One such relocation makes the answer 422 \`relocation_failed\`. Change the program; the BTF of another kernel is no replacement.

${table(['reason', 'meaning'], reasonRows('refused'))}

## \`warnings\` of a report

The result is good, apart from what a warning says.

${table(['code', 'meaning'], Object.entries(WARNINGS).map(([name, meaning]) => [code(name), meaning]))}
`)

const hash = digit => `sha256:${digit.repeat(64)}`
const example = JSON.parse(serializeStatement({
  resultSha256: hash('1'),
  objectSha256: hash('2'),
  btfSha256: hash('3'),
  moduleSha256s: [hash('4')],
  kernel: 'ubuntu/20.04/x86_64/5.4.0-42-generic',
  engine: { name: 'corelo', version: '1.0.0', semantics: 'libbpf 1.8' },
  findings: { verdict: 'loads', assumes: ['.rodata.enabled = 0'], counts: { resolved: 12, absent: 3, poisoned: 0 } }
}))
writeFileSync(`${docs}attestation.md`, `# The attestation

Each result has an attestation: a [DSSE](https://github.com/secure-systems-lab/dsse) envelope, signed with Ed25519, around an
[in-toto statement](https://github.com/in-toto/attestation/blob/v1.0/spec/v1.0/statement.md). The header \`Corelo-Attestation\` has the
envelope in base64, and multipart answers have it as the part \`attestation\`. \`corelo keys verify\` verifies it
([keys](access.md#attestations)).

## Predicate \`${example.predicateType}\`

${table(['member', 'meaning'], Object.entries(PREDICATE_MEMBERS).map(([name, meaning]) => [code(name), meaning]))}

## Example

\`\`\`json
${JSON.stringify(example, null, 2)}
\`\`\`
`)

const { functions, options } = readLibrary()
const optionTable = rows => table(
  ['option', 'type', 'meaning'], rows.map(({ name, type, text }) => [code(name), code(type), text])
)
writeFileSync(`${docs}library.md`, `# The library

The engine runs in your own process. This relocates an object for the running kernel and prints what became of each relocation:

\`\`\`ts
import { readFileSync, writeFileSync } from 'node:fs'
import { applyPatches, describeRelocation, parseBtf, parseObject, relocate } from 'corelo'

const object = parseObject(readFileSync('exec.bpf.o'))
const kernel = parseBtf(readFileSync('/sys/kernel/btf/vmlinux'))
const relocation = relocate(object, kernel)
if (relocation.patches !== undefined) writeFileSync('exec.relocated.bpf.o', applyPatches(object.bytes, relocation.patches))
console.log(describeRelocation(object, relocation).relocations)
\`\`\`

The functions are pure functions over bytes. They import no package and nothing of Node. Input that cannot be read throws an \`AppError\`,
whose \`code\` is one of [these](errors.md).

## Functions

${table(['function', 'does'], functions.map(({ signature, text }) => [code(signature), text]))}

## Options

${options.map(({ name, rows }) => `### \`${name}\`\n\n${optionTable(rows)}`).join('\n\n')}
`)
