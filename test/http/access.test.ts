import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT, type GenerateKeyPairResult, type JWK } from 'jose'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createKeySource } from '../../src/http/access/jwks.js'
import type { Config } from '../../src/http/config.js'
import { sha256 } from '../../src/store/sha256.js'
import { FAKE_BTF } from '../support/fake-service.js'
import { temporaryFolder } from '../unit/service/lab.js'
import { form, problemOf, startApp, type Harness } from './harness.js'

const OBJECT = Buffer.from('an object')
const KERNEL = '/kernels/ubuntu/20.04/x86_64/5.4.0-42-generic'

interface Route {
  readonly name: string
  readonly path: string
  readonly init?: RequestInit
  readonly needs: 'relocate' | 'upload' | 'open'
}

const put = (body: Uint8Array): RequestInit => ({ method: 'PUT', body })
/** Every route, each with a request that works. Documents.test holds that there is no other. */
const ROUTES: readonly Route[] = [
  {
    name: 'POST /relocate',
    path: '/relocate',
    init: { method: 'POST', body: form({ object: OBJECT, kernel_release: '5' }) },
    needs: 'relocate'
  },
  {
    name: 'POST /min-btf',
    path: '/min-btf',
    init: { method: 'POST', body: form({ object: OBJECT, kernel_release: '5' }) },
    needs: 'relocate'
  },
  { name: 'PUT /objects', path: `/objects/${sha256(OBJECT)}`, init: put(OBJECT), needs: 'relocate' },
  { name: 'HEAD /objects', path: `/objects/${sha256(OBJECT)}`, init: { method: 'HEAD' }, needs: 'relocate' },
  { name: 'GET /relocated', path: `/relocated/${sha256(OBJECT)}/${sha256(FAKE_BTF)}`, needs: 'relocate' },
  { name: 'HEAD /relocated', path: `/relocated/${sha256(OBJECT)}/${sha256(FAKE_BTF)}`, init: { method: 'HEAD' }, needs: 'relocate' },
  { name: 'GET /btf', path: `/btf/${sha256(FAKE_BTF)}`, needs: 'relocate' },
  { name: 'HEAD /btf', path: `/btf/${sha256(FAKE_BTF)}`, init: { method: 'HEAD' }, needs: 'relocate' },
  { name: 'GET /kernels', path: '/kernels', needs: 'relocate' },
  { name: 'GET a kernel', path: KERNEL, needs: 'relocate' },
  { name: 'GET its BTF', path: `${KERNEL}/btf`, needs: 'relocate' },
  { name: 'PUT its BTF', path: `${KERNEL}/btf`, init: put(FAKE_BTF), needs: 'upload' },
  { name: 'PUT BTF of a module', path: `${KERNEL}/btf/nf_tables`, init: put(Buffer.from('module')), needs: 'upload' },
  { name: 'GET BTF of a module', path: `${KERNEL}/btf/nf_tables`, needs: 'relocate' },
  { name: 'GET types', path: `${KERNEL}/types?name=task_`, needs: 'relocate' },
  { name: 'GET a difference', path: '/types/diff?from=5.4&to=5.5&type=pid_t', needs: 'relocate' },
  { name: 'GET a history', path: '/types/history?type=pid_t', needs: 'relocate' },
  { name: 'GET a type', path: `${KERNEL}/types/struct/task_struct`, needs: 'relocate' },
  { name: 'GET vmlinux.h', path: `${KERNEL}/vmlinux.h`, needs: 'relocate' },
  { name: 'GET a type of an object', path: `/objects/${sha256(OBJECT)}/types/struct/task_struct`, needs: 'relocate' },
  { name: 'GET the page', path: '/', needs: 'open' },
  { name: 'GET /livez', path: '/livez', needs: 'open' },
  { name: 'GET /readyz', path: '/readyz', needs: 'open' },
  { name: 'GET /metrics', path: '/metrics', needs: 'open' },
  { name: 'GET /openapi.json', path: '/openapi.json', needs: 'open' },
  { name: 'GET /docs', path: '/docs/static/index.html', needs: 'open' },
  { name: 'GET the keys', path: '/.well-known/corelo-keys.json', needs: 'open' }
]

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })
const line = (name: string, scopes: string): string => `${name} ${sha256(`secret-of-${name}`)} ${scopes}\n`

async function withTokens (text: string, settings: Partial<Config> = {}): Promise<Harness & { readonly file: string }> {
  const file = join(await temporaryFolder(), 'tokens')
  await writeFile(file, text)
  return { ...await startApp({ auth: 'token', tokensFile: file, ...settings }), file }
}

async function refused (response: Response, status: 401 | 403): Promise<string> {
  const { code, detail } = await problemOf(response)
  expect([response.status, code]).toEqual([status, status === 401 ? 'unauthorized' : 'forbidden'])
  return detail
}

describe('without authentication', () => {
  it('everybody may do everything', async () => {
    const { request } = await startApp()
    for (const { name, path, init } of ROUTES) expect((await request(path, init)).status, name).toBeLessThan(300)
  })
})

describe('with static tokens', () => {
  const TOKENS = `# who may call\n${line('agents', 'relocate')}${line('importer', 'upload')}\n${line('boss', 'admin')}`

  it('asks every route for the scope it needs, and the open ones for nothing', async () => {
    const { request } = await withTokens(TOKENS)
    for (const { name, path, init, needs } of ROUTES) {
      const status = async (token?: string): Promise<number> =>
        (await request(path, { ...init, headers: token === undefined ? {} : bearer(token) })).status
      const [nobody, stranger, agent, importer, boss] = [
        await status(), await status('secret-of-a-stranger'), await status('secret-of-agents'), await status('secret-of-importer'),
        await status('secret-of-boss')
      ]
      const good = expect.toSatisfy((code: number) => code < 300)
      expect({ nobody, stranger, agent, importer, boss }, name).toEqual({
        nobody: needs === 'open' ? good : 401,
        stranger: needs === 'open' ? good : 401,
        agent: needs === 'upload' ? 403 : expect.toSatisfy((code: number) => code < 300 || code === 404),
        importer: needs === 'relocate' ? 403 : good,
        boss: expect.toSatisfy((code: number) => code < 300 || code === 404)
      })
    }
  })

  it('says how to authenticate, and which scope is missing', async () => {
    const { request } = await withTokens(TOKENS)
    const without = await request('/kernels')
    expect(without.headers.get('www-authenticate')).toBe('Bearer realm="corelo"')
    expect(await refused(without, 401)).toMatch(/Authorization: Bearer/)
    const wrong = await request('/kernels', { headers: bearer('wrong') })
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer realm="corelo", error="invalid_token"')
    await refused(wrong, 401)
    for (const authorization of ['Basic YTpi', 'Bearer', 'Bearer a b', 'secret-of-agents', `Bearer ${'x'.repeat(8193)}`]) {
      await refused(await request('/kernels', { headers: { authorization } }), 401)
    }
    const forbidden = await request(`${KERNEL}/btf`, { ...put(FAKE_BTF), headers: bearer('secret-of-agents') })
    expect(forbidden.headers.get('www-authenticate')).toBe('Bearer realm="corelo", error="insufficient_scope", scope="upload"')
    const body = await problemOf(forbidden)
    expect(body).toMatchObject({ code: 'forbidden', needed: 'upload', detail: expect.stringContaining('token:agents') })
    expect(body).not.toHaveProperty('challenge')
  })

  it('does not look at the body of a request that it refuses', async () => {
    const { request, service } = await withTokens(TOKENS)
    await refused(await request('/relocate', { method: 'POST', body: form({ object: OBJECT, kernel_release: '5' }) }), 401)
    await refused(await request(
      '/relocate', { method: 'POST', body: 'no form at all', headers: { 'content-type': 'multipart/form-data; boundary=x' } }
    ), 401)
    await refused(await request('/relocate', { method: 'POST', body: new Uint8Array(20 << 20) }), 401)
    expect(service.requests).toEqual([])
  })

  it('names the caller in the log and in the provenance of uploads, and its token nowhere', async () => {
    const { request, service, logged } = await withTokens(TOKENS)
    expect((await request('/kernels/debian/12/x86_64/6.1/btf', { ...put(FAKE_BTF), headers: bearer('secret-of-importer') })).status).toBe(
      201
    )
    expect(service.kernels.get('debian/12/x86_64/6.1')?.provenance.by).toBe('token:importer')
    await expect.poll(() => logged).toContainEqual(expect.objectContaining({ msg: 'request', identity: 'token:importer', status: 201 }))
    expect(JSON.stringify(logged)).not.toContain('secret-of')
  })

  it('follows the file: new tokens come, others go, and a damaged file changes nothing', async () => {
    const { request, file, logged } = await withTokens(line('old', 'relocate'))
    const status = async (token: string): Promise<number> => (await request('/kernels', { headers: bearer(token) })).status
    expect([await status('secret-of-old'), await status('secret-of-new')]).toEqual([200, 401])
    await writeFile(`${file}.next`, line('new', 'relocate'))
    await rename(`${file}.next`, file)
    await expect.poll(async () => await status('secret-of-new')).toBe(200)
    expect(await status('secret-of-old')).toBe(401)
    await writeFile(file, 'damaged')
    await expect
      .poll(async () => { await status('secret-of-new'); return logged.map(({ msg }) => msg) })
      .toContainEqual(expect.stringContaining('tokens file cannot be used'))
    expect(await status('secret-of-new')).toBe(200)
  })

  it('takes a JSON list as well', async () => {
    const { request } = await withTokens(JSON.stringify([{ name: 'a', sha256: sha256('secret'), scopes: ['relocate', 'upload'] }]))
    expect((await request('/kernels', { headers: bearer('secret') })).status).toBe(200)
  })

  it.each([
    ['no hash', 'a secret relocate', /line 1/], [
      'an unknown scope', `\n${line('a', 'everything')}`, /line 2.*scopes/
    ], ['no scope', `a ${sha256('x')}`, /scopes/], ['a name twice', line('a', 'relocate') + line('a', 'upload'), /twice/],
    ['more than three words', line('a', 'relocate upload'), /scopes/], ['JSON cut short', '[{', /JSON/], [
      'an entry that is none', '[1]', /entry 1/
    ], ['too many', Array.from({ length: 1001 }, (_, i) => line(`t${i}`, 'relocate')).join(''), /1001/]
  ])('does not start with a file that has %s', async (_what, text, message) => {
    await expect(withTokens(text)).rejects.toThrow(expect.objectContaining({
      code: 'invalid_request', message: expect.stringMatching(message)
    }))
  })

  it('does not start without the file', async () => {
    await expect(startApp({ auth: 'token' })).rejects.toThrow(/CORELO_TOKENS_FILE/)
    await expect(startApp({ auth: 'token', tokensFile: '/nowhere/tokens' })).rejects.toThrow(/\/nowhere\/tokens/)
  })
})

const ISSUER = 'https://kubernetes.default.svc'
const AUDIENCE = 'corelo'
const AGENT = 'system:serviceaccount:corelo:agent'

interface IssuerKey extends GenerateKeyPairResult { readonly jwk: JWK }

async function issuerKey (kid: string, alg = 'ES256'): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { privateKey, publicKey, jwk: { ...await exportJWK(publicKey), kid, alg, use: 'sig' } }
}

/** A server that publishes keys. Without keys it answers 500. */
async function publish (
  keys: readonly JWK[]
): Promise<{ url: string, keys: readonly JWK[] | undefined, asked: number, authorization: string | undefined }> {
  const issuer = { url: '', keys: keys as readonly JWK[] | undefined, asked: 0, authorization: undefined as string | undefined }
  const server = createServer((request, response) => {
    issuer.asked++
    issuer.authorization = request.headers.authorization
    response.statusCode = issuer.keys === undefined ? 500 : 200
    response.end(JSON.stringify({ keys: issuer.keys }))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => { server.closeAllConnections(); server.close() })
  await once(server, 'listening')
  issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/openid/v1/jwks`
  return issuer
}

const now = (): number => Math.floor(Date.now() / 1000)
const claims = (changes: Record<string, unknown> = {}): Record<string, unknown> =>
  ({ iss: ISSUER, aud: [AUDIENCE], sub: AGENT, iat: now(), exp: now() + 3600, ...changes })

describe('with JSON Web Tokens', () => {
  let key: IssuerKey
  beforeAll(async () => { key = await issuerKey('k1') })

  const tokenOf = async (payload: Record<string, unknown> = claims(), {
    kid = 'k1', alg = 'ES256', signer = key.privateKey
  } = {}): Promise<string> =>
    await new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(signer)

  async function start (settings: Partial<Config> = {}): Promise<Harness & {
    readonly issuer: Awaited<ReturnType<typeof publish>>
    ask (token: string, path?: string): Promise<Response>
  }> {
    const issuer = await publish([key.jwk])
    const harness = await startApp({ auth: 'jwt', jwksUrl: issuer.url, jwtAudience: AUDIENCE, jwtIssuer: ISSUER, ...settings })
    return { ...harness, issuer, ask: async (token, path = '/kernels') => await harness.request(path, { headers: bearer(token) }) }
  }

  it('takes a ServiceAccount token for our audience, asks the issuer once, and logs its subject', async () => {
    const { ask, issuer, logged } = await start()
    const tokens = [
      await tokenOf(), await tokenOf(claims({ aud: AUDIENCE, jti: '2' })), await tokenOf(claims({ aud: ['other', AUDIENCE] }))
    ]
    for (const token of [...tokens, ...tokens]) expect((await ask(token)).status).toBe(200)
    expect(issuer.asked).toBe(1)
    await expect.poll(() => logged).toContainEqual(expect.objectContaining({ msg: 'request', identity: AGENT }))
  })

  it.each<[string, () => Promise<string>, RegExp]>([
    ['a wrong audience', () => tokenOf(claims({ aud: 'https://kubernetes.default.svc' })), /another audience.*"corelo"/],
    ['no audience', () => tokenOf(claims({ aud: undefined })), /audience/],
    ['a wrong issuer', () => tokenOf(claims({ iss: 'https://evil.example' })), /another issuer/],
    ['no issuer', () => tokenOf(claims({ iss: undefined })), /issuer/],
    ['a time that is over', () => tokenOf(claims({ exp: now() - 60 })), /expired/],
    ['no end', () => tokenOf(claims({ exp: undefined })), /exp/],
    ['a beginning in the future', () => tokenOf(claims({ nbf: now() + 3600 })), /not valid yet/],
    ['no subject', () => tokenOf(claims({ sub: undefined })), /sub/],
    ['a subject of control characters', () => tokenOf(claims({ sub: 'a\nb' })), /subject/],
    ['HS256 with the public key as the secret', async () => hs256(await exportSPKI(key.publicKey)), /algorithm/],
    ['the algorithm none', async () => new UnsecuredJWT(claims()).encode(), /no JSON Web Token|algorithm/],
    ['an unknown key', async () => tokenOf(claims(), { kid: 'k2', signer: (await issuerKey('k2')).privateKey }), /does not publish/],
    ["another key under the issuer's name", async () => tokenOf(claims(), { signer: (await issuerKey('k1')).privateKey }), /signature/],
    ['a changed subject', async () => swapPayload(await tokenOf(), claims({ sub: 'system:serviceaccount:kube-system:boss' })), /signature/],
    ['no token', async () => 'nonsense', /no JSON Web Token/]
  ])('refuses one with %s', async (_what, make, message) => {
    const { ask } = await start()
    const response = await ask(await make())
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="corelo", error="invalid_token"')
    expect(await refused(response, 401)).toMatch(message)
  })

  it('refuses a token that was good, once it is over', async () => {
    const { ask } = await start()
    const token = await tokenOf(claims({ exp: now() - 8 })) // within the tolerance for clocks that differ
    expect((await ask(token)).status).toBe(200)
    await expect.poll(async () => (await ask(token)).status).toBe(401)
  })

  it('gives the scopes of the claim, else those of the subject', async () => {
    const { request } = await start({ jwtScopes: 'system:serviceaccount:corelo:*=relocate; *:importer=upload' })
    const statuses = async (payload: Record<string, unknown>): Promise<number[]> => {
      const headers = bearer(await tokenOf(payload))
      return [(await request('/kernels', { headers })).status, (await request(`${KERNEL}/btf`, { ...put(FAKE_BTF), headers })).status]
    }
    expect(await statuses(claims())).toEqual([200, 403])
    expect(await statuses(claims({ sub: 'system:serviceaccount:ops:importer' }))).toEqual([403, 200])
    expect(await statuses(claims({ sub: 'somebody' }))).toEqual([403, 403])
    expect(await statuses(claims({ sub: 'somebody', scope: 'openid upload relocate' }))).toEqual([200, 200])
    expect(await statuses(claims({ scope: 'openid' }))).toEqual([403, 403])
    expect(await statuses(claims({ scope: ['admin'] }))).toEqual([200, 200])
  })

  it('lets every subject relocate and upload, unless told otherwise', async () => {
    const { request } = await start()
    const headers = bearer(await tokenOf(claims({ sub: 'anybody' })))
    expect((await request('/kernels', { headers })).status).toBe(200)
    expect((await request(`${KERNEL}/btf`, { ...put(FAKE_BTF), headers })).status).toBe(200)
  })

  it.each(['everything', 'a=', '=relocate', 'relocate;', 'a=relocate;b'])('does not start with CORELO_JWT_SCOPES=%s', async jwtScopes => {
    await expect(start({ jwtScopes })).rejects.toThrow(/CORELO_JWT_SCOPES/)
  })

  it.each(['jwksUrl', 'jwtAudience', 'jwtIssuer'] as const)('does not start without %s', async setting => {
    const { [setting]: _, ...settings } = { jwksUrl: 'file', jwtAudience: AUDIENCE, jwtIssuer: ISSUER }
    await expect(startApp({ auth: 'jwt', ...settings })).rejects.toThrow(/CORELO_AUTH=jwt needs CORELO_JW/)
  })

  it('goes on with the keys it has while their issuer is down', async () => {
    const { ask, issuer } = await start()
    expect((await ask(await tokenOf())).status).toBe(200)
    issuer.keys = undefined
    expect((await ask(await tokenOf(claims({ jti: 'new' })))).status).toBe(200)
    const unknown = await tokenOf(claims(), { kid: 'k9', signer: (await issuerKey('k9')).privateKey })
    await refused(await ask(unknown), 401)
  })

  it('answers 503 with Retry-After while it never had the keys, and leaves open routes alone', async () => {
    const { ask, issuer, logged } = await start()
    issuer.keys = undefined
    const responses = await Promise.all(Array.from({ length: 5 }, async () => await ask(await tokenOf())))
    for (const response of responses) {
      expect([response.status, (await problemOf(response)).code, response.headers.get('retry-after')]).toEqual([503, 'overloaded', '10'])
    }
    expect(issuer.asked).toBe(1)
    expect((await ask(await tokenOf(), '/readyz')).status).toBe(200)
    expect(logged).toContainEqual(expect.objectContaining({ msg: 'the keys that verify tokens cannot be had' }))
  })

  it('takes the keys from a file too', async () => {
    const file = join(await temporaryFolder(), 'jwks.json')
    await writeFile(file, JSON.stringify({ keys: [key.jwk] }))
    const { ask } = await start({ jwksUrl: file })
    expect((await ask(await tokenOf())).status).toBe(200)
  })

  it('shows a token of its own to an issuer that asks for one', async () => {
    const jwksTokenFile = join(await temporaryFolder(), 'token')
    await writeFile(jwksTokenFile, 'own-token\n')
    const { ask, issuer } = await start({ jwksTokenFile })
    expect((await ask(await tokenOf())).status).toBe(200)
    expect(issuer.authorization).toBe('Bearer own-token')
  })

  function hs256 (secret: string): string {
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const signed = `${encode({ alg: 'HS256', kid: 'k1' })}.${encode(claims())}`
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
  }

  function swapPayload (token: string, payload: unknown): string {
    const [header, , signature] = token.split('.')
    return [header, Buffer.from(JSON.stringify(payload)).toString('base64url'), signature].join('.')
  }
})

describe('the keys of an issuer', () => {
  /** A source of keys whose clock stands still until it is moved. */
  async function source (): Promise<{
    issuer: Awaited<ReturnType<typeof publish>>
    keys: ReturnType<typeof createKeySource>
    pass (ms: number): void
    kids (): Promise<Array<string | undefined>>
    next: JWK
  }> {
    const issuer = await publish([(await issuerKey('k1')).jwk])
    let time = 1_000_000
    const keys = createKeySource({ url: issuer.url, tokenFile: undefined, onWarning: () => {}, now: () => time })
    const kids = async (): Promise<Array<string | undefined>> => (await keys.keys()).jwks().keys.map(({ kid }) => kid)
    return { issuer, keys, pass: ms => { time += ms }, kids, next: (await issuerKey('k2')).jwk }
  }
  const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000]

  it('are asked for anew when a token names another one, but not at every such token', async () => {
    const { issuer, keys, pass, kids, next } = await source()
    expect(await kids()).toEqual(['k1'])
    issuer.keys = [next]
    pass(5 * SECOND)
    expect(await keys.renew()).toBe(false)
    pass(5 * SECOND)
    expect(await keys.renew()).toBe(true)
    expect(await kids()).toEqual(['k2'])
    expect(issuer.asked).toBe(2)
  })

  it('are renewed beside the requests after some minutes', async () => {
    const { issuer, pass, kids, next } = await source()
    await kids()
    issuer.keys = [next]
    pass(6 * MINUTE)
    expect(await kids()).toEqual(['k1'])
    await expect.poll(kids).toEqual(['k2'])
  })

  it('go on through an outage of a day, and not longer', async () => {
    const { issuer, pass, kids } = await source()
    await kids()
    issuer.keys = undefined
    pass(23 * HOUR)
    expect(await kids()).toEqual(['k1'])
    await expect.poll(() => issuer.asked).toBe(2)
    pass(2 * HOUR)
    await expect(kids()).rejects.toThrow(expect.objectContaining({ code: 'overloaded' }))
  })

  it('come back once the issuer does', async () => {
    const { issuer, pass, kids, next } = await source()
    issuer.keys = undefined
    await expect(kids()).rejects.toThrow()
    issuer.keys = [next]
    await expect(kids()).rejects.toThrow() // too soon to ask again
    pass(11 * SECOND)
    expect(await kids()).toEqual(['k2'])
  })
})

describe('a rate limit', () => {
  it('counts by caller, answers 429 with Retry-After, and leaves open routes alone', async () => {
    const { request } = await withTokens(line('a', 'relocate') + line('b', 'relocate'), { rateLimit: 3 })
    const ask = async (token: string): Promise<Response> => await request('/kernels', { headers: bearer(token) })
    for (let i = 0; i < 3; i++) expect((await ask('secret-of-a')).status).toBe(200)
    const limited = await ask('secret-of-a')
    expect(await problemOf(limited)).toMatchObject({
      status: 429, code: 'rate_limited', limit: 3, detail: expect.stringContaining('token:a')
    })
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(Number(limited.headers.get('retry-after'))).toBeLessThanOrEqual(60)
    expect((await ask('secret-of-b')).status).toBe(200)
    for (let i = 0; i < 5; i++) expect((await request('/livez')).status).toBe(200)
  })

  it('counts by address where nobody says who calls', async () => {
    const { request } = await startApp({ rateLimit: 2 })
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await request('/kernels')).status)
    expect(statuses).toEqual([200, 200, 429, 429])
  })

  it('is off by default', async () => {
    const { request, config } = await startApp()
    expect(config.rateLimit).toBe(0)
    expect((await request('/kernels')).headers.has('retry-after')).toBe(false)
  })
})
