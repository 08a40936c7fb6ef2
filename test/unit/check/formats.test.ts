import { SaxesParser } from 'saxes'
import { describe, expect, it } from 'vitest'
import { compared, createBaseline } from '../../../src/check/baseline.js'
import { createBatches } from '../../../src/check/cell-batches.js'
import type { Cell, CellBatch, Cells } from '../../../src/check/cells.js'
import { FORMATS, PAGE_POLICY, type FormatType } from '../../../src/check/formats/formats.js'
import { endingCells } from '../../../src/check/formats/writer.js'
import { parseEarlier } from '../../../src/check/parse.js'
import { createSummaryCounter } from '../../../src/check/summary.js'
import type { CheckGroup, CheckOutcome, CheckSummary } from '../../../src/check/wire.js'
import { AppError } from '../../../src/errors.js'
import type { OutcomeFailure } from '../../../src/report/outcome.js'
import { sha256 } from '../../../src/store/sha256.js'
import type { ReportProgram, ReportWarning } from '../../../src/wire/report.js'

const EVIL = '<script>alert("1")</script>\'&]]>\u0000\u001b[31m\u202e\ud800 -->'
const LOADS: CheckOutcome = { state: 'loads', reason: null, programs: [], failures: [], failures_total: 0 }
const FAILS: CheckOutcome = {
  state: 'fails',
  reason: EVIL,
  programs: [],
  failures: [{
    program: EVIL,
    section: EVIL,
    instruction: 12,
    reachable: true,
    source: { file: `//host/javascript:${EVIL}`, line: 0, text: EVIL },
    kind: 'byte_off',
    type: EVIL,
    access: EVIL,
    reason: 'field_missing',
    detail: EVIL,
    suggestions: [{ text: EVIL, code: `${EVIL}\n${EVIL}` }]
  }],
  failures_total: 3
}
const UNKNOWN: CheckOutcome = { state: 'unknown_kernel', reason: 'No BTF.', programs: [], failures: [], failures_total: 0 }

const object = { name: EVIL, sha256: sha256('evil') }
const CELLS: readonly Cell[] = [
  { object, kernel: 'a/1/x86_64/1', outcome: LOADS },
  { object, kernel: 'a/1/x86_64/2', outcome: FAILS },
  { object, kernel: 'a/1/x86_64/3', outcome: FAILS },
  { object, kernel: 'nowhere', outcome: UNKNOWN }
]

interface CheckOfGroups { readonly rows: readonly CheckGroup[], readonly summary: CheckSummary }

/** Of an object with one program, whose verdict rests on its kernel's version and on a variable. */
function loadsOn (version: string, on: string): CheckOutcome {
  const program: ReportProgram = {
    name: 'p',
    section: 'kprobe/p',
    verdict: 'loads',
    verdict_reason: null,
    needs_kernel_btf: null,
    relocations: 1,
    assumes: [`.rodata.on = ${on}`, `LINUX_KERNEL_VERSION = ${version}`]
  }
  return { ...LOADS, programs: [program] }
}

async function * iterate (cells: readonly Cell[], failure?: AppError): AsyncGenerator<CellBatch> {
  const batchOf = createBatches()
  for (const cell of cells) yield batchOf([cell])
  if (failure !== undefined) throw failure
}

interface WriteOptions {
  readonly isGrouped?: boolean
  readonly failure?: AppError
  readonly cells?: Cells
  readonly heartbeat?: string
  /** Of the object. */
  readonly warning?: ReportWarning
}

async function write (type: FormatType, {
  isGrouped = false, failure, cells = iterate(CELLS, failure), heartbeat = '', warning
}: WriteOptions = {}): Promise<string> {
  const counter = createSummaryCounter([object])
  const ending = endingCells(cells, counter, error => error as AppError)
  let text = ''
  const objects = [{ ...object, warning }]
  for await (const piece of FORMATS[type]({ objects, counter, isGrouped, ...ending })) text += String(piece) + heartbeat
  return text
}

/** What the schemas of Ant's and Jenkins' JUnit XML both take: attributes with whether they must be there, and children in their order. */
const JUNIT: Readonly<Record<string, { readonly attributes: Readonly<Record<string, boolean>>, readonly children: RegExp }>> = {
  testsuites: { attributes: {}, children: /^(testsuite )*$/ },
  testsuite: {
    attributes: {
      name: true,
      package: true,
      id: true,
      tests: true,
      failures: true,
      errors: true,
      time: true,
      timestamp: true,
      hostname: true,
      skipped: false
    },
    children: /^properties (testcase )*system-out system-err $/
  },
  properties: { attributes: {}, children: /^(property )*$/ },
  property: { attributes: { name: true, value: true }, children: /^$/ },
  testcase: { attributes: { name: true, classname: true, time: true }, children: /^((skipped|error|failure) )?$/ },
  skipped: { attributes: { message: false }, children: /^$/ },
  error: { attributes: { message: false, type: true }, children: /^$/ },
  failure: { attributes: { message: false, type: true }, children: /^$/ },
  'system-out': { attributes: {}, children: /^$/ },
  'system-err': { attributes: {}, children: /^$/ }
}

interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: Element[]
  text: string
}

function parseJunit (text: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' }
  const open: Element[] = [root]
  const parser = new SaxesParser()
  parser.on('error', error => { throw error })
  parser.on('opentag', ({ name, attributes }) => {
    const element: Element = { name, attributes: Object.fromEntries(Object.entries(attributes)), children: [], text: '' }
    open.at(-1)?.children.push(element)
    open.push(element)
  })
  parser.on('text', piece => { const last = open.at(-1); if (last !== undefined) last.text += piece })
  parser.on('closetag', () => {
    const element = open.pop()
    const rule = JUNIT[element?.name ?? '']
    if (element === undefined || rule === undefined) throw new Error(`no element ${element?.name} is known`)
    const required = Object.entries(rule.attributes).filter(([, isRequired]) => isRequired).map(([name]) => name)
    expect(Object.keys(element.attributes)).toEqual(expect.arrayContaining(required))
    expect(Object.keys(rule.attributes)).toEqual(expect.arrayContaining(Object.keys(element.attributes)))
    expect(element.children.map(({ name }) => `${name} `).join('')).toMatch(rule.children)
    if (element.name === 'testsuite') {
      expect(element.attributes['timestamp']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/)
      expect(element.attributes['time']).toMatch(/^\d+\.\d+$/)
      const cases = element.children.filter(({ name }) => name === 'testcase')
      const count = (name: string): string => String(cases.filter(({ children }) => children[0]?.name === name).length)
      expect(element.attributes).toMatchObject({
        tests: String(cases.length), failures: count('failure'), errors: count('error'), skipped: count('skipped')
      })
    }
  })
  parser.write(text).close()
  return root.children[0] ?? root
}

describe('a check as JUnit XML', () => {
  it('is what Ant and Jenkins take, whatever is in the objects, and has a case for each row', async () => {
    const [suite] = parseJunit(await write('application/xml', { heartbeat: '\n' })).children
    const cases = suite?.children.filter(({ name }) => name === 'testcase') ?? []
    expect(cases.map(({ attributes, children }) => [attributes['name'], children[0]?.name, children[0]?.attributes['type']])).toEqual([
      ['a/1/x86_64/1', undefined, undefined],
      ['a/1/x86_64/2', 'failure', 'fails'],
      ['a/1/x86_64/3', 'failure', 'fails'],
      ['nowhere', 'error', 'unknown_kernel']
    ])
    expect(cases[1]?.children[0]?.text).toContain('<script>alert("1")</script>')
  })

  it('has one case for kernels with equal outcomes where groups are asked for', async () => {
    const [suite] = parseJunit(await write('application/xml', { isGrouped: true })).children
    expect(suite?.children.filter(({ name }) => name === 'testcase').map(({ attributes }) => attributes['name']))
      .toEqual(['1 kernel: a/1/x86_64/1', '2 kernels: a/1/x86_64/2, a/1/x86_64/3', '1 kernel: nowhere'])
  })

  it('has one case for kernels whose outcomes differ in nothing but the version that a program reads', async () => {
    const cells = ['1', '2', '3'].map(patch =>
      ({ object, kernel: `a/1/x86_64/6.1.${patch}`, outcome: loadsOn(`6.1.${patch}`, patch === '3' ? '1' : '0') }))
    const { rows, summary } = JSON.parse(await write('application/json', { isGrouped: true, cells: iterate(cells) })) as CheckOfGroups
    expect(rows.map(({ kernels, programs }) => [kernels, programs[0]?.assumes])).toEqual([
      [['a/1/x86_64/6.1.1', 'a/1/x86_64/6.1.2'], ['.rodata.on = 0', 'LINUX_KERNEL_VERSION = that of each kernel']],
      [['a/1/x86_64/6.1.3'], ['.rodata.on = 1', 'LINUX_KERNEL_VERSION = that of each kernel']]
    ])
    expect(summary.outcomes).toBe(2)
    const alone = JSON.parse(await write('application/json', { cells: iterate(cells) })) as CheckOfGroups
    expect(alone.rows.map(({ programs }) => programs[0]?.assumes[1])).toEqual(['1', '2', '3'].map(patch =>
      `LINUX_KERNEL_VERSION = 6.1.${patch}`))
  })

  it('skips what is as in the baseline', async () => {
    const baseline = createBaseline(await parseEarlier(await write('application/x-ndjson')))
    const suites = parseJunit(await write('application/xml', { cells: compared(iterate(CELLS), baseline) }))
    expect(suites.children[0]?.attributes).toMatchObject({ failures: '0', errors: '0', skipped: '3' })
  })

  it('says that rows are missing in a case of its own', async () => {
    const suites = parseJunit(await write('application/xml', { failure: new AppError('deadline_exceeded', 'It took too long.') }))
    expect(suites.children.at(-1)?.children[1]?.children[0]?.attributes).toEqual({
      type: 'deadline_exceeded', message: 'It took too long.'
    })
  })
})

/** Members of SARIF 2.1.0's objects that are used, with those that its schema requires first. */
const SARIF = {
  log: [['version', 'runs'], ['$schema']],
  run: [['tool'], ['results', 'artifacts', 'invocations', 'columnKind', 'originalUriBaseIds']],
  result: [['message'], ['ruleId', 'ruleIndex', 'level', 'locations', 'partialFingerprints', 'baselineState', 'properties']],
  region: [[], ['startLine', 'snippet']],
  invocation: [['executionSuccessful'], ['toolExecutionNotifications', 'properties']],
  notification: [['message'], ['level', 'descriptor']]
} as const

function requireMembers (value: object, [required, optional]: readonly [readonly string[], readonly string[]]): void {
  expect(Object.keys(value)).toEqual(expect.arrayContaining([...required]))
  expect([...required, ...optional]).toEqual(expect.arrayContaining(Object.keys(value)))
}

describe('a check as SARIF', () => {
  it('has a result for each failing place, with its kernels, and its places as addresses', async () => {
    const log = JSON.parse(await write('application/sarif+json', { heartbeat: '\n' }))
    requireMembers(log, SARIF.log)
    const [run] = log.runs
    requireMembers(run, SARIF.run)
    expect(run.results.length).toBe(1)
    const [result] = run.results
    requireMembers(result, SARIF.result)
    expect(result.message.text).toContain('on 2 kernels: a/1/x86_64/2, a/1/x86_64/3')
    expect(run.tool.driver.rules[result.ruleIndex].id).toBe('field_missing')
    const [{ physicalLocation: { artifactLocation, region } }] = result.locations
    requireMembers(region, SARIF.region)
    expect(region.startLine).toBe(1)
    expect(new URL(artifactLocation.uri)).toMatchObject({ protocol: 'file:', host: '' })
    expect(run.artifacts.every(({ location }: { location: { uri: string } }) =>
      new URL(location.uri, 'file:///base/').protocol === 'file:')).toBe(true)
  })

  it('writes braces in messages twice, since one in braces stands for an argument, and leaves source text as it is', async () => {
    const [failure] = FAILS.failures
    if (failure === undefined) expect.fail('no failure')
    const code = 'int a[1] = {0};'
    const outcome: CheckOutcome = {
      ...FAILS, failures: [{ ...failure, source: { file: 'a.c', line: 1, text: code }, suggestions: [{ text: 'Write:', code }] }]
    }
    const cells = iterate([{ object, kernel: 'k', outcome }, { object: { ...object, name: '{1}' }, kernel: 'k', outcome: UNKNOWN }])
    const [{ results: [result], invocations: [invocation] }] = JSON.parse(await write('application/sarif+json', { cells })).runs
    expect(result.message.text).toMatch(/\nint a\[1\] = \{\{0\}\};$/)
    expect(result.locations[0].physicalLocation.region.snippet.text).toBe(code)
    expect(invocation.toolExecutionNotifications[0].message.text).toMatch(/^\{\{1\}\}: /)
  })

  it('has no link in a message, whatever an object calls its types', async () => {
    const [failure] = FAILS.failures
    if (failure === undefined) expect.fail('no failure')
    const outcome: CheckOutcome = { ...FAILS, failures: [{ ...failure, access: '[all is well](https://example.com)' }] }
    const cells = iterate([{ object, kernel: 'k', outcome }])
    const [{ results: [result] }] = JSON.parse(await write('application/sarif+json', { cells })).runs
    expect(result.message.text).toContain('[all is well] (https://example.com)')
  })

  it('tells of kernels that are not known in notifications, and of what ended it', async () => {
    const [run] = JSON.parse(await write(
      'application/sarif+json', { failure: new AppError('deadline_exceeded', 'It took too long.') }
    )).runs
    const [invocation] = run.invocations
    requireMembers(invocation, SARIF.invocation)
    expect(invocation.executionSuccessful).toBe(false)
    for (const notification of invocation.toolExecutionNotifications) requireMembers(notification, SARIF.notification)
    expect(invocation.toolExecutionNotifications.map(({ descriptor }: { descriptor: { id: string } }) => descriptor.id)).toEqual([
      'unknown_kernel', 'deadline_exceeded'
    ])
  })

  it('says of each place whether it was in the baseline', async () => {
    const earlier = createBaseline(await parseEarlier(await write('application/json', { cells: iterate(CELLS.slice(0, 2)) })))
    const [run] = JSON.parse(await write('application/sarif+json', { cells: compared(iterate(CELLS), earlier) })).runs
    expect(run.results.map(({ baselineState }: { baselineState: string }) => baselineState)).toEqual(['unchanged', 'new'])
  })
})

describe('a check as a page', () => {
  it('has no element, attribute or address that came out of an object', async () => {
    const page = await write('text/html', { heartbeat: '\n' })
    const tags = new Set([...page.replace(/<style>[^<]*<\/style>/, '').matchAll(/<([a-z0-9]+)/gi)].map(([, tag]) => tag))
    expect(tags).not.toContain('script')
    expect(page).not.toMatch(/\son\w+=|javascript:alert|<a\s|href|src=/)
    // eslint-disable-next-line no-control-regex -- none may be left
    expect(page).not.toMatch(/[\u0000-\u0008\u001b\u202e\ud800]/)
    expect(page.match(/<script|&lt;script/g)?.every(found => found === '&lt;script')).toBe(true)
  })

  it('may do nothing but show itself in its own style', () => {
    expect(PAGE_POLICY).toMatch(/^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; base-uri 'none'; form-action 'none'$/)
  })

  it('tells programs with one reason together where no place is listed', async () => {
    const program = (name: string): ReportProgram => ({
      name, section: 'kprobe/p', verdict: 'unknown', verdict_reason: 'It is <long>.', needs_kernel_btf: null, relocations: 1, assumes: []
    })
    const outcome: CheckOutcome =
      { ...LOADS, state: 'unknown', reason: 'It is <long>.', programs: ['a', 'b', 'c', 'd'].map(name => program(name)) }
    const page = await write('text/html', { cells: iterate([{ object, kernel: 'k', outcome }]) })
    expect(page.match(/<p>.*long.*<\/p>/g)).toEqual(['<p>4 programs: a, b, c and 1 more: It is &lt;long&gt;.</p>'])
  })

  it('says when rows are missing', async () => {
    expect(await write('text/html', { failure: new AppError('too_large', 'Too many bytes.') })).toMatch(
      /role="alert"[^>]*>Not all rows could be answered. Too many bytes\./
    )
  })
})

describe('a line of the source of which the compiler made several instructions', () => {
  const compile = { text: 'Compile it for arm64.', code: '' }
  const at = (line: number, program: string, instruction: number): OutcomeFailure => ({
    program,
    section: 'kprobe/x',
    instruction,
    reachable: true,
    source: { file: 'x.bpf.c', line, text: 'read();' },
    kind: 'byte_off',
    type: 'struct pt_regs',
    access: `pt_regs.r${line}`,
    reason: 'field_missing',
    detail: 'It is missing.',
    suggestions: [compile]
  })
  const first = { ...FAILS, failures: [at(8, 'one', 1), at(8, 'one', 2), at(8, 'two', 1), at(9, 'one', 3)], failures_total: 4 }
  const second = { ...FAILS, failures: [at(8, 'one', 1), at(8, 'one', 4)], failures_total: 2 }
  const cells = () => iterate([{ object, kernel: 'a', outcome: first }, { object, kernel: 'b', outcome: second }])

  it('is one result in SARIF, with the instructions as its logical locations and all kernels', async () => {
    const [{ results }] = JSON.parse(await write('application/sarif+json', { cells: cells() })).runs
    expect(results.length).toBe(2)
    expect(results[0].message.text).toMatch(/^pt_regs\.r8: It is missing \(4 instructions of one, two\)\. .*, on 2 kernels: a, b\n/)
    expect(results[0].locations.length).toBe(1)
    expect(results[0].locations[0].logicalLocations.map(({ fullyQualifiedName: name }: { fullyQualifiedName: string }) => name)).toEqual(
      ['kprobe/x/one+1', 'kprobe/x/one+2', 'kprobe/x/two+1', 'kprobe/x/one+4'])
    expect(results[1].message.text).toContain('(instruction 3 of one)')
  })

  it('is one item of the page, below advice that holds for all of the program', async () => {
    const page = await write('text/html', { cells: cells() })
    expect(page).toContain('<p>Compile it for arm64.</p>\n<details><summary>pt_regs.r8, pt_regs.r9</summary>\n<ol>\n' +
      '<li><b>x.bpf.c:8</b> pt_regs.r8: It is missing (3 instructions of one, two)<pre><code>read();</code></pre></li>\n' +
      '<li><b>x.bpf.c:9</b> pt_regs.r9: It is missing (instruction 3 of one)')
    expect(page.match(/Compile it for arm64/g)?.length).toBe(2) // for each outcome once
  })

  it('is one item without its reason where it is about a type of which the page tells once', async () => {
    const guard = { text: 'Use struct other only where the kernel has it:', code: 'if (bpf_core_type_exists(struct other)) {}' }
    const failures = first.failures.map(failure =>
      ({ ...failure, reason: 'type_missing', detail: 'This kernel has no struct other.', suggestions: [guard] }))
    const page = await write('text/html', { cells: iterate([{ object, kernel: 'a', outcome: { ...first, failures } }]) })
    expect(page).toContain('<p>This kernel has no struct other. Use struct other only where the kernel has it:</p>\n' +
      '<pre><code>if (bpf_core_type_exists(struct other)) {}</code></pre><details><summary>pt_regs.r8, pt_regs.r9</summary>\n<ol>\n' +
      '<li><b>x.bpf.c:8</b> pt_regs.r8 (3 instructions of one, two)<pre>')
    expect(page.match(/has no struct other/g)?.length).toBe(1)
  })

  it('stays several for programs, in JSON and JUnit', async () => {
    const { rows } = JSON.parse(await write('application/json', { cells: cells() }))
    expect(rows[0].failures).toEqual(first.failures)
    expect((await write('application/xml', { cells: cells() })).match(/x\.bpf\.c:8: /g)?.length).toBe(5)
  })
})

describe('a check as JSON', () => {
  it('is the same rows as one document and as lines', async () => {
    const { rows, summary } = JSON.parse(await write('application/json'))
    const lines = (await write('application/x-ndjson')).trim().split('\n').map(line => JSON.parse(line))
    expect(lines.slice(0, -1)).toEqual(rows)
    expect({ ...lines.at(-1).summary, ms: 0 }).toEqual({ ...summary, ms: 0 })
    expect(summary).toMatchObject({ verdict: 'fails', rows: 4, kernels: 4, outcomes: 3, states: { loads: 1, fails: 2, unknown_kernel: 1 } })
  })

  it('has the reason instead of the sum where rows are missing', async () => {
    const failure = new AppError('deadline_exceeded', 'It took too long.', { deadline_ms: 5 })
    expect(JSON.parse(await write('application/json', { failure }))).toMatchObject({
      summary: null, problem: { code: 'deadline_exceeded', detail: 'It took too long.', deadline_ms: 5 }
    })
  })
})

describe('an object with nothing to relocate', () => {
  const warning = { code: 'nothing_to_relocate', message: 'It has no CO-RE relocations <&.' }

  it('is warned of in each form, and in no row', async () => {
    const { rows, warnings } = JSON.parse(await write('application/json', { warning }))
    expect(warnings).toEqual([{ object: object.sha256, object_name: EVIL, ...warning }])
    expect(rows).toEqual(JSON.parse(await write('application/json')).rows)
    const last = (await write('application/x-ndjson', { warning })).trimEnd().split('\n').at(-1) ?? ''
    expect(JSON.parse(last)).toMatchObject({ summary: { rows: rows.length }, warnings })
    const [suite] = parseJunit(await write('application/xml', { warning })).children
    expect(suite?.children.at(-1)).toMatchObject({ name: 'system-err', text: warning.message })
    const [{ invocations: [{ toolExecutionNotifications: [notification] }] }] =
      JSON.parse(await write('application/sarif+json', { warning })).runs
    expect(notification).toMatchObject({ level: 'warning', descriptor: { id: warning.code } })
    expect(await write('text/html', { warning })).toContain('Warning: It has no CO-RE relocations &lt;&amp;.')
  })
})

describe('an earlier answer', () => {
  it('is read in each form that JSON has', async () => {
    const json = await write('application/json')
    const forms = [
      json, JSON.stringify(JSON.parse(json)), JSON.stringify(JSON.parse(json), null, 2), await write('application/x-ndjson'),
      await write('application/json', { isGrouped: true })
    ]
    for (const form of forms) {
      const baseline = createBaseline(await parseEarlier(form))
      expect(CELLS.map(({ kernel, outcome }) => baseline(object, kernel, outcome.state))).toEqual(['same', 'same', 'same', 'same'])
    }
  })

  it('knows an object by its name when it was built anew', async () => {
    const baseline = createBaseline(await parseEarlier(await write('application/json')))
    const rebuilt = { name: object.name, sha256: sha256('rebuilt') }
    expect(baseline(rebuilt, 'a/1/x86_64/2', 'fails')).toBe('same')
    expect(baseline(rebuilt, 'a/1/x86_64/1', 'fails')).toBe('changed')
    expect(baseline(rebuilt, 'a/1/x86_64/9', 'fails')).toBe('new')
    expect(baseline({ name: 'other', sha256: sha256('other') }, 'a/1/x86_64/2', 'fails')).toBe('new')
  })

  it('is refused where it is none', async () => {
    for (const text of ['', '[]', 'hello', '{"rows":[{}]}', '{"object":1}']) {
      await expect(parseEarlier(text), text).rejects.toMatchObject({ code: 'invalid_request' })
    }
  })
})
