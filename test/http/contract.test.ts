import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Config } from '../../src/http/config.js'
import { ENGINE } from '../../src/relocation/engine.js'
import { assembler } from '../support/asm.js'
import { at, btf, integers } from '../support/btf-builder.js'
import { concat } from '../support/byte-writer.js'
import { fooSpec, guardedObject } from '../support/corpus.js'
import { btfElf } from '../support/elf-writer.js'
import { createFakeService } from '../support/fake-service.js'
import { buildObject } from '../support/object-builder.js'
import { emptyBtf, fooBtf, fooObject, offsetOfY, startService, temporaryFolder } from '../unit/service/lab.js'
import { form, problemOf, startApp, startAppWith, type Harness, type Problem } from './harness.js'

const EXAMPLES = join(import.meta.dirname, '../../examples')
const EXEC = readFileSync(join(EXAMPLES, 'exec.bpf.o'))
const SAMPLE = readFileSync(join(EXAMPLES, 'kernels/sample.btf'))
const RELEASE = '5.4.0-42-generic'
const UBUNTU = `ubuntu/20.04/x86_64/${RELEASE}`
const SHA256 = /^sha256:[0-9a-f]{64}$/
const ABSENT = `sha256:${'0'.repeat(64)}`

const hashOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const digestOf = (bytes: Uint8Array): string => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`
const bytesOf = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer())

type Parts = Parameters<typeof form>[0]

interface Lab extends Pick<Harness, 'request'> {
  /** Posts a form to /relocate: the foo object for RELEASE, unless the parts say otherwise. */
  relocate (parts?: Parts, headers?: Record<string, string>): Promise<Response>
  put (path: string, bytes: Uint8Array, headers?: Record<string, string>): Promise<Response>
  /** Supplies BTF under a reference, which has to work. */
  supply (bytes: Uint8Array, reference?: string): Promise<string>
}

/** The service over a socket, with an empty cache and without a kernel of its own. */
async function lab (settings: Partial<Config> = {}): Promise<Lab> {
  const { request } = await startAppWith(await startService(await temporaryFolder(), settings), settings)
  const put: Lab['put'] = async (path, body, headers = {}) =>
    await request(path, { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream', ...headers } })
  return {
    request,
    put,
    async relocate (parts = {}, headers = {}) {
      const isNamed = ['kernel_release', 'btf', 'btf_sha256'].some(name => name in parts)
      return await request(
        '/relocate',
        { method: 'POST', body: form({ object: fooObject(), ...(isNamed ? {} : { kernel_release: RELEASE }), ...parts }), headers }
      )
    },
    async supply (bytes, reference = UBUNTU) {
      const response = await put(`/kernels/${reference}/btf`, bytes)
      expect(response.status).toBe(201)
      return hashOf(bytes)
    }
  }
}

/** The problem document of a response, after what every problem has was checked. */
async function problem (response: Response, status: number, code: string): Promise<Problem> {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const body = await problemOf(response)
  expect(body).toMatchObject({
    type: `urn:corelo:problem:${code}`, status, code, title: expect.any(String), detail: expect.stringMatching(/^.{15,}$/s)
  })
  expect(response.status).toBe(status)
  expect(body['request_id']).toBe(response.headers.get('x-request-id'))
  return body
}

/** A vmlinux BTF without foo, and a module's split BTF that has it. */
function vmlinuxAndModule (): { vmlinux: Uint8Array, module: Uint8Array } {
  const base = btf()
  const { int } = integers(base)
  const split = btf({ base })
  split.struct('foo', 32, [at('y', 20, int)])
  return { vmlinux: base.bytes(), module: split.bytes() }
}

describe('POST /relocate', () => {
  it('gives the same bytes for a form as for a raw body of any type that curl might send', async () => {
    const { request, relocate, supply } = await lab()
    await supply(fooBtf())
    const fromForm = await bytesOf(await relocate())
    expect(offsetOfY({ bytes: fromForm })).toBe(12)
    for (const type of ['application/x-elf', 'application/octet-stream', 'application/x-www-form-urlencoded', undefined]) {
      const response = await request(
        `/relocate?kernel_release=${RELEASE}`,
        { method: 'POST', body: fooObject(), headers: type === undefined ? {} : { 'content-type': type } }
      )
      expect(response.status, type).toBe(200)
      expect(await bytesOf(response)).toEqual(fromForm)
    }
  })

  it('relocates the example for the sample kernel, all of it', async () => {
    const { relocate } = await lab()
    const response = await relocate({ object: EXEC, btf: SAMPLE })
    expect(response.status).toBe(200)
    expect(response.headers.get('corelo-relocations')).toBe('resolved=21, absent=0, poisoned=1')
    const bytes = await bytesOf(response)
    expect(bytes.length).toBe(EXEC.length)
    expect(bytes).not.toEqual(new Uint8Array(EXEC))
  })

  it('says in headers what the answer is, of what it was made, and where it stays', async () => {
    const { relocate, supply } = await lab()
    const btfHash = await supply(fooBtf())
    const response = await relocate()
    const bytes = await bytesOf(response)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/x-elf',
      'content-length': String(bytes.length),
      etag: `"${hashOf(bytes)}"`,
      'content-digest': digestOf(bytes),
      'repr-digest': digestOf(bytes),
      'content-location': `/relocated/${hashOf(fooObject())}/${btfHash}?engine=${ENGINE.version}`,
      'corelo-object': hashOf(fooObject()),
      'corelo-btf': btfHash,
      'corelo-kernel': UBUNTU,
      'corelo-verdict': 'loads',
      'corelo-relocations': 'resolved=1, absent=0, poisoned=0',
      'server-timing': expect.stringMatching(/^resolve;dur=[\d.]+, fetch;dur=[\d.]+, parse;dur=[\d.]+, relocate;dur=[\d.]+$/),
      'x-request-id': expect.stringMatching(/./),
      vary: 'accept'
    })
  })

  it('has the same headers where only content is named, the kernel being none', async () => {
    const { relocate } = await lab()
    const { headers } = await relocate({ btf: fooBtf() })
    for (const name of [
      'etag', 'content-digest', 'repr-digest', 'content-location', 'corelo-object', 'corelo-btf', 'corelo-verdict', 'corelo-relocations',
      'server-timing'
    ]) {
      expect(headers.get(name), name).toBeTruthy()
    }
    expect(headers.get('corelo-kernel')).toBe('none')
  })

  it('answers with the report for Accept: application/json', async () => {
    const { relocate, supply } = await lab()
    const btfHash = await supply(fooBtf())
    const bytes = await bytesOf(await relocate())
    const response = await relocate({}, { accept: 'application/json' })
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    const text = await response.text()
    expect(response.headers.get('content-digest')).toBe(digestOf(Buffer.from(text)))
    expect(JSON.parse(text)).toMatchObject({
      object: { sha256: hashOf(fooObject()), bytes: fooObject().length, byte_order: 'little' },
      kernel: { reference: UBUNTU, btf_sha256: btfHash, source: 'upload' },
      result: { sha256: hashOf(bytes), bytes: bytes.length, changed_instructions: 1 },
      engine: { name: 'corelo', version: expect.any(String), semantics: expect.stringMatching(/^libbpf /) },
      verdict: 'loads',
      assumes: [],
      loads_without_kernel_btf: true,
      counts: { resolved: 1, absent: 0, poisoned: 0 },
      programs: [{ name: 'a', section: 'raw_tp/a', verdict: 'loads', needs_kernel_btf: null, relocations: 1 }],
      relocations: [{
        kind: 'byte_off',
        type: 'struct foo',
        access: 'foo.y',
        access_spec: '0:1',
        status: 'resolved',
        old: 4,
        new: 12,
        reason: null,
        suggestions: [],
        places: [{ program: 'a', section: 'raw_tp/a', instruction: 0, reachable: null }],
        places_total: 1
      }],
      warnings: []
    })
  })

  it('answers with both for Accept: multipart/form-data', async () => {
    const { relocate, supply } = await lab()
    await supply(fooBtf())
    const bytes = await bytesOf(await relocate())
    const report: unknown = await (await relocate({}, { accept: 'application/json' })).json()
    const parts = await (await relocate({}, { accept: 'multipart/form-data' })).formData()
    const object = parts.get('object')
    if (!(object instanceof File)) return expect.fail('the part object is no file')
    expect(new Uint8Array(await object.arrayBuffer())).toEqual(bytes)
    expect(JSON.parse(String(parts.get('report')))).toEqual(report)
  })

  it('chooses among what is accepted by its weight, and takes no guess when nothing fits', async () => {
    const { relocate } = await lab()
    const typeFor = async (accept: string): Promise<string | undefined> =>
      (await relocate({ btf: fooBtf() }, { accept })).headers.get('content-type')?.split(';')[0]
    expect(await typeFor('*/*')).toBe('application/x-elf')
    expect(await typeFor('application/octet-stream')).toBe('application/octet-stream')
    expect(await typeFor('application/x-elf;q=0.2, application/json')).toBe('application/json')
    expect(await typeFor('text/html, application/*;q=0.5')).toBe('application/x-elf')
    const refused = await problem(await relocate({ btf: fooBtf() }, { accept: 'text/html' }), 406, 'not_acceptable')
    expect(refused['available']).toEqual(['application/x-elf', 'application/octet-stream', 'application/json', 'multipart/form-data'])
  })

  it('answers 304 to a caller that has the result, and not to one that has only its report', async () => {
    const { relocate, supply } = await lab()
    await supply(fooBtf())
    const etag = (await relocate()).headers.get('etag') ?? ''
    for (const ifNoneMatch of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await relocate({}, { 'if-none-match': ifNoneMatch })
      expect(response.status, ifNoneMatch).toBe(304)
      expect(response.headers.get('etag')).toBe(etag)
      expect(await response.text()).toBe('')
    }
    expect((await relocate({}, { 'if-none-match': '"other"' })).status).toBe(200)
    expect((await relocate({}, { 'if-none-match': etag, accept: 'application/json' })).status).toBe(200)
  })
})

describe('the object of a relocation', () => {
  it('may be named by its hash once the service holds it', async () => {
    const { relocate, put, supply } = await lab()
    await supply(fooBtf())
    const object = hashOf(fooObject())
    const unknown = await problem(await relocate({ object }), 404, 'object_unknown')
    expect(unknown['object_sha256']).toBe(object)
    expect((await put(`/objects/${object}`, fooObject())).status).toBe(201)
    const response = await relocate({ object })
    expect(response.headers.get('corelo-object')).toBe(object)
    expect(offsetOfY({ bytes: await bytesOf(response) })).toBe(12)
  })

  it('has to be there, and to be a file or a hash', async () => {
    const { request, relocate } = await lab()
    const missing = await request('/relocate', { method: 'POST', body: form({ kernel_release: RELEASE }) })
    expect(await problem(missing, 400, 'invalid_request')).toMatchObject({ field: 'object', detail: expect.stringContaining('missing') })
    expect(await problem(await relocate({ object: 'SHA256:abc' }), 400, 'invalid_request')).toMatchObject({ field: 'object' })
    const noBody = await request(`/relocate?kernel_release=${RELEASE}`, { method: 'POST' })
    expect(await problem(noBody, 400, 'invalid_request')).toMatchObject({ field: 'object' })
  })
})

describe('the kernel of a relocation', () => {
  it('is settled by a btf part, which is kept nowhere', async () => {
    const { request, relocate } = await lab()
    const response = await relocate({ btf: fooBtf() })
    expect(offsetOfY({ bytes: await bytesOf(response) })).toBe(12)
    const hash = hashOf(fooBtf())
    expect(response.headers.get('corelo-btf')).toBe(hash)
    await problem(await request(`/btf/${hash}`), 404, 'btf_unknown')
    expect(await (await request('/kernels')).json()).toEqual({ kernels: [], next_cursor: null })
  })

  it('may come as a kernel image: ELF with .BTF', async () => {
    const { relocate } = await lab()
    const response = await relocate({ btf: btfElf({ btf: fooBtf() }) })
    expect(response.headers.get('corelo-btf')).toBe(hashOf(fooBtf()))
    expect(offsetOfY({ bytes: await bytesOf(response) })).toBe(12)
  })

  it('is settled by the hash of its BTF, whatever the name beside it', async () => {
    const { relocate, supply } = await lab()
    const hash = await supply(fooBtf())
    for (const parts of [{ btf_sha256: hash }, { btf_sha256: hash, kernel_release: 'unheard-of' }]) {
      const response = await relocate(parts)
      expect(response.status).toBe(200)
      expect(response.headers.get('corelo-btf')).toBe(hash)
    }
    expect(await problem(await relocate({ btf_sha256: ABSENT }), 404, 'btf_unknown')).toMatchObject({ btf_sha256: ABSENT })
  })

  it('may be named by a whole reference, by its parts, or by the bare release', async () => {
    const { relocate, supply } = await lab()
    await supply(fooBtf())
    for (const parts of [
      { kernel_release: UBUNTU },
      { kernel_release: `ubuntu/20.04/amd64/${RELEASE}` },
      { kernel_release: RELEASE },
      {
        kernel_release: RELEASE,
        arch: 'x86_64',
        distro: 'ubuntu',
        distro_version: '20.04',
        kernel_version: '#46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020'
      }
    ]) {
      const response = await relocate(parts)
      expect(response.status, JSON.stringify(parts)).toBe(200)
      expect(response.headers.get('corelo-kernel')).toBe(UBUNTU)
    }
    expect(await problem(await relocate({ kernel_release: UBUNTU, arch: 'arm64' }), 400, 'invalid_request')).toMatchObject({
      field: 'arch'
    })
    expect(await problem(await relocate({ kernel_release: 'ubuntu/20.04' }), 400, 'invalid_request')).toMatchObject({
      field: 'kernel_release'
    })
    expect(await problem(await relocate({ kernel_release: UBUNTU, kernel_build_id: 'xyz' }), 400, 'invalid_request')).toMatchObject({
      field: 'kernel_build_id'
    })
    expect(await problem(
      await relocate({ kernel_release: UBUNTU, kernel_version: '#46~18.04.1-Ubuntu SMP' }), 400, 'invalid_request'
    )).toMatchObject({ field: 'kernel_version', detail: expect.stringContaining('is that of ubuntu 18.04') })
  })

  it('is never guessed: a release with two contents is refused with both as candidates', async () => {
    const { relocate, supply } = await lab()
    const debian = `debian/11/x86_64/${RELEASE}`
    const hashes = [await supply(fooBtf(0)), await supply(fooBtf(1), debian)]
    const { candidates } = await problem(await relocate({ kernel_release: RELEASE }), 409, 'kernel_ambiguous')
    expect(candidates).toEqual(expect.arrayContaining([
      { reference: UBUNTU, btf_sha256: hashes[0], source: 'upload' },
      { reference: debian, btf_sha256: hashes[1], source: 'upload' }
    ]))
    expect((await relocate({ kernel_release: RELEASE, distro: 'debian' })).headers.get('corelo-kernel')).toBe(debian)
  })

  it('may be a release that several kernels share, where their BTF is the same', async () => {
    const { relocate, supply } = await lab()
    const hash = await supply(fooBtf())
    await supply(fooBtf(), `debian/11/x86_64/${RELEASE}`)
    const response = await relocate({ kernel_release: RELEASE })
    expect(response.status).toBe(200)
    expect(response.headers.get('corelo-btf')).toBe(hash)
    expect(response.headers.get('corelo-kernel')).toBe(RELEASE)
  })

  it('that nobody knows is refused with who was asked and what is nearest', async () => {
    const { relocate, supply } = await lab()
    await supply(fooBtf())
    const unknown = await problem(await relocate({ kernel_release: '5.4.0-43-generic' }), 404, 'kernel_unknown')
    expect(unknown).toMatchObject({ kernel: '5.4.0-43-generic', nearest: [UBUNTU] })
    expect(unknown['sources']).toEqual(expect.arrayContaining([{ source: 'upload', answer: expect.any(String) }]))
  })

  it('is not decided by uploads unless the operator trusts them; their hash always works', async () => {
    const { relocate, supply } = await lab({ trustUploads: false })
    const hash = await supply(fooBtf())
    const refused = await problem(await relocate({ kernel_release: UBUNTU }), 404, 'kernel_unknown')
    expect(JSON.stringify(refused['sources'])).toContain('CORELO_TRUST_UPLOADS')
    expect(refused['nearest']).toEqual([])
    expect((await relocate({ btf_sha256: hash })).status).toBe(200)
  })

  it('has to be named', async () => {
    const { request } = await lab()
    const response = await request('/relocate', { method: 'POST', body: form({ object: fooObject() }) })
    expect(await problem(response, 400, 'invalid_request')).toMatchObject({ field: 'kernel_release' })
    const narrowed = await request('/relocate', { method: 'POST', body: form({ object: fooObject(), btf: fooBtf(), arch: 'x86_64' }) })
    expect(await problem(narrowed, 400, 'invalid_request')).toMatchObject({ field: 'arch' })
  })
})

describe('what a kernel does not have', () => {
  const setting = Buffer.from(guardedObject('setting'))

  it('is no failure where it cannot be reached, which depends on what is assumed', async () => {
    const { request, relocate, supply } = await lab()
    const release = '6.8.0-31-generic'
    await supply(emptyBtf(), `ubuntu/24.04/x86_64/${release}`)
    const guarded = await relocate({ object: setting, kernel_release: release, on_unresolved: 'fail' })
    expect([guarded.status, guarded.headers.get('corelo-verdict')]).toEqual([200, 'loads'])
    const assumed = await relocate({ object: setting, kernel_release: release, assume: ['enabled=1', 'CONFIG_NF_TABLES=m'] })
    expect([assumed.status, assumed.headers.get('corelo-verdict')]).toEqual([200, 'fails'])
    const report = await relocate({ object: setting, kernel_release: release, assume: 'enabled=1' }, { accept: 'application/json' })
    expect(await report.json()).toMatchObject({ verdict: 'fails', assumes: ['.rodata.enabled = 1'] })
    const refused = await problem(
      await relocate({ object: setting, kernel_release: release, assume: 'enabled=1', on_unresolved: 'fail' }), 422, 'unresolved_reachable'
    )
    expect(refused.detail).not.toContain('not known')
    const raw = async (query: string) =>
      (await request(`/relocate?kernel_release=${release}&${query}`, { method: 'POST', body: setting })).headers.get('corelo-verdict')
    expect([await raw('assume=enabled=0'), await raw('assume=enabled=1'), await raw('assume=enabled=1&assume=CONFIG_NF_TABLES=y')]).toEqual(
      ['loads', 'fails', 'fails']
    )
    const metrics = await (await request('/metrics')).text()
    const counted = (verdict: string) => [
      ...metrics.matchAll(new RegExp(`corelo_relocations_total\\{verdict="${verdict}",cached="\\w+"\\} (\\d+)`, 'g'))
    ].reduce((sum, [, count]) => sum + Number(count), 0)
    expect([counted('loads'), counted('fails'), counted('unknown')]).toEqual([2, 4, 0])
  })

  it('is a failure where it is not known whether it can be reached, which the answer says', async () => {
    const { relocate } = await lab()
    const unknown = { object: Buffer.from(guardedObject('version')), btf: emptyBtf() }
    expect((await relocate(unknown)).headers.get('corelo-verdict')).toBe('unknown')
    expect((await problem(await relocate({ ...unknown, on_unresolved: 'fail' }), 422, 'unresolved_reachable')).detail).toContain(
      'not known, which counts as reachable'
    )
  })

  it('cannot be guessed at with values for variables that the object does not have', async () => {
    const { request, relocate, supply } = await lab()
    await supply(emptyBtf())
    for (const [assume, must] of [
      ['enabeld=1', 'it has enabled'], ['enabled', 'name=value'], ['enabled=x', 'must be'], [['enabled=1', 'enabled=1'], 'twice'],
      ['', 'empty'], [Array.from({ length: 65 }, (_, i) => `v${i}=1`), 'more than 64 times']
    ] as const) {
      const refused = await problem(await relocate({ object: setting, assume }), 400, 'invalid_request')
      expect(refused['field']).toBe('assume')
      expect(refused.detail).toContain(must)
    }
    await problem(
      await request(`/relocate?kernel_release=${RELEASE}&assume=nothing=1`, { method: 'POST', body: setting }), 400, 'invalid_request'
    )
  })

  it('is poisoned, or refused with on_unresolved=fail, naming every instruction', async () => {
    const { relocate, supply } = await lab()
    await supply(emptyBtf())
    const poisoned = await relocate()
    expect(poisoned.status).toBe(200)
    expect(poisoned.headers.get('corelo-relocations')).toBe('resolved=0, absent=0, poisoned=1')
    const refused = await problem(await relocate({ on_unresolved: 'fail' }), 422, 'unresolved_reachable')
    expect(refused['relocations']).toMatchObject([
      { status: 'poisoned', reason: 'type_missing', places: [{ program: 'a', section: 'raw_tp/a', instruction: 0 }], places_total: 1 }
    ])
    expect(refused.detail).toContain('instruction 0')
  })

  it('is no failure with on_unresolved=fail where everything is there', async () => {
    const { relocate } = await lab()
    expect((await relocate({ btf: fooBtf(), on_unresolved: 'fail' })).status).toBe(200)
  })

  it('and what libbpf would refuse comes with all failing relocations, not only the first', async () => {
    const { relocate } = await lab()
    const ambiguous = btf()
    const { int } = integers(ambiguous)
    ambiguous.struct('foo', 8, [at('x', 0, int), at('y', 0, int)])
    ambiguous.struct('foo', 8, [at('x', 0, int), at('y', 4, int)])
    const asm = assembler('little')
    const spec = fooSpec()
    const [record] = spec.records ?? []
    if (record === undefined) return expect.fail('fooSpec has no record')
    const { bytes } = buildObject({
      ...spec,
      programs: [
        { section: 'raw_tp/a', name: 'a', code: concat(asm.ldx('w', 2, 1, 4), asm.ldx('w', 2, 1, 0), asm.ldx('w', 3, 1, 4), asm.exit()) }
      ],
      records: [record, { ...record, insnOff: 8, access: '0:0' }, { ...record, insnOff: 16 }]
    })
    const refused = await problem(await relocate({ object: bytes, btf: ambiguous.bytes() }), 422, 'relocation_failed')
    expect(refused['relocations']).toMatchObject([
      {
        access: 'foo.y', status: 'failed', reason: 'ambiguous', new: null, places: [{ instruction: 0 }, { instruction: 2 }], places_total: 2
      }
    ])
    expect(refused.detail).toContain('2 of 3')
  })
})

describe('a request that says something else than the contract', () => {
  it('is refused for a part or a parameter that does not exist', async () => {
    const { request, relocate } = await lab()
    expect(await problem(await relocate({ kernel: RELEASE }), 400, 'invalid_request')).toMatchObject({
      field: 'kernel', detail: expect.stringContaining('"kernel"')
    })
    for (const path of [`/relocate?kernel_relaese=${RELEASE}`, `/relocate?kernel_release=${RELEASE}&object=x`]) {
      expect((await problem(await request(path, { method: 'POST', body: fooObject() }), 400, 'invalid_request'))['field']).toMatch(
        /^(?:kernel_relaese|object)$/
      )
    }
    for (const path of ['/kernels?realease=5', '/livez?verbose=1', `/btf/${ABSENT}?x=1`, `/relocated/${ABSENT}/${ABSENT}?arch=x86_64`]) {
      await problem(await request(path), 400, 'invalid_request')
    }
  })

  it('is refused for a single field that is there twice', async () => {
    const { request, relocate } = await lab()
    for (const [name, values] of Object.entries({
      kernel_release: [RELEASE, RELEASE], object: [fooObject(), fooObject()], on_unresolved: ['poison', 'fail'], modules: ['a', 'b']
    })) {
      expect(await problem(await relocate({ btf: fooBtf(), [name]: values }), 400, 'invalid_request')).toMatchObject({ field: name })
    }
    const query = await request(`/relocate?kernel_release=${RELEASE}&kernel_release=${RELEASE}`, { method: 'POST', body: fooObject() })
    expect(await problem(query, 400, 'invalid_request')).toMatchObject({
      field: 'kernel_release', detail: expect.stringContaining('2 times')
    })
    await problem(await request('/kernels?limit=1&limit=2'), 400, 'invalid_request')
  })

  it('is refused for fields in the address beside a form', async () => {
    const { request } = await lab()
    const response = await request(`/relocate?kernel_release=${RELEASE}`, { method: 'POST', body: form({ object: fooObject() }) })
    expect(await problem(response, 400, 'invalid_request')).toMatchObject({ field: 'kernel_release' })
  })

  it('is refused for a field of another form, told what it has to be', async () => {
    const { relocate } = await lab()
    for (const [field, value, must] of [
      ['on_unresolved', 'explode', 'poison or fail'],
      ['btf_sha256', 'abc', 'sha256:'],
      ['kernel_release', 'a b', 'uname -r'],
      ['kernel_release', '..', '"."'],
      ['arch', 'x86 64', 'characters'],
      ['modules', 'a,,b', 'commas'],
      ['modules', 'a,a', 'twice'],
      ['kernel_release', '', 'empty']
    ] as const) {
      const refused = await problem(await relocate({ kernel_release: RELEASE, [field]: value }), 400, 'invalid_request')
      expect(refused['field']).toBe(field)
      expect(refused.detail, `${field}=${value}`).toContain(must)
    }
  })

  it('is refused for another type of content, with those that would do', async () => {
    const { request, put } = await lab()
    const response = await request('/relocate', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    const refused = await problem(response, 415, 'unsupported_media_type')
    expect(refused['accepted']).toEqual(['multipart/form-data', 'application/x-elf', 'application/octet-stream'])
    expect(response.headers.get('accept')).toBe('multipart/form-data, application/x-elf, application/octet-stream')
    await problem(await request(
      '/relocate', { method: 'POST', body: 'kernel_release=5', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
    ), 415, 'unsupported_media_type')
    await problem(await put(`/objects/${ABSENT}`, fooObject(), { 'content-type': 'text/plain' }), 415, 'unsupported_media_type')
    await problem(await put(`/kernels/${UBUNTU}/btf`, fooBtf(), { 'content-type': 'application/json' }), 415, 'unsupported_media_type')
  })

  it('is refused for what is too large, told the part and the limit', async () => {
    const limits = { maxObjectBytes: 4000, maxBtfBytes: 5000 }
    const { request, relocate, put } = await lab(limits)
    const large = new Uint8Array(6000)
    expect(await problem(await relocate({ object: large }), 413, 'too_large')).toMatchObject({ part: 'object', limit: 4000 })
    expect(await problem(await relocate({ btf: large }), 413, 'too_large')).toMatchObject({ part: 'btf', limit: 5000 })
    expect(await problem(await relocate({ btf: [large.subarray(0, 3000), large.subarray(0, 3000)] }), 413, 'too_large')).toMatchObject({
      part: 'btf', limit: 5000
    })
    expect(await problem(await relocate({ kernel_release: 'x'.repeat(100_000) }), 413, 'too_large')).toMatchObject({
      part: 'kernel_release'
    })
    expect(await problem(
      await request(`/relocate?kernel_release=${RELEASE}`, { method: 'POST', body: large }), 413, 'too_large'
    )).toMatchObject({ part: 'body', limit: 4000 })
    expect(await problem(await put(`/objects/${hashOf(large)}`, large), 413, 'too_large')).toMatchObject({ part: 'body', limit: 4000 })
    expect(await problem(await put(`/kernels/${UBUNTU}/btf`, large), 413, 'too_large')).toMatchObject({ part: 'body', limit: 5000 })
  })

  it('is refused for parts and bodies without content, told which', async () => {
    const { relocate, put } = await lab()
    const nothing = new Uint8Array()
    expect(await problem(await relocate({ object: nothing }), 422, 'object_invalid')).toMatchObject({ part: 'object' })
    expect(await problem(await relocate({ btf: nothing }), 422, 'btf_invalid')).toMatchObject({ part: 'btf' })
    expect(await problem(await put(`/objects/${ABSENT}`, nothing), 400, 'invalid_request')).toMatchObject({ field: 'body' })
    expect(await problem(await put(`/kernels/${UBUNTU}/btf`, nothing), 400, 'invalid_request')).toMatchObject({ field: 'body' })
  })

  it('is refused for a form that is none', async () => {
    const { request } = await lab()
    for (const [type, body] of [
      ['multipart/form-data', 'x'],
      ['multipart/form-data; boundary=b', 'no boundary in here'],
      ['multipart/form-data; boundary=b', '--b\r\ncontent-disposition: form-data; name="object"\r\n\r\ncut off']
    ] as const) {
      await problem(await request('/relocate', { method: 'POST', body, headers: { 'content-type': type } }), 400, 'invalid_request')
    }
  })
})

describe('modules', () => {
  it('are supplied under their kernel, consulted by name, and spelled out as hashes in Content-Location', async () => {
    const { request, relocate, put, supply } = await lab()
    const { vmlinux, module } = vmlinuxAndModule()
    const vmlinuxHash = await supply(vmlinux)
    const path = `/kernels/${UBUNTU}/btf/foo_mod`
    const created = await put(path, module)
    expect([created.status, created.headers.get('location')]).toEqual([201, path])
    expect(await created.json()).toMatchObject({
      modules: [{ name: 'foo_mod', btf_sha256: hashOf(module), bytes: module.length, source: 'upload' }]
    })
    expect((await put(path, module)).status).toBe(200)
    expect(await bytesOf(await request(path))).toEqual(module)

    const response = await relocate({ modules: 'foo_mod' })
    const bytes = await bytesOf(response)
    expect(offsetOfY({ bytes })).toBe(20)
    const location = `/relocated/${hashOf(fooObject())}/${vmlinuxHash}?engine=${ENGINE.version}&modules=${hashOf(module)}`
    expect(response.headers.get('content-location')).toBe(location)
    expect(await bytesOf(await request(location))).toEqual(bytes)

    const base = btf()
    integers(base)
    const other = btf({ base })
    other.struct('bar', 4)
    expect((await put(path, other.bytes())).status).toBe(201)
    await problem(await relocate({ modules: 'foo_mod' }), 409, 'kernel_ambiguous')
    expect(await bytesOf(await request(location))).toEqual(bytes)
  })

  it('may come as further btf parts', async () => {
    const { relocate } = await lab()
    const { vmlinux, module } = vmlinuxAndModule()
    expect(offsetOfY({ bytes: await bytesOf(await relocate({ btf: [vmlinux, module] })) })).toBe(20)
    await problem(await relocate({ btf: vmlinux, modules: 'foo_mod' }), 400, 'invalid_request')
  })

  it('may be hundreds, which headers name by the digest of their list', async () => {
    const { request, relocate } = await lab()
    const base = btf()
    const { int } = integers(base)
    const modules = Array.from({ length: 200 }, (_, i) => {
      const split = btf({ base })
      split.struct(i === 150 ? 'foo' : `other_${i}`, 32, [at('y', 20, int)])
      return split.bytes()
    })
    const response = await relocate({ btf: [base.bytes(), ...modules] })
    const bytes = await bytesOf(response)
    expect(offsetOfY({ bytes })).toBe(20)
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('')
    expect(headers.length).toBeLessThan(4096)
    const list = modules.map(hashOf).join(',')
    const location = response.headers.get('content-location') ?? ''
    expect(location).toBe(
      `/relocated/${hashOf(fooObject())}/${hashOf(base.bytes())}?engine=${ENGINE.version}&module_list=${hashOf(Buffer.from(list))}`
    )
    const report = await (await relocate({ btf: [base.bytes(), ...modules] }, { accept: 'application/json' })).json() as { kernel: unknown }
    expect(report.kernel).toMatchObject({ modules: modules.map(hashOf) })
    expect(await bytesOf(await request(location))).toEqual(bytes)
    await problem(await request(location.replace(/module_list=.*/, `module_list=${ABSENT}`)), 404, 'btf_unknown')
    await problem(await request(`${location}&modules=${ABSENT}`), 400, 'invalid_request')
  })

  it('that are not held are refused, never left out', async () => {
    const { request, relocate, put, supply } = await lab()
    const { vmlinux, module } = vmlinuxAndModule()
    await problem(await put(`/kernels/${UBUNTU}/btf/foo_mod`, module), 404, 'kernel_unknown')
    await supply(vmlinux)
    expect(await problem(await relocate({ modules: 'nope' }), 404, 'btf_unknown')).toMatchObject({ kernel: UBUNTU, module: 'nope' })
    expect(await problem(await request(`/kernels/${UBUNTU}/btf/nope`), 404, 'btf_unknown')).toMatchObject({ module: 'nope' })
  })
})

describe('GET /relocated/{object}/{btf}', () => {
  it('gives the same bytes as the request that named it, for ever', async () => {
    const { request, relocate, supply } = await lab()
    await supply(fooBtf())
    const posted = await relocate()
    const bytes = await bytesOf(posted)
    const location = posted.headers.get('content-location') ?? ''
    const response = await request(location)
    expect(await bytesOf(response)).toEqual(bytes)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      etag: `"${hashOf(bytes)}"`,
      'content-digest': digestOf(bytes),
      'repr-digest': digestOf(bytes),
      'content-location': location,
      'corelo-object': hashOf(fooObject()),
      vary: 'accept'
    })
    expect(await (await request(location, { headers: { accept: 'application/json' } })).json()).toMatchObject({
      result: { sha256: hashOf(bytes) }
    })
    const known = await request(location, { headers: { 'if-none-match': `"${hashOf(bytes)}"` } })
    expect([known.status, known.headers.get('cache-control')]).toEqual([304, 'public, max-age=31536000, immutable'])
  })

  it('is what the current engine gives where none is named, and is refused for another', async () => {
    const { request, relocate, supply } = await lab()
    await supply(fooBtf())
    const [address = ''] = (await relocate()).headers.get('content-location')?.split('?') ?? []
    const response = await request(address)
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'public, max-age=300'])
    expect(await problem(await request(`${address}?engine=0.0.0`), 404, 'not_found')).toMatchObject({ engine: ENGINE.version })
  })

  it('answers HEAD with the same headers and nothing else', async () => {
    const { request, relocate, supply } = await lab()
    await supply(fooBtf())
    const location = (await relocate()).headers.get('content-location') ?? ''
    const [head, get] = [await request(location, { method: 'HEAD' }), await request(location)]
    expect(head.status).toBe(200)
    expect(await head.text()).toBe('')
    for (const name of ['etag', 'repr-digest', 'content-type', 'content-length', 'content-location', 'cache-control', 'corelo-verdict']) {
      expect(head.headers.get(name), name).toBe(get.headers.get(name))
    }
    expect(head.headers.get('content-digest')).toBe(digestOf(new Uint8Array()))
  })

  it('says which of the two the service lacks, and keeps caches from remembering it', async () => {
    const { request, put, supply } = await lab()
    const hash = await supply(fooBtf())
    const object = hashOf(fooObject())
    await put(`/objects/${object}`, fooObject())
    const noObject = await request(`/relocated/${ABSENT}/${hash}`)
    expect(noObject.headers.get('cache-control')).toBe('no-store')
    expect(await problem(noObject, 404, 'object_unknown')).toMatchObject({ object_sha256: ABSENT })
    expect(await problem(await request(`/relocated/${object}/${ABSENT}`), 404, 'btf_unknown')).toMatchObject({ btf_sha256: ABSENT })
    await problem(await request(`/relocated/${object}/${hash}?modules=${ABSENT}`), 404, 'btf_unknown')
    await problem(await request(`/relocated/abc/${hash}`), 400, 'invalid_request')
  })
})

describe('/objects/{hash}', () => {
  it('stores an object once and tells whether it is there', async () => {
    const { request, put } = await lab()
    const path = `/objects/${hashOf(fooObject())}`
    expect((await request(path, { method: 'HEAD' })).status).toBe(404)
    const created = await put(path, fooObject())
    expect([created.status, created.headers.get('location')]).toEqual([201, path])
    expect(await created.json()).toEqual({ sha256: hashOf(fooObject()), bytes: fooObject().length })
    expect((await put(path, fooObject())).status).toBe(200)
    const head = await request(path, { method: 'HEAD' })
    expect([head.status, head.headers.get('corelo-object')]).toEqual([200, hashOf(fooObject())])
  })

  it('takes only the bytes of its hash, and only eBPF objects', async () => {
    const { request, put } = await lab()
    expect(await problem(await put(`/objects/${ABSENT}`, fooObject()), 400, 'invalid_request')).toMatchObject({
      expected: ABSENT, actual: hashOf(fooObject())
    })
    expect((await request(`/objects/${ABSENT}`, { method: 'HEAD' })).status).toBe(404)
    const junk = new Uint8Array(100).fill(1)
    await problem(await put(`/objects/${hashOf(junk)}`, junk), 422, 'object_invalid')
    await problem(await put('/objects/sha256:ABC', fooObject()), 400, 'invalid_request')
  })
})

describe('/kernels', () => {
  it('takes BTF once: 201, then 200, and 201 for other bytes, beside which the name is ambiguous', async () => {
    const { request, put } = await lab()
    const path = `/kernels/${UBUNTU}/btf`
    const created = await put(path, fooBtf(), { 'content-type': 'application/octet-stream' })
    expect([created.status, created.headers.get('location'), created.headers.get('corelo-btf')]).toEqual([201, path, hashOf(fooBtf())])
    expect(await created.json()).toMatchObject({
      reference: UBUNTU, btf_sha256: hashOf(fooBtf()), bytes: fooBtf().length, source: 'upload', modules: []
    })
    expect((await put(path, fooBtf())).status).toBe(200)
    expect((await put(path, btfElf({ btf: fooBtf() }), { 'content-type': 'application/x-elf' })).status).toBe(200)
    expect(await bytesOf(await request(path))).toEqual(fooBtf())
    const other = await put(path, fooBtf(1))
    expect([other.status, other.headers.get('corelo-btf')]).toEqual([201, hashOf(fooBtf(1))])
    expect((await problem(await request(path), 409, 'kernel_ambiguous'))['candidates']).toHaveLength(2)
    expect(await bytesOf(await request(`/btf/${hashOf(fooBtf())}`))).toEqual(fooBtf())
  })

  it('gives the BTF of a kernel with its hash, to be asked for again', async () => {
    const { request, supply } = await lab()
    const hash = await supply(fooBtf())
    const response = await request(`/kernels/${UBUNTU}/btf`)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      etag: `"${hash}"`,
      'repr-digest': digestOf(fooBtf()),
      'content-location': `/btf/${hash}`,
      'cache-control': 'no-cache'
    })
    expect((await request(`/kernels/${UBUNTU}/btf`, { headers: { 'if-none-match': `"${hash}"` } })).status).toBe(304)
    await problem(await request('/kernels/ubuntu/20.04/x86_64/other/btf'), 404, 'kernel_unknown')
  })

  it('tells of one kernel where its BTF came from and when', async () => {
    const { request, put } = await lab()
    const version = '#46-Ubuntu SMP'
    await put(`/kernels/${UBUNTU}/btf?kernel_version=${encodeURIComponent(version)}`, fooBtf())
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(await (await request(`/kernels/ubuntu/20.04/amd64/${RELEASE}`)).json()).toEqual({
      reference: UBUNTU,
      state: 'held',
      sources: ['upload'],
      distro: 'ubuntu',
      distro_version: '20.04',
      arch: 'x86_64',
      release: RELEASE,
      btf_sha256: hashOf(fooBtf()),
      bytes: fooBtf().length,
      types: 11,
      build_id: null,
      source: 'upload',
      provenance: { by: '127.0.0.1', at: time, kernel_version: version },
      first_seen: time,
      last_used: time,
      modules: [],
      published: null
    })
    await problem(await request('/kernels/ubuntu/20.04/x86_64/other'), 404, 'kernel_unknown')
  })

  it('says of a kernel that nobody has which preset of package repositories may have it', async () => {
    const { request, relocate } = await lab()
    const detailOf = async (response: Response) => (await problem(response, 404, 'kernel_unknown'))['detail']
    for (const detail of [
      await detailOf(await request('/kernels/rocky/9.3/x86_64/other')),
      await detailOf(await relocate({ kernel_release: 'rocky/9.3/x86_64/other' }))
    ]) expect(detail).toMatch(/its operator can add rocky to CORELO_PACKAGES\.$/)
    expect(await detailOf(await request('/kernels/rhel/9.3/x86_64/other'))).not.toContain('CORELO_PACKAGES')
  })

  it('lists what is held, filtered and page by page', async () => {
    const { request, supply } = await lab()
    const references = [
      UBUNTU, 'ubuntu/20.04/arm64/5.4.0-42-generic', 'debian/12/x86_64/6.1.0-18-amd64', 'fedora/39/x86_64/6.6.8-200.fc39.x86_64',
      'ubuntu/22.04/x86_64/5.15.0-91-generic'
    ]
    for (const [i, reference] of references.entries()) await supply(fooBtf(i), reference)
    interface Page { readonly kernels: ReadonlyArray<{ readonly reference: string }>, readonly next_cursor: string | null }
    const list = async (query: string): Promise<string[]> =>
      (await (await request(`/kernels?${query}`)).json() as Page).kernels.map(({ reference }) => reference)

    expect(await list('')).toEqual(references.toSorted())
    expect(await list('distro=debian')).toEqual(['debian/12/x86_64/6.1.0-18-amd64'])
    expect(await list('arch=aarch64')).toEqual(['ubuntu/20.04/arm64/5.4.0-42-generic'])
    expect(await list(`release=${RELEASE}`)).toHaveLength(2)
    expect(await list('distro=ubuntu&distro_version=22.04')).toEqual(['ubuntu/22.04/x86_64/5.15.0-91-generic'])
    expect(await list('distro=nobody')).toEqual([])

    const seen: string[] = []
    let path: string | undefined = '/kernels?arch=x86_64&limit=3'
    while (path !== undefined) {
      const response: Response = await request(path)
      const page = await response.json() as Page
      seen.push(...page.kernels.map(({ reference }) => reference))
      path = /^<(.+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
      expect(path === undefined).toBe(page.next_cursor === null)
      if (path !== undefined) expect(path).toContain(`cursor=${page.next_cursor}`)
    }
    expect(seen).toEqual(references.filter(reference => reference.includes('x86_64/')).toSorted())
    for (const query of ['limit=0', 'limit=1001', 'limit=many', 'cursor=junk']) {
      await problem(await request(`/kernels?${query}`), 400, 'invalid_request')
    }
  })
})

describe('/btf/{hash}', () => {
  it('gives BTF by content, immutable', async () => {
    const { request, supply } = await lab()
    const hash = await supply(fooBtf())
    const response = await request(`/btf/${hash}`)
    expect(await bytesOf(response)).toEqual(fooBtf())
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(response.headers.get('content-digest')).toBe(digestOf(fooBtf()))
    const head = await request(`/btf/${hash}`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, String(fooBtf().length), ''])
    expect((await request(`/btf/${hash}`, { headers: { 'if-none-match': `"${hash}"` } })).status).toBe(304)
    expect((await request(`/btf/${ABSENT}`, { method: 'HEAD' })).status).toBe(404)
    await problem(await request(`/btf/${ABSENT}`), 404, 'btf_unknown')
    await problem(await request(`/btf/${hash}`, { headers: { accept: 'application/json' } }), 406, 'not_acceptable')
  })
})

describe('operations', () => {
  it('say that the process lives and is ready', async () => {
    const { request } = await lab()
    expect(await (await request('/livez')).json()).toEqual({ status: 'live' })
    const ready = await request('/readyz')
    expect([ready.status, ready.headers.get('cache-control'), await ready.json()]).toEqual([200, 'no-store', { status: 'ready' }])
  })

  it('say 503 to readiness, not to liveness, while the service starts', async () => {
    const { request } = await startAppWith({ ...createFakeService(), ready: () => new Promise<void>(() => {}) })
    expect((await request('/livez')).status).toBe(200)
    const response = await request('/readyz')
    expect(response.headers.get('retry-after')).toBe('1')
    await problem(response, 503, 'overloaded')
  })

  it('give metrics that count requests by route, status and code', async () => {
    const { request, relocate } = await lab()
    await relocate({ btf: fooBtf() })
    await relocate({ kernel_release: 'unheard-of' })
    const response = await request('/metrics')
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/)
    const text = await response.text()
    expect(text).toMatch(/^# HELP corelo_/m)
    expect(text).toMatch(/\/relocate.*200/)
    expect(text).toContain('kernel_unknown')
    expect(text).not.toContain('unheard-of')
  })

  it('give the OpenAPI document and a page that shows it', async () => {
    const { request } = await startApp()
    const document = await (await request('/openapi.json')).json() as { openapi: string, paths: object }
    expect(document.openapi).toBe('3.1.0')
    expect(Object.keys(document.paths)).toContain('/relocate')
    const page = await request('/docs')
    expect([page.status, page.headers.get('content-type')?.split(';')[0]]).toEqual([200, 'text/html'])
  })
})

describe('every answer', () => {
  it('carries x-request-id: the one of the request where it is harmless', async () => {
    const { request } = await startApp()
    for (const path of ['/livez', '/nowhere', '/kernels?x=1', '/docs', '/openapi.json']) {
      expect((await request(path)).headers.get('x-request-id'), path).toMatch(/^[0-9a-f-]{36}$/)
    }
    expect((await request('/livez', { headers: { 'x-request-id': 'agent-7/42' } })).headers.get('x-request-id')).toBe('agent-7/42')
    const refused = await request('/nowhere', { headers: { 'x-request-id': 'agent-7/43' } })
    expect((await problem(refused, 404, 'not_found'))['request_id']).toBe('agent-7/43')
    expect((await request('/livez', { headers: { 'x-request-id': 'a b"<script>' } })).headers.get('x-request-id')).toMatch(
      /^[0-9a-f-]{36}$/
    )
  })

  it('to a wrong address or method says so', async () => {
    const { request } = await startApp()
    await problem(await request('/nowhere'), 404, 'not_found')
    await problem(await request('/relocated/only-one'), 404, 'not_found')
    for (const [method, path, allow] of [
      ['GET', '/relocate', ['POST']], ['DELETE', `/objects/${ABSENT}`, ['HEAD', 'PUT']], ['POST', '/kernels', ['GET', 'HEAD']]
    ] as const) {
      const response = await request(path, { method })
      expect(response.headers.get('allow')?.split(', ').toSorted()).toEqual(allow)
      expect((await problem(response, 405, 'method_not_allowed'))['allow']).toEqual(expect.arrayContaining([...allow]))
    }
  })

  it('that is a failure of ours tells nothing of its cause, and the log does', async () => {
    const service = createFakeService()
    const { request, logged } = await startAppWith({ ...service, listKernels: () => Promise.reject(new Error('secret path /var/x')) })
    const { request_id: requestId, ...rest } = await problem(await request('/kernels'), 500, 'internal_error')
    expect(JSON.stringify(rest)).not.toContain('secret')
    expect(JSON.stringify(logged.filter(line => line['request_id'] === requestId))).toContain('secret path')
  })

  it('names content by hashes of one form', async () => {
    const { relocate } = await lab()
    const { headers } = await relocate({ btf: fooBtf() })
    for (const name of ['corelo-object', 'corelo-btf']) expect(headers.get(name)).toMatch(SHA256)
  })
})
