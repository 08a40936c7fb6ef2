import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { createFakeService } from '../support/fake-service.js'
import { form, launch, problemOf, startApp, type Harness, type Problem } from './harness.js'

const OBJECT = Buffer.concat([Buffer.from('\x7fELF', 'latin1'), Buffer.alloc(200, 9)])
const MAX_OBJECT = 1000
const MAX_BTF = 2000
const KERNEL = '5.4.0-42-generic'

let http: Harness
beforeAll(async () => { http = await launch(createFakeService(), { maxObjectBytes: MAX_OBJECT, maxBtfBytes: MAX_BTF }) })
afterAll(async () => { await http.app.close() })
beforeEach(() => { http.service.requests.length = 0 })

async function post (body: FormData | Uint8Array | string, path = '/relocate', headers: Record<string, string> = {}): Promise<Response> {
  return await http.request(path, { method: 'POST', body, headers })
}

/** What the service was asked, where the request got as far as that. */
async function asked (body: FormData | Uint8Array, path?: string, headers?: Record<string, string>) {
  const response = await post(body, path, headers)
  expect(response.status, await response.clone().text()).toBe(200)
  expect(http.service.deadlines.at(-1)?.signal).toBeInstanceOf(AbortSignal)
  return http.service.requests.at(-1) ?? expect.fail('the service was not asked')
}

async function refused (
  status: number, body: FormData | Uint8Array | string, path?: string, headers?: Record<string, string>
): Promise<Problem> {
  const response = await post(body, path, headers)
  const problem = await problemOf(response)
  expect([response.status, problem.status], JSON.stringify(problem)).toEqual([status, status])
  expect(http.service.requests).toEqual([])
  return problem
}

describe('a form', () => {
  it('has the object as a file and the kernel as text', async () => {
    expect(await asked(form({ object: OBJECT, kernel_release: KERNEL }))).toEqual({
      object: OBJECT, kernel: { release: KERNEL }, onUnresolved: 'poison', wantsReport: false
    })
  })

  it('may name the object by its hash', async () => {
    const hash = sha256(OBJECT)
    http.service.objects.set(hash, OBJECT)
    expect(await asked(form({ object: hash, kernel_release: KERNEL }))).toMatchObject({ objectSha256: hash })
  })

  it('may have its fields after the object', async () => {
    const data = new FormData()
    data.append('object', new Blob([OBJECT]), 'x.o')
    data.append('kernel_release', KERNEL)
    expect(await asked(data)).toMatchObject({ object: OBJECT, kernel: { release: KERNEL } })
  })

  it('may narrow the kernel, whose architecture is normalised', async () => {
    const request = await asked(form({
      object: OBJECT, kernel_release: KERNEL, distro: 'ubuntu', distro_version: '20.04', arch: 'aarch64', kernel_version: '#46-Ubuntu SMP'
    }))
    expect(request.kernel).toEqual({
      release: KERNEL, distro: 'ubuntu', distroVersion: '20.04', arch: 'arm64', kernelVersion: '#46-Ubuntu SMP'
    })
  })

  it('may give the build-id of the kernel, alone or beside its name', async () => {
    const id = '24A3598fd700114d0a1b1a4871badcee75d0acac'
    expect(await asked(form({ object: OBJECT, kernel_build_id: id }))).toMatchObject({ buildId: id.toLowerCase() })
    expect(await asked(form({ object: OBJECT, kernel_release: KERNEL, kernel_build_id: id }))).toMatchObject({
      kernel: { release: KERNEL, buildId: id.toLowerCase() }
    })
  })

  it('may give a whole reference as the release', async () => {
    const request = await asked(form({ object: OBJECT, kernel_release: `ubuntu/20.04/amd64/${KERNEL}` }))
    expect(request.kernel).toEqual({ release: KERNEL, distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64' })
  })

  it('may name the BTF by hash, modules by name, and what to do with what is unresolved', async () => {
    const [btfSha256] = [...http.service.btfs.keys()]
    expect(await asked(form({ object: OBJECT, btf_sha256: btfSha256 ?? '', modules: 'nf_conntrack,xfs', on_unresolved: 'fail' }))).toEqual({
      object: OBJECT, btfSha256, modules: ['nf_conntrack', 'xfs'], onUnresolved: 'fail', wantsReport: false
    })
  })

  it('may bring BTF, vmlinux first, and needs no kernel then', async () => {
    const btf = [Buffer.from('vmlinux'), Buffer.from('module a'), Buffer.from('module b')]
    expect(await asked(form({ object: OBJECT, btf }))).toEqual({ object: OBJECT, btf, onUnresolved: 'poison', wantsReport: false })
  })

  it('takes binary parts without a file name as files', async () => {
    const body = multipart(
      ['content-disposition: form-data; name="object"\r\ncontent-type: application/x-elf', OBJECT],
      ['content-disposition: form-data; name="btf"', Buffer.from('\xff\xfe', 'latin1')])
    expect(await asked(body, '/relocate', MULTIPART)).toMatchObject({ object: OBJECT, btf: [Buffer.from('\xff\xfe', 'latin1')] })
  })

  it('arrives in whatever pieces', async () => {
    const body = multipart(
      ['content-disposition: form-data; name="object"; filename="x.o"', Buffer.from('\x7fELF\r\n--\r\n--boun\r\r\n-', 'latin1')],
      ['content-disposition: form-data; name="kernel_release"', Buffer.from(KERNEL)])
    for (const size of [1, 2, 3, 7, 40]) {
      expect(await sendInPieces(body, size), `pieces of ${size}`).toMatch(/^HTTP\/1.1 200 /)
      expect(http.service.requests.at(-1)).toMatchObject({
        object: Buffer.from('\x7fELF\r\n--\r\n--boun\r\r\n-', 'latin1'), kernel: { release: KERNEL }
      })
    }
  })
})

describe('a form that is refused with 400 invalid_request', () => {
  const whole = { object: OBJECT, kernel_release: KERNEL }

  it.each<[what: string, parts: Parameters<typeof form>[0], field: string]>([
    ['an unknown field', { ...whole, verbose: '1' }, 'verbose'],
    ['an unknown file', { ...whole, other: OBJECT }, 'other'],
    ['a repeated field', { ...whole, kernel_release: [KERNEL, KERNEL] }, 'kernel_release'],
    ['a repeated object', { ...whole, object: [OBJECT, OBJECT] }, 'object'],
    ['an object as file and as text', { ...whole, object: [OBJECT, sha256(OBJECT)] }, 'object'],
    ['no object', { kernel_release: KERNEL }, 'object'],
    ['text for the object that is no hash', { ...whole, object: 'x.bpf.o' }, 'object'],
    ['an upper-case hash', { ...whole, object: sha256(OBJECT).toUpperCase() }, 'object'],
    ['a hash without its prefix', { object: OBJECT, btf_sha256: sha256(OBJECT).slice(7) }, 'btf_sha256'],
    ['a file for a text', { object: OBJECT, kernel_release: Buffer.from(KERNEL) }, 'kernel_release'],
    ['no kernel', { object: OBJECT }, 'kernel_release'],
    ['an empty release', { object: OBJECT, kernel_release: '' }, 'kernel_release'],
    ['an empty field', { ...whole, arch: '' }, 'arch'],
    ['a release with other characters', { object: OBJECT, kernel_release: '5.4 0' }, 'kernel_release'],
    ['a path', { object: OBJECT, kernel_release: '../../../etc' }, 'kernel_release'],
    ['half a reference', { object: OBJECT, kernel_release: `ubuntu/${KERNEL}` }, 'kernel_release'],
    ['fields that contradict the reference', { object: OBJECT, kernel_release: `ubuntu/20.04/x86_64/${KERNEL}`, arch: 'arm64' }, 'arch'],
    ['narrowing of nothing', { object: OBJECT, btf: Buffer.from('b'), arch: 'arm64' }, 'arch'],
    ['a module with other characters', { ...whole, modules: 'a,b c' }, 'modules'],
    ['an empty module', { ...whole, modules: 'a,,b' }, 'modules'],
    ['a module twice', { ...whole, modules: 'a,b,a' }, 'modules'],
    ['too many modules', { ...whole, modules: Array.from({ length: 513 }, (_, i) => `m${i}`).join(',') }, 'modules'],
    ['another word for on_unresolved', { ...whole, on_unresolved: 'ignore' }, 'on_unresolved']
  ])('%s', async (_what, parts, field) => {
    const problem = await refused(400, form(parts))
    expect(problem).toMatchObject({ code: 'invalid_request', type: 'urn:corelo:problem:invalid_request', field })
    expect(problem.detail).toContain(field)
  })

  it.each(['toString', '__proto__', 'constructor'])('a field that every JavaScript object has: %s', async name => {
    expect(await refused(400, form({ ...whole, [name]: '1' }))).toMatchObject({ code: 'invalid_request' })
  })

  it('query parameters beside a form', async () => {
    expect(await refused(400, form(whole), '/relocate?arch=x86_64')).toMatchObject({ code: 'invalid_request', field: 'arch' })
  })

  it.each([
    ['no boundary', 'multipart/form-data', 'x'],
    ['nothing', 'multipart/form-data; boundary=bound', ''],
    ['text', 'multipart/form-data; boundary=bound', 'hello'],
    [
      'the end missing',
      'multipart/form-data; boundary=bound',
      '--bound\r\ncontent-disposition: form-data; name="object"; filename="x"\r\n\r\nabc'
    ],
    ['a header cut off', 'multipart/form-data; boundary=bound', '--bound\r\ncontent-dis'],
    [
      'another boundary',
      'multipart/form-data; boundary=other',
      multipart(['content-disposition: form-data; name="object"', OBJECT]).toString('latin1')
    ]
  ])('a body that is no form: %s', async (_what, type, body) => {
    expect(await refused(400, body, '/relocate', { 'content-type': type })).toMatchObject({ code: 'invalid_request' })
  })

  it.each([
    ['has no name', 'content-disposition: form-data', 'The form cannot be read: the headers of a part have no name of it.'],
    ['has a name of JavaScript', 'content-disposition: form-data; name="__proto__"',
      'The form cannot be read: a part has a name that no form here has.']
  ])('a part that %s, in words for callers', async (_what, header, detail) => {
    const body = new Uint8Array(multipart([header, Buffer.from('x')], ['content-disposition: form-data; name="object"', OBJECT]))
    expect(await refused(400, body, '/relocate', { 'content-type': 'multipart/form-data; boundary=bound' }))
      .toMatchObject({ code: 'invalid_request', detail })
  })
})

describe('an upload that is too large', () => {
  it.each<[part: string, limit: number, parts: Parameters<typeof form>[0]]>([
    ['object', MAX_OBJECT, { object: Buffer.alloc(MAX_OBJECT + 1), kernel_release: KERNEL }],
    ['btf', MAX_BTF, { object: OBJECT, btf: Buffer.alloc(MAX_BTF + 1) }],
    ['btf', MAX_BTF, { object: OBJECT, btf: [Buffer.alloc(MAX_BTF / 2), Buffer.alloc(MAX_BTF / 2 + 1)] }],
    ['kernel_release', 65_536, { kernel_release: 'a'.repeat(65_537), object: OBJECT }],
    ['form', 528, { object: OBJECT, btf: Array.from({ length: 528 }, () => Buffer.from('b')) }]
  ])('is answered with 413 that names the part %s and the limit %i', async (part, limit, parts) => {
    const problem = await refused(413, form(parts))
    expect(problem).toMatchObject({ code: 'too_large', part, limit })
    expect(problem.detail).toContain(String(limit))
  })

  it('may be just as large as the limit', async () => {
    expect((await asked(form({ object: Buffer.alloc(MAX_OBJECT), btf: Buffer.alloc(MAX_BTF) }))).object).toHaveLength(MAX_OBJECT)
    const largest = Buffer.concat([OBJECT, Buffer.alloc(MAX_OBJECT - OBJECT.length)])
    expect((await asked(largest, `/relocate?kernel_release=${KERNEL}`, ELF)).object).toHaveLength(MAX_OBJECT)
  })

  it('gets its answer although the caller is still sending', async () => {
    for (const body of [form({ object: Buffer.alloc(16_000_000), kernel_release: KERNEL }), Buffer.alloc(20_000_000)]) {
      const problem = await refused(
        413, body, body instanceof FormData ? '/relocate' : `/relocate?kernel_release=${KERNEL}`, body instanceof FormData ? {} : ELF
      )
      expect(problem).toMatchObject({ code: 'too_large', limit: MAX_OBJECT })
    }
  })

  it('is refused by its length where no form of its parts can be that long', async () => {
    const { port, hostname } = new URL(http.url)
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write('POST /relocate HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n' +
          `content-length: ${MAX_OBJECT + MAX_BTF + 20_000_000}\r\n\r\n`)
      })
      socket.setEncoding('latin1').once('data', (text: string) => {
        resolve(text)
        socket.destroy()
      }).once('error', reject)
    })
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({
      code: 'too_large', part: 'form', detail: expect.stringContaining(`object ${MAX_OBJECT}, btf ${MAX_BTF}`)
    })
  })

  it('leaves nothing of the budget of uploads taken', async () => {
    await refused(413, form({ object: Buffer.alloc(MAX_OBJECT + 1) }))
    expect(await (await http.request('/metrics')).text()).toContain('corelo_upload_bytes 0\n')
  })
})

describe('empty content', () => {
  it('is no object', async () => {
    expect(await refused(422, form({ object: Buffer.alloc(0), kernel_release: KERNEL }))).toMatchObject({ code: 'object_invalid' })
    expect(await refused(400, Buffer.alloc(0), `/relocate?kernel_release=${KERNEL}`, ELF)).toMatchObject({
      code: 'invalid_request', field: 'object'
    })
  })

  it('is no BTF', async () => {
    expect(await refused(422, form({ object: OBJECT, btf: Buffer.alloc(0) }))).toMatchObject({ code: 'btf_invalid' })
  })
})

describe('a raw body', () => {
  it.each([
    'application/x-elf', 'application/octet-stream', 'Application/Octet-Stream; charset=binary', 'application/x-www-form-urlencoded'
  ])('of type %s is the object, with the fields as query parameters', async type => {
    const request = await asked(OBJECT, `/relocate?kernel_release=ubuntu%2F20.04%2Fx86_64%2F${KERNEL}&modules=a,b&on_unresolved=fail`, {
      'content-type': type
    })
    expect(request).toEqual({
      object: OBJECT,
      kernel: { release: KERNEL, distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64' },
      modules: ['a', 'b'],
      onUnresolved: 'fail',
      wantsReport: false
    })
  })

  it('without a type is the object too', async () => {
    const head = `POST /relocate?kernel_release=${KERNEL} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n` +
      `content-length: ${OBJECT.length}\r\n\r\n`
    expect(await exchange([Buffer.concat([Buffer.from(head), OBJECT])])).toMatch(/^HTTP\/1.1 200 /)
    expect(http.service.requests.at(-1)?.object).toEqual(OBJECT)
  })

  it.each([
    ['an unknown parameter', `kernel_release=${KERNEL}&verbose=1`, 'verbose'],
    ['an object among the parameters', `kernel_release=${KERNEL}&object=${sha256(OBJECT)}`, 'object'],
    ['a repeated parameter', `kernel_release=${KERNEL}&kernel_release=${KERNEL}`, 'kernel_release'],
    ['an empty parameter', `kernel_release=${KERNEL}&arch=`, 'arch'],
    ['a parameter of another form', 'kernel_release=%00', 'kernel_release'],
    ['a parameter called __proto__', `kernel_release=${KERNEL}&__proto__=x`, '__proto__'],
    ['no kernel', '', 'kernel_release']
  ])('is refused with %s', async (_what, query, field) => {
    expect(await refused(400, OBJECT, `/relocate?${query}`, ELF)).toMatchObject({ code: 'invalid_request', field })
  })

  it.each([
    'text/plain', 'application/json', 'application/xml', 'multipart/mixed; boundary=x', 'nonsense'
  ])('of type %s is answered with 415 and the types to use', async type => {
    const response = await post(OBJECT, `/relocate?kernel_release=${KERNEL}`, { 'content-type': type })
    expect(response.status).toBe(415)
    expect(await problemOf(response)).toMatchObject({ code: 'unsupported_media_type' })
  })

  it('that is a form of curl -d is answered with 415', async () => {
    const response = await post('kernel_release=x&object=y', `/relocate?kernel_release=${KERNEL}`, {
      'content-type': 'application/x-www-form-urlencoded'
    })
    expect(response.status).toBe(415)
    expect(response.headers.get('accept')).toBe('multipart/form-data, application/x-elf, application/octet-stream')
    expect(await problemOf(response)).toMatchObject({
      code: 'unsupported_media_type', accepted: ['multipart/form-data', 'application/x-elf', 'application/octet-stream']
    })
  })
})

describe('many uploads at once', () => {
  it('are refused beyond what the process may hold', async () => {
    const small = await startApp({ maxObjectBytes: 1000, maxBtfBytes: 1, memoryBytes: 1 })
    let release = (): void => {}
    small.service.hold = new Promise(resolve => { release = resolve })
    const send = async (): Promise<Response> => await small.request('/relocate', {
      method: 'POST', body: form({ object: Buffer.alloc(900), kernel_release: KERNEL })
    })
    const first = send()
    await expect.poll(() => small.service.requests.length).toBe(1)
    const second = await send()
    expect(second.status).toBe(503)
    expect(second.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(await problemOf(second)).toMatchObject({ code: 'overloaded' })
    release()
    expect((await first).status).toBe(200)
    expect((await send()).status).toBe(200)
  })
})

const ELF = { 'content-type': 'application/x-elf' }
const MULTIPART = { 'content-type': 'multipart/form-data; boundary=bound' }

function multipart (...parts: ReadonlyArray<readonly [header: string, content: Uint8Array]>): Buffer {
  return Buffer.concat([
    ...parts.flatMap(([header, content]) => [Buffer.from(`--bound\r\n${header}\r\n\r\n`), content, Buffer.from('\r\n')]),
    Buffer.from('--bound--\r\n')
  ])
}

/** Sends a form over a socket of its own, a chunk a write, and gives the answer back as text. */
async function sendInPieces (body: Buffer, size: number): Promise<string> {
  const head = 'POST /relocate HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: multipart/form-data; boundary=bound\r\n' +
    `content-length: ${body.length}\r\n\r\n`
  const pieces = Array.from({ length: Math.ceil(body.length / size) }, (_, i) => body.subarray(i * size, (i + 1) * size))
  return await exchange([Buffer.from(head), ...pieces])
}

async function exchange (pieces: readonly Uint8Array[]): Promise<string> {
  const { hostname, port } = new URL(http.url)
  const socket = connect(Number(port), hostname)
  socket.setNoDelay(true)
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => { answer += text })
  const ended = new Promise(resolve => socket.on('close', resolve))
  for (const piece of pieces) {
    await new Promise(resolve => socket.write(piece, resolve))
    await new Promise(resolve => setImmediate(resolve))
  }
  await ended
  return answer
}
