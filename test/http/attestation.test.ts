import { describe, expect, it } from 'vitest'
import { parseJwks } from '../../src/attestation/jwk.js'
import { verifyAttestation, type Verification } from '../../src/attestation/verify.js'
import { sha256 } from '../../src/store/sha256.js'
import { fooBtf, fooObject, startService, temporaryFolder } from '../unit/service/lab.js'
import { form, startAppWith, type Harness } from './harness.js'

const KERNEL = 'ubuntu/20.04/x86_64/5.4.0-42-generic'
const RELOCATED = `/relocated/${sha256(fooObject())}/${sha256(fooBtf())}`

async function lab (): Promise<Pick<Harness, 'request'> & { verify (envelope: string | null, result: Uint8Array): Promise<Verification> }> {
  const { request } = await startAppWith(await startService(await temporaryFolder()))
  expect((await request(`/kernels/${KERNEL}/btf`, { method: 'PUT', body: fooBtf() })).status).toBe(201)
  expect((await request(`/objects/${sha256(fooObject())}`, { method: 'PUT', body: fooObject() })).status).toBe(201)
  return {
    request,
    async verify (envelope, result) {
      const keys = parseJwks(await (await request('/.well-known/corelo-keys.json')).text())
      return verifyAttestation({
        envelope: envelope ?? '', keys, result, asked: { objectSha256: sha256(fooObject()), btfSha256: sha256(fooBtf()) }
      })
    }
  }
}

const decoded = (response: Response): string => Buffer.from(response.headers.get('corelo-attestation') ?? '', 'base64').toString()
const ask = { method: 'POST', body: form({ object: fooObject(), kernel_release: KERNEL }) }

describe('Corelo-Attestation', () => {
  it('is on every relocation, new or held, and verifies with the published keys', async () => {
    const { request, verify } = await lab()
    for (const response of [await request('/relocate', ask), await request('/relocate', ask), await request(RELOCATED)]) {
      const result = new Uint8Array(await response.arrayBuffer())
      expect(response.status).toBe(200)
      expect(await verify(decoded(response), result)).toMatchObject({ ok: true })
    }
  })

  it('is about the object, whatever form the answer has', async () => {
    const { request, verify } = await lab()
    const result = new Uint8Array(await (await request(RELOCATED)).arrayBuffer())
    for (const accept of ['application/json', 'application/octet-stream', 'multipart/form-data']) {
      for (const response of [
        await request('/relocate', { ...ask, headers: { accept } }), await request(RELOCATED, { headers: { accept } })
      ]) {
        expect(await verify(decoded(response), result)).toMatchObject({ ok: true })
        await response.arrayBuffer()
      }
    }
    const head = await request(RELOCATED, { method: 'HEAD' })
    expect(await verify(decoded(head), result)).toMatchObject({ ok: true })
  })

  it('stays the same for a held result: Ed25519 has no chance in it', async () => {
    const { request } = await lab()
    const [first, second] = [await request('/relocate', ask), await request('/relocate', ask)]
    expect(first.headers.get('corelo-attestation')).toBe(second.headers.get('corelo-attestation'))
  })

  it('fits the header fields that clients and proxies take', async () => {
    const { request } = await lab()
    expect((await request(RELOCATED)).headers.get('corelo-attestation')?.length).toBeLessThan(4096)
  })

  it('is not on an error', async () => {
    const { request } = await lab()
    const response = await request('/relocate', { method: 'POST', body: form({ object: fooObject(), kernel_release: 'unknown' }) })
    expect(response.status).toBe(404)
    expect(response.headers.has('corelo-attestation')).toBe(false)
  })
})

describe('the part attestation of a form', () => {
  it('is the envelope, after report and object', async () => {
    const { request, verify } = await lab()
    const response = await request('/relocate', { ...ask, headers: { accept: 'multipart/form-data' } })
    const envelope = decoded(response)
    const parts = await response.formData()
    expect([...parts.keys()]).toEqual(['report', 'object', 'attestation'])
    expect(parts.get('attestation')).toBe(envelope)
    const object = parts.get('object')
    if (!(object instanceof File)) return expect.fail('the part object is no file')
    expect(await verify(envelope, new Uint8Array(await object.arrayBuffer()))).toMatchObject({ ok: true })
  })
})

describe('GET /.well-known/corelo-keys.json', () => {
  it('is a JWKS that may be kept for a while', async () => {
    const { request } = await lab()
    const response = await request('/.well-known/corelo-keys.json')
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
    expect(await response.json()).toEqual({
      keys: [{ kty: 'OKP', crv: 'Ed25519', x: expect.any(String), kid: expect.any(String), alg: 'EdDSA', use: 'sig' }]
    })
  })
})
