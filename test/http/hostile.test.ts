import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ERRORS } from '../../src/errors.js'
import { sha256 } from '../../src/store/sha256.js'
import { anyCharacter } from '../support/any-character.js'
import { createFakeService, FAKE_BTF, FAKE_KERNEL } from '../support/fake-service.js'
import { runs } from '../support/property-runs.js'
import { launch, type Harness } from './harness.js'

const OBJECT = Buffer.from('\x7fELF and more', 'latin1')

let http: Harness
beforeAll(async () => {
  http = await launch(createFakeService(), { maxObjectBytes: 2000, maxBtfBytes: 2000 })
  http.service.objects.set(sha256(OBJECT), OBJECT)
})
afterAll(async () => { await http.app.close() })

/** What must hold for every answer, whatever was asked: it is good, or a problem of the table that blames the caller. */
async function checkAnswer (response: Response): Promise<void> {
  const text = await response.text()
  expect(response.status, text).toBeLessThan(500)
  expect(response.headers.get('x-request-id')).toMatch(/^[A-Za-z0-9._:+/=@-]{1,128}$/)
  if (response.status < 400) return
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(response.headers.get('cache-control')).toBe('no-store')
  if (text === '') return // the answer to HEAD
  const problem = JSON.parse(text)
  expect(ERRORS).toHaveProperty([problem.code, 'status'], response.status)
  expect(problem).toMatchObject({
    status: response.status, type: `urn:corelo:problem:${problem.code}`, request_id: response.headers.get('x-request-id')
  })
  expect(problem.detail).toMatch(/\.$/)
}

const odd = fc.oneof(
  fc.string({ unit: anyCharacter }),
  fc.constantFrom(
    '', ' ', ',', 'a,b', '../..', '%00', sha256('x'), sha256(OBJECT), sha256(FAKE_BTF), FAKE_KERNEL, '5.4.0-42-generic', 'fail', 'poison',
    'x86_64', 'sha256:', '__proto__', 'a'.repeat(300)
  )
)
const names = fc.oneof(
  fc.constantFrom(
    'object', 'kernel_release', 'arch', 'distro', 'distro_version', 'kernel_version', 'btf_sha256', 'btf', 'modules', 'on_unresolved'
  ),
  fc.constantFrom('release', 'limit', 'cursor', '__proto__', 'constructor', 'toString', ''),
  fc.string({ unit: anyCharacter, maxLength: 8 })
)

describe('hostile requests are answered without a failure of ours', () => {
  it('as forms with any parts', async () => {
    const parts = fc.array(
      fc.tuple(names, fc.oneof(odd, fc.uint8Array({ maxLength: 50 }), fc.constant(OBJECT), fc.constant(Buffer.alloc(2001)))),
      { maxLength: 6 }
    )
    await fc.assert(fc.asyncProperty(parts, async fields => {
      const body = new FormData()
      for (const [name, value] of fields) {
        if (typeof value === 'string') body.append(name, value)
        else body.append(name, new Blob([new Uint8Array(value)]), 'file')
      }
      await checkAnswer(await http.request('/relocate', { method: 'POST', body }))
    }), runs(20))
  })

  it('as damaged forms', async () => {
    const whole = Buffer.from(
      '--b\r\nContent-Disposition: form-data; name="kernel_release"\r\n\r\nx\r\n--b\r\n' +
        'Content-Disposition: form-data; name="object"; filename="x"\r\nContent-Type: application/x-elf\r\n\r\n\x7fELF\r\n--b--\r\n',
      'latin1'
    )
    const damage = fc.array(fc.tuple(
      fc.nat({ max: whole.length - 1 }), fc.constantFrom('', '\r', '\n', '"', ';', '--b', '--b--', '\0', '\xff', ':', 'charset=utf-16'),
      fc.nat({ max: 12 })
    ), { minLength: 1, maxLength: 4 })
    const types = fc.constantFrom(
      'multipart/form-data; boundary=b', 'multipart/form-data; boundary="b"', 'multipart/form-data', 'multipart/form-data; boundary='
    )
    await fc.assert(fc.asyncProperty(damage, types, async (edits, type) => {
      let body = whole
      for (const [at, text, removed] of edits) {
        body = Buffer.concat([body.subarray(0, at), Buffer.from(text, 'latin1'), body.subarray(at + removed)])
      }
      await checkAnswer(await http.request('/relocate', { method: 'POST', body, headers: { 'content-type': type } }))
    }), runs(40))
  })

  it('as any address, query, method and headers', async () => {
    const hash = fc.constantFrom(sha256(OBJECT), sha256(FAKE_BTF), sha256('nothing'), 'sha256:abc')
    const segment = fc.oneof(odd, fc.constantFrom(...FAKE_KERNEL.split('/'))).map(text =>
      encodeURIComponent(text.replaceAll(/[\ud800-\udfff]/g, '')))
    const kernel = fc.oneof(fc.constant(FAKE_KERNEL), fc.tuple(segment, segment, segment, segment).map(parts => parts.join('/')))
    const paths = fc.oneof(
      fc.constantFrom('/relocate', '/kernels', '/livez', '/readyz', '/metrics', '/openapi.json', '/', '/docs'),
      hash.map(each => `/objects/${each}`),
      hash.map(each => `/btf/${each}`),
      fc.tuple(hash, hash).map(([object, btf]) => `/relocated/${object}/${btf}`),
      kernel.map(each => `/kernels/${each}`),
      kernel.map(each => `/kernels/${each}/btf`),
      fc.tuple(kernel, segment).map(([each, module]) => `/kernels/${each}/btf/${module}`),
      fc.array(segment, { maxLength: 5 }).map(parts => `/${parts.join('/')}`)
    )
    const queries = fc.array(fc.tuple(names, odd).map(pair =>
      pair.map(text => encodeURIComponent(text.replaceAll(/[\ud800-\udfff]/g, ''))).join('=')), { maxLength: 3 })
    const methods = fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS')
    const headers = fc.record({
      accept: fc.constantFrom(
        '*/*', 'application/json', 'multipart/form-data', 'application/octet-stream', 'text/html', 'application/*;q=0.1', ';', 'a/b/c',
        'q=1'
      ),
      'content-type': fc.constantFrom(
        'application/octet-stream', 'application/x-elf', 'application/json', 'multipart/form-data', 'application/x-www-form-urlencoded', 'x'
      ),
      'if-none-match': fc.constantFrom('*', '"', 'W/"x"', `"${sha256(FAKE_BTF)}"`, ','),
      'x-request-id': fc.constantFrom('sane', 'not sane', '<script>', 'a'.repeat(200))
    }, { requiredKeys: [] })
    await fc.assert(fc.asyncProperty(paths, queries, methods, headers, async (path, query, method, given) => {
      const hasBody = ['PUT', 'POST', 'PATCH', 'DELETE'].includes(method)
      await checkAnswer(await http.request(
        `${path}${query.length === 0 ? '' : `?${query.join('&')}`}`,
        { method, headers: given, redirect: 'manual', ...(hasBody ? { body: OBJECT } : {}) }
      ))
    }), runs(80))
  })
})
