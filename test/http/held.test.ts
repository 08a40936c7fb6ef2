import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { fooBtf, fooObject, startService, temporaryFolder } from '../unit/service/lab.js'
import type {} from '../../src/http/plugins/lifecycle.js' // what it adds to Fastify's types
import { form, startAppWith } from './harness.js'

const RELEASES = ['5.4.0-42-generic', '5.4.0-43-generic'] as const
const RELOCATED = `/relocated/${sha256(fooObject())}/${sha256(fooBtf())}`
const ELF = 'application/x-elf'
/** What is of one request, or tells how long it took. */
const PASSING = ['date', 'x-request-id', 'server-timing', 'connection', 'keep-alive']

interface Seen { readonly status: number, readonly headers: Record<string, string>, readonly body: string }

async function lab () {
  const { request, app } = await startAppWith(await startService(await temporaryFolder()))
  for (const release of RELEASES) {
    expect((await request(`/kernels/ubuntu/20.04/x86_64/${release}/btf`, {
      method: 'PUT', body: fooBtf()
    })).status).toBe(201)
  }
  const see = async (path: string, options: RequestInit): Promise<Seen> => {
    const response = await request(path, options)
    const headers = Object.fromEntries([...response.headers].filter(([name]) => !PASSING.includes(name)))
    return { status: response.status, headers, body: sha256(new Uint8Array(await response.arrayBuffer())) }
  }
  return {
    app,
    request,
    post: (fields: Record<string, string>, headers: Record<string, string> = {}, object = fooObject()) => see('/relocate', {
      method: 'POST', body: form({ object, ...fields }), headers
    }),
    get: (method = 'GET', headers: Record<string, string> = {}) => see(RELOCATED, { method, headers })
  }
}

describe('a held result', () => {
  it('is answered as it was the first time, by whatever name of its kernel', async () => {
    const { post } = await lab()
    const [release] = RELEASES
    const first = await post({ kernel_release: release })
    expect(first.status).toBe(200)
    for (const fields of [{ kernel_release: release }, { kernel_release: `ubuntu/20.04/x86_64/${release}` }, {
      kernel_release: release, arch: 'amd64'
    }]) {
      for (let i = 0; i < 2; i++) expect(await post(fields)).toEqual(first)
    }
  })

  it('is answered in the form and with the life time that each request has, in any order', async () => {
    const { post, get } = await lab()
    const named = { btf_sha256: sha256(fooBtf()) }
    for (let i = 0; i < 3; i++) {
      expect((await post(named, { accept: ELF })).headers).toMatchObject({ 'content-type': ELF, 'cache-control': 'no-cache' })
      expect((await post(named, { accept: 'application/octet-stream' })).headers).toMatchObject({
        'content-type': 'application/octet-stream', 'cache-control': 'no-cache'
      })
      expect((await get()).headers).toMatchObject({ 'content-type': ELF, 'cache-control': 'public, max-age=300' })
      expect((await get('GET', { accept: 'application/octet-stream' })).headers).toMatchObject({
        'content-type': 'application/octet-stream', 'cache-control': 'public, max-age=300'
      })
      expect((await post(named, { accept: 'application/json' })).headers).toMatchObject({
        'content-type': 'application/json', 'cache-control': 'no-cache'
      })
    }
  })

  it('is the last one on its connection once the service is to stop', async () => {
    const { post, request, app } = await lab()
    await post({ kernel_release: RELEASES[0] })
    const connections = async (): Promise<Array<string | null>> => {
      const held = await request('/relocate', { method: 'POST', body: form({ object: fooObject(), kernel_release: RELEASES[0] }) })
      const answers = [held, await request(RELOCATED), await request(RELOCATED, {
        headers: { 'if-none-match': held.headers.get('etag') ?? '' }
      }), await request('/livez')]
      await Promise.all(answers.map(answer => answer.arrayBuffer()))
      return answers.map(({ headers }) => headers.get('connection'))
    }
    expect(await connections()).not.toContain('close')
    app.lifecycle.state = 'draining'
    expect(await connections()).toEqual(['close', 'close', 'close', 'close'])
  })

  it('has the digest of nothing under HEAD, and its own again after it', async () => {
    const { post, get } = await lab()
    await post({ kernel_release: RELEASES[0] })
    const whole = await get()
    for (let i = 0; i < 2; i++) {
      const head = await get('HEAD')
      expect([head.headers['repr-digest'], head.body]).toEqual([whole.headers['repr-digest'], sha256(new Uint8Array())])
      expect(head.headers['content-digest']).not.toBe(whole.headers['content-digest'])
      expect(await get()).toEqual(whole)
    }
  })

  it('is not sent to who has it, and is to who has only its report', async () => {
    const { post, get } = await lab()
    const { headers } = await post({ kernel_release: RELEASES[0] })
    for (let i = 0; i < 2; i++) {
      expect((await post({ kernel_release: RELEASES[0] }, { 'if-none-match': headers['etag'] ?? '' })).status).toBe(304)
      expect((await get('GET', { 'if-none-match': headers['etag'] ?? '' })).status).toBe(304)
      expect((await post({ kernel_release: RELEASES[0] }, { accept: 'application/json', 'if-none-match': headers['etag'] ?? '' })).status)
        .toBe(200)
      expect((await get()).status).toBe(200)
    }
  })

  it('names the kernel that was asked for, where two share one BTF', async () => {
    const { post } = await lab()
    for (let i = 0; i < 2; i++) {
      for (const release of RELEASES) {
        const { headers } = await post({ kernel_release: release })
        const envelope = JSON.parse(Buffer.from(headers['corelo-attestation'] ?? '', 'base64').toString()) as { payload: string }
        expect([headers['corelo-kernel'], Buffer.from(envelope.payload, 'base64').toString().includes(release)]).toEqual([
          `ubuntu/20.04/x86_64/${release}`, true
        ])
      }
    }
  })

  it('is not mixed up with those of objects that differ in one byte, asked for all at once', async () => {
    const { request } = await lab()
    const objects = Array.from({ length: 8 }, (_, i) => Uint8Array.from(fooObject()).with(48, i))
    const hashes = objects.map(object => sha256(object))
    await Promise.all(Array.from({ length: 160 }, async (_, i) => {
      const object = objects[i % objects.length] ?? expect.fail()
      const release = RELEASES[i % 2] ?? expect.fail()
      const response = await request(`/relocate?kernel_release=${release}`, {
        method: 'POST', body: object, headers: { 'content-type': ELF }
      })
      const body = new Uint8Array(await response.arrayBuffer())
      expect([response.headers.get('corelo-object'), response.headers.get('etag'), body[48]]).toEqual([
        hashes[i % objects.length], `"${sha256(body)}"`, object[48]
      ])
    }))
  })
})
