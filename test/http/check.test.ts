import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { createBatches } from '../../src/check/cell-batches.js'
import type { CheckLimits } from '../../src/check/limits.js'
import type { CheckRow, CheckSummary, CheckWarning } from '../../src/check/wire.js'
import { describe, expect, it } from 'vitest'
import { answerOf } from '../../src/http/check-answer.js'
import type { Config } from '../../src/http/config.js'
import type { ServiceSettings } from '../../src/settings/service-options.js'
import { sha256 } from '../../src/store/sha256.js'
import { at, btf } from '../support/btf-builder.js'
import { concat } from '../support/byte-writer.js'
import { STB } from '../support/elf-writer.js'
import { buildObject } from '../support/object-builder.js'
import { createFakeService } from '../support/fake-service.js'
import { emptyBtf, fooBtf, fooObject, startService, temporaryFolder } from '../unit/service/lab.js'
import { form, problemOf, startAppWith, type Harness } from './harness.js'
import type { StartedService } from '../unit/service/lab.js'

const EXAMPLES = join(import.meta.dirname, '../../examples')
const EXEC = readFileSync(join(EXAMPLES, 'exec.bpf.o'))
const UNGUARDED = readFileSync(join(EXAMPLES, 'unguarded.bpf.o'))
const BIG_ENDIAN = readFileSync(join(import.meta.dirname, '../fixtures/big-endian/layout.eb.bpf.o'))
const SAMPLE = readFileSync(join(EXAMPLES, 'kernels/sample.btf'))
const UBUNTU = 'ubuntu/20.04/x86_64'
const hashOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** r0 = 0; exit. */
const EXIT = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)

interface CheckAnswer { readonly rows: readonly CheckRow[], readonly summary: CheckSummary, readonly warnings: readonly CheckWarning[] }

type Parts = Parameters<typeof form>[0]

interface Lab extends Harness<StartedService> {
  /** Posts a form to /check: the foo object on every kernel, unless the parts say otherwise. */
  check (parts?: Parts, accept?: string, query?: string): Promise<Response>
  rows (parts?: Parts): Promise<{ rows: CheckRow[], summary: CheckSummary }>
  /** Supplies BTF under a reference, which has to work. */
  supply (bytes: Uint8Array, reference: string): Promise<void>
}

async function lab (settings: Partial<ServiceSettings> & Partial<Config> = {}): Promise<Lab> {
  const harness = await startAppWith(await startService(await temporaryFolder(), settings), settings)
  const check: Lab['check'] = async (parts = {}, accept = 'application/json', query = '') =>
    await harness.request(
      `/check${query}`, { method: 'POST', body: form({ object: fooObject(), kernels: '*', ...parts }), headers: { accept } }
    )
  return Object.assign(harness, {
    check,
    async rows (parts?: Parts) {
      const response = await check(parts)
      expect(response.status).toBe(200)
      return await response.json() as { rows: CheckRow[], summary: CheckSummary }
    },
    async supply (body: Uint8Array, reference: string) {
      const headers = { 'content-type': 'application/octet-stream' }
      expect((await harness.request(`/kernels/${reference}/btf`, { method: 'PUT', body, headers })).status).toBe(201)
    }
  })
}

async function twoKernels (settings: Partial<ServiceSettings> & Partial<Config> = {}): Promise<Lab> {
  const started = await lab(settings)
  await started.supply(fooBtf(), `${UBUNTU}/5.4.0-42-generic`)
  await started.supply(emptyBtf(), `${UBUNTU}/5.15.0-1-generic`)
  return started
}

/** BTF of a kernel that has foo.y at this byte. */
function fooAt (offset: number): Uint8Array {
  const b = btf()
  b.struct('foo', offset + 8, [at('y', offset, b.int('int', 4, { signed: true }))])
  return b.bytes()
}

const statesOf = (rows: readonly CheckRow[]): Record<string, string> => Object.fromEntries(rows.map(({ kernel, state }) => [kernel, state]))

describe('POST /check', () => {
  it('warns of an object that passes because there is nothing to relocate in it, sent or named by its hash', async () => {
    const { check, request } = await twoKernels()
    const untyped = buildObject({ local: btf(), btf: null, btfExt: null, programs: [{ section: 'kprobe/x', name: 'p', code: EXIT }] }).bytes
    const headers = { 'content-type': 'application/octet-stream' }
    expect((await request(`/objects/${hashOf(untyped)}`, { method: 'PUT', body: untyped, headers })).status).toBe(201)
    for (const object of [untyped, hashOf(untyped)]) {
      const { rows, summary, warnings } = await (await check({ object: [fooObject(), object] })).json() as CheckAnswer
      expect(warnings).toMatchObject([{ object: hashOf(untyped), code: 'nothing_to_relocate' }])
      expect(rows.filter(row => row.object === hashOf(untyped)).map(({ state }) => state)).toEqual(['loads', 'loads'])
      expect(summary.objects).toHaveLength(2)
    }
  })

  it('warns of an object that libbpf does not open, since it calls what is defined nowhere', async () => {
    const { check } = await twoKernels()
    const section = 'raw_tp/a'
    const call = Uint8Array.of(0x85, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff)
    const object = buildObject({
      local: btf(),
      programs: [{ section, name: 'p', code: concat(call, EXIT) }],
      records: [],
      relocations: [{ section, offset: 0, type: 10 }],
      symbols: [{ name: 'gone', value: 0, size: 0, type: 0, binding: STB.GLOBAL, section: 0 }]
    }).bytes
    const { warnings } = await (await check({ object })).json() as CheckAnswer
    expect(warnings).toMatchObject([
      { object: hashOf(object), code: 'function_undefined', message: expect.stringContaining('gone (section raw_tp/a') }
    ])
  })

  it('says of each object on each kernel whether it loads, and where it does not, which line is why', async () => {
    const { rows, supply } = await lab()
    await supply(SAMPLE, `${UBUNTU}/6.1.0-1-generic`)
    const { rows: found, summary } = await rows({ object: [EXEC, UNGUARDED] })
    expect(found.map(({ object, kernel, state }) => [object, kernel, state]).sort()).toEqual([
      [hashOf(EXEC), `${UBUNTU}/6.1.0-1-generic`, 'loads'],
      [hashOf(UNGUARDED), `${UBUNTU}/6.1.0-1-generic`, 'fails']
    ].sort())
    expect(found.find(({ state }) => state === 'fails')).toMatchObject({
      object_name: `object.bin (${hashOf(UNGUARDED).slice(7, 19)})`, // both parts have that file name
      programs: [{ name: 'on_exit', verdict: 'fails' }],
      failures_total: 1,
      failures: [{
        program: 'on_exit',
        instruction: 0,
        source: { file: './unguarded.bpf.c', line: 22 },
        access: 'task_struct.state',
        reason: 'field_missing',
        detail: expect.stringContaining('It has __state.'),
        suggestions: [{ code: expect.stringContaining('___new') }, expect.anything()]
      }]
    })
    expect(summary).toMatchObject({ verdict: 'fails', kernels: 1, rows: 2, states: { loads: 1, fails: 1 }, baseline: null })
  })

  it('says of an object of the other byte order that it is one, and of the objects beside it what they do', async () => {
    const { rows, supply } = await lab()
    await supply(SAMPLE, `${UBUNTU}/6.1.0-1-generic`)
    const { rows: found, summary } = await rows({ object: [EXEC, BIG_ENDIAN, UNGUARDED] })
    expect(Object.fromEntries(found.map(({ object, state, reason }) => [object, [state, reason]]))).toEqual({
      [hashOf(EXEC)]: ['loads', null],
      [hashOf(BIG_ENDIAN)]: ['error', 'The object is big-endian, but the kernel\'s BTF is little-endian.'],
      [hashOf(UNGUARDED)]: ['fails', expect.stringContaining('task_struct')]
    })
    expect(summary).toMatchObject({ verdict: 'fails', states: { loads: 1, fails: 1, error: 1 } })
  })

  it('agrees with POST /relocate on every kernel', async () => {
    const { rows, request, supply } = await lab()
    await supply(SAMPLE, `${UBUNTU}/6.1.0-1-generic`)
    await supply(emptyBtf(), `${UBUNTU}/5.15.0-1-generic`)
    const { rows: found } = await rows({ object: UNGUARDED })
    expect(found.length).toBe(2)
    for (const { kernel, programs, state } of found) {
      const report = await (await request(
        '/relocate', { method: 'POST', body: form({ object: UNGUARDED, kernel_release: kernel }), headers: { accept: 'application/json' } }
      )).json() as Pick<CheckRow, 'programs'> & { verdict: string }
      expect([kernel, state, programs]).toEqual([kernel, report.verdict, report.programs])
    }
  })

  it('never takes a kernel that is not known for a pass', async () => {
    const { rows } = await twoKernels()
    const { rows: found, summary } = await rows({
      kernels: [`${UBUNTU}/5.4.0-42-generic`, `${UBUNTU}/5.4.0-43-generic`, 'debian/*/*/*', '6.9.9']
    })
    expect(statesOf(found)).toEqual({
      [`${UBUNTU}/5.4.0-42-generic`]: 'loads',
      [`${UBUNTU}/5.4.0-43-generic`]: 'unknown_kernel',
      'debian/*/*/*': 'unknown_kernel',
      '6.9.9': 'unknown_kernel'
    })
    expect(summary.verdict).toBe('undecided')
  })

  it('does not let uploads answer for names where they may not', async () => {
    const { rows } = await twoKernels({ trustUploads: false })
    const { rows: found } = await rows()
    expect(found.map(({ state, reason }) =>
      [state, reason])).toEqual(Array(2).fill(['unknown_kernel', expect.stringContaining('CORELO_TRUST_UPLOADS')]))
  })

  it('says of a name that can mean several kernels that it cannot be told', async () => {
    const { rows, supply } = await twoKernels()
    await supply(fooBtf(1), `${UBUNTU}/5.4.0-42-generic`)
    const { rows: found } = await rows({ kernels: `${UBUNTU}/5.4.0-42-generic` })
    expect(found).toMatchObject([{
      state: 'error',
      reason: `${UBUNTU}/5.4.0-42-generic can mean 2 different BTFs, and a check cannot say which: keep the right one with ` +
        'corelo btf import --replace.'
    }])
  })

  it('takes patterns and releases, several in a part, each kernel once, architectures by any name', async () => {
    const { rows } = await twoKernels()
    const { rows: found } = await rows({ kernels: ['ubuntu/*/amd64/5.4*\n\n5.4.0-42-generic\r\n', '*'] })
    expect(found.map(({ kernel }) => kernel).sort()).toEqual([`${UBUNTU}/5.15.0-1-generic`, `${UBUNTU}/5.4.0-42-generic`])
  })

  it('gathers kernels with equal outcomes where that is asked for, in the query or in the form', async () => {
    const { check, supply } = await twoKernels()
    await supply(fooBtf(1), `${UBUNTU}/5.4.0-43-generic`)
    for (const response of [await check({ group: 'outcome' }), await check({}, 'application/json', '?group=outcome')]) {
      const { rows: groups } = await response.json() as { rows: Array<{ kernels: string[], state: string }> }
      expect(groups.map(({ kernels, state }) => [state, [...kernels].sort()]).sort()).toEqual([
        ['fails', [`${UBUNTU}/5.15.0-1-generic`]],
        ['loads', [`${UBUNTU}/5.4.0-42-generic`, `${UBUNTU}/5.4.0-43-generic`]]
      ])
    }
    expect(await problemOf(await check({ group: 'outcome' }, undefined, '?group=outcome'))).toMatchObject({
      code: 'invalid_request', field: 'group'
    })
    expect(await problemOf(await check({ group: 'kernel' }))).toMatchObject({ code: 'invalid_request' })
  })

  it('marks what was so in an earlier answer, and passes when nothing else is wrong', async () => {
    const { check, rows, supply } = await twoKernels()
    const earlier = Buffer.from(await (await check()).text())
    const same = await rows({ baseline: earlier })
    expect(same.rows.map(({ baseline }) => baseline)).toEqual(['same', 'same'])
    expect(same.summary).toMatchObject({ verdict: 'passes', baseline: { same: 2, changed: 0, new: 0 }, states: { fails: 1 } })
    await supply(emptyBtf(), `${UBUNTU}/6.0.0-1-generic`)
    const { summary } = await rows({ baseline: earlier })
    expect(summary).toMatchObject({ verdict: 'fails', baseline: { same: 2, changed: 0, new: 1 } })
    expect(await problemOf(await check({ baseline: Buffer.from('hello') }))).toMatchObject({ code: 'invalid_request', field: 'baseline' })
  })

  it('tells objects of one name apart, so that what failed of one excuses nothing of the other', async () => {
    const { request, supply } = await lab({ trustUploads: true })
    await supply(SAMPLE, `${UBUNTU}/6.1.0-1-generic`)
    const checked = async (objects: ReadonlyArray<readonly [name: string, content: Uint8Array]>, baseline?: string) => {
      const body = new FormData()
      for (const [name, content] of objects) body.append('object', new Blob([content]), name)
      body.append('kernels', `${UBUNTU}/*`)
      if (baseline !== undefined) body.append('baseline', baseline)
      return await (await request('/check', { method: 'POST', body })).text()
    }
    const namesOf = (text: string) => (JSON.parse(text) as { summary: CheckSummary }).summary.objects.map(({ name }) => name)
    const before = await checked([['x.bpf.o', EXEC], ['x.bpf.o', UNGUARDED]])
    expect(namesOf(before)).toEqual([EXEC, UNGUARDED].map(bytes => `x.bpf.o (${hashOf(bytes).slice(7, 19)})`))
    const rebuilt = Buffer.concat([UNGUARDED, Buffer.alloc(8)])
    expect(JSON.parse(await checked([['x.bpf.o', rebuilt]], before))).toMatchObject({
      rows: [{ state: 'fails', baseline: 'new' }], summary: { verdict: 'fails' }
    })
    expect(namesOf(await checked([['a/x.bpf.o', EXEC], ['b/x.bpf.o', UNGUARDED]]))).toEqual(['a/x.bpf.o', 'b/x.bpf.o'])
  })

  it('takes each kernel as a part of its own, as many as a check may have', async () => {
    const { rows, check } = await lab()
    const patterns = (count: number): string[] => Array.from({ length: count }, (_, i) => `${UBUNTU}/5.4.0-${i}`)
    expect((await rows({ kernels: patterns(600) })).summary).toMatchObject({ kernels: 600, states: { unknown_kernel: 600 } })
    expect(await problemOf(await check({ kernels: patterns(20_200) }))).toMatchObject({ code: 'too_large', part: 'form', limit: 20_144 })
  })

  it('takes objects by hash once the service has them', async () => {
    const { check, rows } = await twoKernels()
    const hash = hashOf(fooObject())
    expect(await problemOf(await check({ object: hash }))).toMatchObject({ code: 'object_unknown' })
    await rows()
    const { rows: found } = await rows({ object: [hash, fooObject()] })
    expect(found.map(({ object }) => object)).toEqual([hash, hash])
  })

  it('relocates once for kernels of one content', async () => {
    const { rows, service, supply } = await lab()
    for (let i = 0; i < 5; i++) await supply(fooBtf(), `${UBUNTU}/5.4.0-${i}-generic`)
    expect((await rows()).rows.length).toBe(5)
    expect(service.stats().checks).toMatchObject({ rows: 5, relocations: 1 })
    await rows()
    expect(service.stats().checks).toMatchObject({ rows: 10, relocations: 1 })
  })

  it('reads BTF past the memory that others need', async () => {
    const folder = await temporaryFolder()
    const first = await startService(folder)
    const { supply } = Object.assign(await startAppWith(first), {
      supply: async (body: Uint8Array, reference: string) => await first.putKernelBtf(
        {
          distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release: reference
        }, body, { by: 'test', at: '2026-01-01T00:00:00.000Z' })
    })
    for (let i = 0; i < 4; i++) await supply(fooBtf(i), `5.4.0-${i}`)
    await first.close()
    const service = await startService(folder)
    const { request } = await startAppWith(service)
    const before = service.stats()
    const answer = await (await request(
      '/check', { method: 'POST', body: form({ object: fooObject(), kernels: '*' }) }
    )).json() as { rows: CheckRow[] }
    expect(answer.rows.map(({ state }) => state)).toEqual(['loads', 'loads', 'loads', 'loads'])
    expect(service.stats().cache['btf_misses']).toBe(before.cache['btf_misses'])
    expect(service.stats().cache['btf_evictions']).toBe(0)
  })
})

describe('the forms of the answer', () => {
  it('are chosen by what is accepted', async () => {
    const { check } = await twoKernels()
    const types = {
      'application/json': /^\{"rows":\[/,
      'application/x-ndjson': /^\{"object":/,
      'application/xml': /^<\?xml /,
      'application/sarif+json': /"version":"2.1.0"/,
      'text/html': /^<!doctype html>/
    }
    for (const [type, begins] of Object.entries(types)) {
      const response = await check({}, type)
      expect(response.headers.get('content-type')).toMatch(new RegExp(`^${type.replace('+', '\\+')}`))
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(await response.text()).toMatch(begins)
    }
    expect((await check({}, '*/*')).headers.get('content-type')).toBe('application/json')
    expect((await check({}, 'text/html')).headers.get('content-security-policy')).toMatch(/^default-src 'none'/)
    expect(await problemOf(await check({}, 'image/png'))).toMatchObject({ code: 'not_acceptable', available: Object.keys(types) })
  })

  it('have an empty line while there is nothing to say', async () => {
    let goOn = (): void => {}
    const held = new Promise<void>(resolve => { goOn = resolve })
    const object = { name: 'a', sha256: hashOf(fooObject()) as `sha256:${string}`, bytes: fooObject() }
    const { pieces } = answerOf({
      objects: [object],
      kernels: 1,
      rows: 1,
      hasBaseline: false,
      cells: (async function * () {
        await held
        yield createBatches()([
          { object, kernel: 'k', outcome: { state: 'loads' as const, reason: null, programs: [], failures: [], failures_total: 0 } }
        ])
      })()
    }, { type: 'application/x-ndjson', isGrouped: false, heartbeatMs: 1 })
    expect(String((await pieces.next()).value)).toBe('\n')
    goOn()
    let text = ''
    for await (const piece of pieces) text += String(piece)
    expect(text.trim().split('\n').filter(line => line !== '').map(line => Object.keys(JSON.parse(line))[0])).toEqual(['object', 'summary'])
  })

  it('let requests have the event loop between the groups of an object and those of the next', async () => {
    const outcome = { state: 'loads', reason: null, programs: [], failures: [], failures_total: 0 } as const
    const objects = ['a', 'b', 'c'].map(name => ({ name, sha256: sha256(name), bytes: Buffer.from(name) }))
    const names = Array.from({ length: 2000 }, (_, i) => `ubuntu/20.04/x86_64/5.4.0-${i}-generic`)
    let pauses = 0
    const { pieces } = answerOf({
      objects,
      kernels: names.length,
      rows: objects.length * names.length,
      hasBaseline: false,
      async pause () { pauses++ },
      cells: (async function * () {
        yield createBatches()(objects.flatMap(object => names.map(kernel => ({ object, kernel, outcome }))))
      })()
    }, { type: 'application/x-ndjson', isGrouped: true })
    let text = ''
    for await (const piece of pieces) text += String(piece)
    expect(text.split('\n').filter(line => line.startsWith('{"object"'))).toHaveLength(objects.length)
    expect(pauses).toBeGreaterThanOrEqual(objects.length)
  })

  it('end with the reason where they become too long', async () => {
    const object = { name: 'a', sha256: hashOf(fooObject()) as `sha256:${string}`, bytes: fooObject() }
    const outcome = { state: 'loads', reason: null, programs: [], failures: [], failures_total: 0 } as const
    const batchOf = createBatches()
    const { pieces } = answerOf({
      objects: [object],
      kernels: 100,
      rows: 100,
      hasBaseline: false,
      cells: (async function * () { for (let i = 0; i < 100; i++) yield batchOf([{ object, kernel: `k${i}`, outcome }]) })()
    }, { type: 'application/json', isGrouped: false, maxBytes: 1000 })
    let text = ''
    for await (const piece of pieces) text += String(piece)
    const { rows, summary, problem } = JSON.parse(text)
    expect(rows.length).toBeGreaterThan(1)
    expect(rows.length).toBeLessThan(100)
    expect([summary, problem]).toMatchObject([
      null, { code: 'too_large', limit: 1000, detail: expect.stringContaining('more than 1000 bytes') }
    ])
  })
})

describe('the bounds of a check', () => {
  const bounded = async (checks: Partial<CheckLimits>, parts: Parts = {}) =>
    await problemOf(await (await twoKernels({ checks })).check(parts))

  it('are named with their numbers', async () => {
    expect(await bounded({ rows: 1 })).toMatchObject({ status: 413, code: 'too_large', rows: 2, limit: 1 })
    expect(await bounded({ kernels: 1 })).toMatchObject({ code: 'too_large', limit: 1, field: 'kernels' })
    expect(await bounded({ objects: 1 }, { object: [fooObject(), fooObject(1)] })).toMatchObject({
      code: 'too_large', limit: 1, field: 'object'
    })
    expect(await bounded({ patterns: 1 }, { kernels: ['*', '6.1'] })).toMatchObject({ code: 'too_large', limit: 1, field: 'kernels' })
    expect(await bounded({ atOnce: 0 })).toMatchObject({ status: 503, code: 'overloaded', limit: 0 })
    expect(await bounded({ atOnceOfCaller: 0 })).toMatchObject({ status: 429, code: 'rate_limited', limit: 0 })
  })

  it('give back the place of a check that has ended', async () => {
    const { check, rows } = await twoKernels({ checks: { atOnce: 1 } })
    for (let i = 0; i < 3; i++) await rows()
    expect((await check({ object: Buffer.from('no ELF') })).status).toBe(422)
    await rows()
  })

  it('name every object that cannot be read, and what is wrong with each', async () => {
    const { request } = await twoKernels()
    const body = new FormData()
    const cut = EXEC.subarray(0, 200)
    const files = { 'cut.bpf.o': cut, 'good.bpf.o': EXEC, 'text.bpf.o': Buffer.from('no ELF'), 'empty.bpf.o': Buffer.of() }
    for (const [name, bytes] of Object.entries(files)) body.append('object', new Blob([new Uint8Array(bytes)]), name)
    body.append('kernels', '*')
    const problem = await problemOf(await request('/check', { method: 'POST', body }))
    expect(problem).toMatchObject({ status: 422, code: 'object_invalid', object: 'cut.bpf.o' })
    expect(problem['detail']).toMatch(
      /^3 objects cannot be read:\ncut\.bpf\.o: .+\ntext\.bpf\.o: .*not ELF.*\nempty\.bpf\.o: .*empty.*$/
    )
    expect(problem['objects']).toMatchObject([
      { object: 'cut.bpf.o', object_sha256: hashOf(cut) },
      { object: 'text.bpf.o', offset: 0, detail: expect.stringContaining('not ELF') },
      { object: 'empty.bpf.o', object_sha256: hashOf(Buffer.of()) }
    ])
  })

  it('name every object that the service does not hold', async () => {
    const { check } = await twoKernels()
    const absent = ['a', 'b'].map(text => hashOf(Buffer.from(text)))
    const problem = await problemOf(await check({ object: [absent[0] ?? '', EXEC, ...absent] }))
    expect(problem).toMatchObject({
      status: 404, code: 'object_unknown', object_sha256: absent[0], objects: absent.map(hash => ({ object_sha256: hash }))
    })
    expect(problem['detail']).toBe(`The service does not hold 2 of the objects; send them, or PUT them first:\n${absent.join('\n')}`)
    expect(await problemOf(await check({ object: [absent[0] ?? '', Buffer.from('no ELF')] }))).toMatchObject({ code: 'object_invalid' })
  })

  it('refuse what is no check', async () => {
    const { request, check } = await twoKernels()
    expect(await problemOf(await check({ object: Buffer.from('no ELF') }))).toMatchObject({
      code: 'object_invalid', detail: expect.stringMatching(/^object\.bin: /)
    })
    expect(await problemOf(await check({ kernels: 'a b' }))).toMatchObject({ code: 'invalid_request', field: 'kernels' })
    expect(await problemOf(await check({ kernels: '' }))).toMatchObject({ code: 'invalid_request', field: 'kernels' })
    expect(await problemOf(await check({ colour: 'red' }))).toMatchObject({ code: 'invalid_request' })
    expect(await problemOf(await check({}, undefined, '?colour=red'))).toMatchObject({ code: 'invalid_request' })
    expect(await problemOf(await request('/check', { method: 'POST', body: form({ kernels: '*' }) }))).toMatchObject({ field: 'object' })
    expect(await problemOf(await request('/check', { method: 'POST', body: form({ object: fooObject() }) }))).toMatchObject({
      field: 'kernels'
    })
    expect(
      await problemOf(await request('/check', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }))
    ).toMatchObject({ code: 'unsupported_media_type' })
  })
})

describe('kernels that sources have', () => {
  /** A folder in BTFHub's layout with one kernel. */
  async function archive (): Promise<string> {
    const folder = await temporaryFolder()
    await mkdir(join(folder, UBUNTU), { recursive: true })
    await writeFile(join(folder, UBUNTU, '5.4.0-99-generic.btf'), fooBtf(9))
    return folder
  }

  it('are named, and fetched where that is asked for', async () => {
    const { rows, service } = await twoKernels({ btfhubDir: await archive() })
    await service.refreshCatalog()
    expect(statesOf((await rows({ kernels: `${UBUNTU}/5.4*` })).rows)).toEqual({
      [`${UBUNTU}/5.4.0-42-generic`]: 'loads', [`${UBUNTU}/5.4.0-99-generic`]: 'not_fetched'
    })
    expect(statesOf((await rows()).rows)).not.toHaveProperty([`${UBUNTU}/5.4.0-99-generic`])
    const fetched = await rows({ kernels: [`${UBUNTU}/5.4*`, `${UBUNTU}/6.6.6`], fetch: 'true' })
    expect(statesOf(fetched.rows)).toEqual({
      [`${UBUNTU}/5.4.0-42-generic`]: 'loads', [`${UBUNTU}/5.4.0-99-generic`]: 'loads', [`${UBUNTU}/6.6.6`]: 'unknown_kernel'
    })
    expect(statesOf((await rows()).rows)).toHaveProperty([`${UBUNTU}/5.4.0-99-generic`], 'loads')
  })

  it('are fetched within a bound', async () => {
    const { rows, service } = await twoKernels({ btfhubDir: await archive(), checks: { fetches: 0 } })
    await service.refreshCatalog()
    const { rows: found } = await rows({ kernels: `${UBUNTU}/5.4.0-99-generic`, fetch: 'true' })
    expect(found).toMatchObject([{ state: 'not_fetched', reason: expect.stringContaining('At most 0 kernels') }])
  })
})

describe('a caller who leaves', () => {
  /** Posts a check, and leaves at the first rows. */
  async function leave (url: string, parts: Parts): Promise<void> {
    const encoded = new Request(url, { method: 'POST', body: form(parts) })
    const body = Buffer.from(await encoded.arrayBuffer())
    await new Promise<void>((resolve, reject) => {
      const call = httpRequest(`${url}/check`, {
        method: 'POST', headers: { accept: 'application/x-ndjson', 'content-type': encoded.headers.get('content-type') ?? '' }
      }, response => {
        response.once('data', () => {
          call.destroy()
          resolve()
        })
      })
      call.once('error', reject)
      call.end(body)
    })
  }

  it('ends the work of the check, and is logged', async () => {
    const KERNELS = 40
    const { url, service, logged, supply } = await lab()
    for (let i = 0; i < KERNELS; i++) await supply(fooAt(8 * i), `${UBUNTU}/5.4.0-${i}-generic`)
    const begun: number[] = []
    const ended = new Promise<unknown>(resolve => {
      const { check } = service
      service.check = async (request, signal) => {
        const found = await check(request, signal)
        return {
          ...found,
          cells: (async function * () {
            try {
              for await (const some of found.cells) {
                begun.push(service.stats().checks.relocations)
                yield some
                if (!signal.aborted) await once(signal, 'abort') // there is time enough to leave
              }
              resolve('all rows were there')
            } catch (error) {
              resolve(error)
              throw error
            }
          })()
        }
      }
    })
    await leave(url, { object: fooObject(), kernels: '*' })
    expect(await ended).toMatchObject({ code: 'request_timeout' })
    expect(begun.length).toBe(1)
    expect(service.stats().checks.relocations).toBe(begun[0])
    expect(begun[0]).toBeLessThan(KERNELS)
    expect(service.stats().checks.rows).toBeLessThan(KERNELS)
    await expect.poll(() => service.stats().checks.running).toBe(0)
    await expect.poll(() => logged.some(({ route }) => route === '/check')).toBe(true)
  })
})

describe('a service that stops', () => {
  it('ends its checks, and says so in what it still sends', async () => {
    const service = createFakeService()
    const object = { name: 'a', sha256: hashOf(EXEC) as `sha256:${string}`, bytes: EXEC }
    service.check = async (_request, signal) => ({
      objects: [object],
      kernels: 2,
      rows: 2,
      hasBaseline: false,
      cells: (async function * () {
        yield createBatches()([
          { object, kernel: 'k', outcome: { state: 'loads' as const, reason: null, programs: [], failures: [], failures_total: 0 } }
        ])
        await once(signal, 'abort')
        signal.throwIfAborted()
      })()
    })
    const { app, request } = await startAppWith(service)
    const response = await request(
      '/check', { method: 'POST', body: form({ object: EXEC, kernels: '*' }), headers: { accept: 'application/x-ndjson' } }
    )
    const closing = app.close()
    const lines = (await response.text()).trim().split('\n').filter(line => line !== '')
    await closing
    expect(lines.map(line => JSON.parse(line))).toMatchObject([{ kernel: 'k' }, { summary: null, problem: { code: 'draining' } }])
  })
})

describe('who may check', () => {
  it('is whoever may relocate', async () => {
    const folder = await temporaryFolder()
    const tokensFile = join(folder, 'tokens')
    await writeFile(
      tokensFile, ['relocate', 'upload'].map(scope => `${scope} ${hashOf(Buffer.from(`${scope}-token`))} ${scope}\n`).join('')
    )
    const { request } = await startAppWith(await startService(await temporaryFolder()), { auth: 'token', tokensFile })
    const asked = async (token?: string) => (await request('/check', {
      method: 'POST',
      body: form({ object: fooObject(), kernels: '*' }),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` }
    })).status
    expect([await asked(), await asked('upload-token'), await asked('relocate-token')]).toEqual([401, 403, 200])
  })
})
