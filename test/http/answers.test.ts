import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Compile } from 'typebox/schema'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { emptyBtf, fooBtf, fooObject, startService, temporaryFolder } from '../unit/service/lab.js'
import { form, startAppWith } from './harness.js'

type Json = Readonly<Record<string, unknown>>
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, {
    readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Json }>> }>>
  }>>>>
  readonly components: Json
}

const { paths, components } = strict(JSON.parse(readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8'))) as OpenApi

/** The same schemas, but objects have no members besides those that are documented. */
function strict (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strict)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, strict(member)]))
  return 'properties' in members && members['type'] === 'object' ? { additionalProperties: false, ...members } : members
}

/** What the document says against a value as the answer of a route; an empty list where they agree. */
function complaints (method: string, route: string, status: number, type: string, value: unknown): readonly unknown[] {
  const schema = paths[route]?.[method.toLowerCase()]?.responses[status]?.content?.[type]?.schema
  if (schema === undefined) return [`${method} ${route} has no answer ${status} of ${type}`]
  const [isRight, errors] = Compile({ components, ...schema }).Errors(value)
  return isRight ? [] : [...errors].map(({ instancePath, message }) => `${instancePath} ${message}`)
}

const RELEASE = '3.10.0-1160.49.1.el7.x86_64'
const CENTOS = `centos/7/x86_64/${RELEASE}`
const RHEL = `rhel/7/x86_64/${RELEASE}`
const KERNEL = '/kernels/{distro}/{version}/{arch}/{release}'
const JSON_TYPE = { accept: 'application/json' }
const BINARY = { 'content-type': 'application/octet-stream' }

/** The service over a socket, with one held kernel and one that a source offers. */
async function lab () {
  const catalog = join(await temporaryFolder(), 'list.txt')
  await writeFile(catalog, 'centos/7/x86_64/3.10.0-1062.el7.x86_64.btf.tar.xz\n')
  const { request } = await startAppWith(await startService(await temporaryFolder(), { catalog }))
  const put = async (reference: string, body: Uint8Array): Promise<Response> =>
    await request(`/kernels/${reference}/btf`, { method: 'PUT', body, headers: BINARY })
  await put(CENTOS, fooBtf())
  return {
    request,
    put,
    relocate: async (parts: Record<string, string | Uint8Array>, accept = 'application/json') =>
      await request('/relocate', { method: 'POST', body: form({ object: fooObject(), ...parts }), headers: { accept } })
  }
}

/** Holds an answer against the document. */
async function check (answer: Response, expected: number, method: string, route: string): Promise<void> {
  const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
  const body = await answer.json()
  expect([answer.status, complaints(method, route, answer.status, type, body)], JSON.stringify(body)).toEqual([expected, []])
}

describe('real answers are what the OpenAPI document says', () => {
  it('of kernels: listed, held, offered and uploaded', async () => {
    const { request, put } = await lab()
    await check(await request('/kernels'), 200, 'GET', '/kernels')
    await check(await request('/kernels?offered=true&limit=1'), 200, 'GET', '/kernels')
    await check(await request(`/kernels/${CENTOS}`), 200, 'GET', KERNEL)
    await check(await put(RHEL, fooBtf(1)), 201, 'PUT', `${KERNEL}/btf`)
    await check(await put(RHEL, fooBtf(1)), 200, 'PUT', `${KERNEL}/btf`)
  })

  it('of a relocation: the report, the attestation, and the object that is kept', async () => {
    const { request, relocate } = await lab()
    await check(await relocate({ kernel_release: CENTOS }), 200, 'POST', '/relocate')
    await check(await relocate({ btf: emptyBtf() }), 200, 'POST', '/relocate')
    const parts = await (await relocate({ kernel_release: CENTOS }, 'multipart/form-data')).formData()
    const envelope: unknown = JSON.parse(String(parts.get('attestation')))
    const schemas = components['schemas'] as Json
    expect(Compile({ components, ...schemas['Envelope'] as Json }).Errors(envelope)).toEqual([true, []])
    const put = async (): Promise<Response> =>
      await request(`/objects/${sha256(fooObject(7))}`, { method: 'PUT', body: fooObject(7), headers: BINARY })
    await check(await put(), 201, 'PUT', '/objects/{hash}')
    await check(await put(), 200, 'PUT', '/objects/{hash}')
  })

  it('of types: one, those that are found, how they differ, and where they were', async () => {
    const { request, put } = await lab()
    await put(RHEL, fooBtf(1))
    const kernel = `/kernels/${CENTOS}`
    await check(await request(`${kernel}/types/struct/foo`), 200, 'GET', `${KERNEL}/types/{kind}/{name}`)
    await check(await request(`${kernel}/types?member=y&limit=1`), 200, 'GET', `${KERNEL}/types`)
    await check(await request(`/types/diff?from=${CENTOS}&to=${RHEL}&type=struct+foo`), 200, 'GET', '/types/diff')
    await check(await request('/types/history?type=struct+foo&member=y'), 200, 'GET', '/types/history')
    await check(await request('/types/history?type=struct+nobody'), 404, 'GET', '/types/history')
  })

  it('of errors', async () => {
    const { request, put, relocate } = await lab()
    await check(await relocate({ kernel_release: '9.9.9' }), 404, 'POST', '/relocate')
    await check(await relocate({ btf: emptyBtf(), on_unresolved: 'fail' }), 422, 'POST', '/relocate')
    await check(await relocate({ kernel_release: CENTOS, arch: '/' }), 400, 'POST', '/relocate')
    await put(RHEL, fooBtf(1))
    await check(await relocate({ kernel_release: RELEASE }), 409, 'POST', '/relocate')
    await check(await request('/kernels', { headers: { accept: 'image/png' } }), 406, 'GET', '/kernels')
  })

  it('of operations and keys', async () => {
    const { request } = await lab()
    await check(await request('/livez'), 200, 'GET', '/livez')
    await check(await request('/readyz'), 200, 'GET', '/readyz')
    await check(await request('/.well-known/corelo-keys.json', { headers: JSON_TYPE }), 200, 'GET', '/.well-known/corelo-keys.json')
  })

  it('and the check sees a member too many, one too few, and one of another kind', () => {
    const kernel = { status: 'live' }
    expect(complaints('GET', '/livez', 200, 'application/json', kernel)).toEqual([])
    for (const wrong of [{ ...kernel, more: 1 }, {}, { status: 1 }]) {
      expect(complaints('GET', '/livez', 200, 'application/json', wrong)).not.toEqual([])
    }
  })
})
