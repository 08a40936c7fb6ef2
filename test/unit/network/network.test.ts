import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tls from 'node:tls'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { createTransport } from '../../../src/client/transport.js'
import { createHttpClient } from '../../../src/fetch/http-client.js'
import { createKeySource } from '../../../src/http/access/jwks.js'
import { openFetch } from '../../../src/network/fetch.js'
import type { Network } from '../../../src/network/network.js'
import { readNetwork } from '../../../src/settings/network-settings.js'
import { createS3Client } from '../../../src/store/shared/s3-client.js'
import { openPending } from '../../../src/watch/pending.js'
import { createWebhook } from '../../../src/watch/webhook.js'
import { makeAuthority } from '../../support/certificates.js'
import { startProxy, type Proxy } from '../../support/proxy.js'
import { s3Settings, startS3Server } from '../../support/s3-server.js'

const folder = mkdtempSync(join(tmpdir(), 'corelo-network-'))
afterAll(() => { rmSync(folder, { recursive: true, force: true }) })
const authority = makeAuthority(folder)

interface Origin { readonly url: string, readonly host: string }

async function startOrigin (isTls: boolean, listener: RequestListener = (_, response) => { response.end('hello') }): Promise<Origin> {
  const server = isTls ? createTlsServer({ cert: authority.cert, key: authority.key }, listener) : createHttpServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url: `${isTls ? 'https' : 'http'}://${host}`, host }
}

const both = ({ url }: Proxy): { HTTP_PROXY: string, HTTPS_PROXY: string } => ({ HTTP_PROXY: url, HTTPS_PROXY: url })

async function get (network: Network, url: string): Promise<string> {
  const client = createHttpClient({ origins: [new URL(url)], network, limits: { tries: 1, connectMs: 2000 } })
  onTestFinished(() => client.close())
  const answer = await client.get({ url: new URL(url), maxBytes: 1000, signal: AbortSignal.timeout(20_000) })
  if (answer.state === 'unchanged') return 'unchanged'
  return answer.state === 'ok' ? Buffer.from(answer.bytes).toString() : answer.answer
}

describe('a source behind a proxy', () => {
  it('is asked by a whole address over http, and by a tunnel over https', async () => {
    const [proxy, plain, tls] = [await startProxy(), await startOrigin(false), await startOrigin(true)]
    const network = readNetwork({ ...both(proxy), CORELO_CA_FILE: authority.caFile })
    expect(await get(network, `${plain.url}/a?b`)).toBe('hello')
    expect(await get(network, `${tls.url}/secret`)).toBe('hello')
    expect(proxy.requests).toEqual([`GET ${plain.url}/a?b`, `CONNECT ${tls.host}`])
  })

  it('is asked directly where NO_PROXY names it', async () => {
    const [proxy, plain, tls] = [await startProxy(), await startOrigin(false), await startOrigin(true)]
    for (const noProxy of ['example.org,127.0.0.1', `127.0.0.1:${new URL(plain.url).port}, ${tls.host}`, '*']) {
      const network = readNetwork({ ...both(proxy), NO_PROXY: noProxy, CORELO_CA_FILE: authority.caFile })
      expect([await get(network, plain.url), await get(network, tls.url)]).toEqual(['hello', 'hello'])
    }
    expect(proxy.requests).toEqual([])
    expect(await get(readNetwork({ ...both(proxy), NO_PROXY: '127.0.0.1:1' }), plain.url)).toBe('hello')
    expect(proxy.requests).toHaveLength(1)
  })

  it('is asked with the proxy\'s user and password, which no message shows', async () => {
    const [proxy, plain, tls] = [await startProxy(), await startOrigin(false), await startOrigin(true)]
    const address = proxy.url.replace('://', '://me:p%40ss@')
    const network = readNetwork({ https_proxy: address, http_proxy: address, CORELO_CA_FILE: authority.caFile })
    await get(network, plain.url)
    await get(network, tls.url)
    const basic = `Basic ${Buffer.from('me:p@ss').toString('base64')}`
    expect(proxy.credentials).toEqual([basic, basic])
    proxy.refusal = 407
    for (const said of [await get(network, plain.url), await get(network, tls.url)]) {
      expect(said).toContain('asks for a user and a password (407)')
      expect(said).not.toContain('ss@')
    }
  })

  it('is told apart from the proxy where that fails', async () => {
    const [proxy, plain, tls] = [await startProxy(), await startOrigin(false), await startOrigin(true)]
    proxy.refusal = 403
    expect(await get(readNetwork(both(proxy)), tls.url)).toBe(
      `${tls.url}/ was not reached: the proxy ${proxy.url} did not connect to it (403)`
    )
    const dead = readNetwork({ HTTP_PROXY: 'http://u:p@127.0.0.1:2', HTTPS_PROXY: 'http://u:p@127.0.0.1:2' })
    for (const { url } of [plain, tls]) {
      expect(await get(dead, url)).toBe(`${url}/ was not reached: the proxy http://127.0.0.1:2 cannot be reached (ECONNREFUSED)`)
    }
  })

  it('may not redirect to a name that is known to be in the network of the service', async () => {
    const [proxy, inner] = [await startProxy(), await startOrigin(false)]
    const outer = await startOrigin(
      false, (_, response) => { response.writeHead(302, { location: inner.url.replace('127.0.0.1', 'localhost') }).end() }
    )
    expect(await get(readNetwork(both(proxy)), outer.url)).toContain('redirects to where it must not: localhost (')
    expect(proxy.requests).toEqual([`GET ${outer.url}/`])
  })
})

describe('an authority of one\'s own', () => {
  it('is believed by CORELO_CA_FILE, beside NODE_EXTRA_CA_CERTS', async () => {
    const { url } = await startOrigin(true)
    const other = join(folder, 'other')
    writeFileSync(other, 'text before it\n' + makeAuthority(mkdtempSync(join(folder, 'other-'))).cert)
    expect(await get(readNetwork({ CORELO_CA_FILE: authority.caFile }), url)).toBe('hello')
    expect(await get(readNetwork({ CORELO_CA_FILE: other, NODE_EXTRA_CA_CERTS: authority.caFile }), url)).toBe('hello')
    expect(await get(readNetwork({ CORELO_CA_FILE: other }), url)).toContain('set CORELO_CA_FILE or NODE_EXTRA_CA_CERTS to a PEM file')
    expect(await get({}, url)).toContain('its certificate is not by an authority that is believed here (')
  })

  it.runIf('getCACertificates' in tls)("is believed beside the system's own, where Node is told to believe those", async () => {
    const { url } = await startOrigin(true)
    const other = makeAuthority(mkdtempSync(join(folder, 'system-'))).caFile
    const script = `
    const { readNetwork } = await import(${JSON.stringify(new URL('../../../dist/settings/network-settings.js', import.meta.url).href)})
    const { openFetch } = await import(${JSON.stringify(new URL('../../../dist/network/fetch.js', import.meta.url).href)})
    const get = await openFetch(readNetwork(process.env))
    console.log(await get(${JSON.stringify(url)}, {}).then(answer => answer.text(), error => String(error.cause ?? error)))
    process.exit()`
    const ask = async (...options: readonly string[]): Promise<string> => await new Promise((resolve, reject) => {
      execFile(process.execPath, [
        ...options, '--input-type=module', '-e', script
      ], { env: { PATH: process.env['PATH'], CORELO_CA_FILE: other, SSL_CERT_FILE: authority.caFile } },
      (error, stdout) => { if (error === null) resolve(stdout.trim()); else reject(error) })
    })
    expect(await ask('--use-system-ca')).toBe('hello')
    expect(await ask()).toContain('certificate')
  })

  it.each([
    [{ CORELO_CA_FILE: '/nowhere.pem' }, 'CORELO_CA_FILE names /nowhere.pem, which cannot be read'],
    [{ CORELO_CA_FILE: 'package.json' }, 'CORELO_CA_FILE names package.json, which has no certificates in PEM'],
    [{ HTTPS_PROXY: 'proxy:3128' }, 'HTTPS_PROXY must be the http or https address of a proxy'],
    [{ http_proxy: 'socks5://user:secret@proxy' }, 'HTTP_PROXY must be the http or https address of a proxy']
  ])('and proxies are checked when they are read: %o', (env, message) => {
    expect(() => readNetwork(env)).toThrow(expect.objectContaining({ code: 'invalid_request', message: expect.stringContaining(message) }))
    expect(() => readNetwork(env)).toThrow(expect.not.objectContaining({ message: expect.stringContaining('secret') }))
  })
})

describe('behind a proxy', () => {
  it('a client of the service sends forms and bytes, and gets answers', async () => {
    const bodies: string[] = []
    const echo: RequestListener = (request, response) => {
      bodyOf(request).then(body => {
        bodies.push(`${request.headers['content-type'] ?? ''} ${body}`)
        response.end(request.url)
      }, () => response.destroy())
    }
    const [proxy, tls] = [await startProxy(), await startOrigin(true, echo)]
    const transport = createTransport({
      server: tls.url, timeoutMs: 20_000, network: readNetwork({ ...both(proxy), CORELO_CA_FILE: authority.caFile })
    })
    const form = new FormData()
    form.append('name', 'value')
    form.append('object', new Blob(['bytes']), 'object.bpf.o')
    const call = { method: 'POST', path: '/relocate', maxBytes: 100 } as const
    expect((await transport.send({ ...call, body: form })).body.toString()).toBe('/relocate')
    await transport.send({ ...call, body: Buffer.from('raw'), headers: { 'content-type': 'application/octet-stream' } })
    expect(bodies[0]).toMatch(/^multipart\/form-data; boundary=.* [^]*name="name"[^]*value[^]*filename="object.bpf.o"[^]*bytes/)
    expect(bodies[1]).toBe('application/octet-stream raw')
    expect(new Set(proxy.requests)).toEqual(new Set([`CONNECT ${tls.host}`]))
    await expect(createTransport({ server: tls.url, timeoutMs: 20_000 }).send(call)).rejects.toThrow('set CORELO_CA_FILE')
    proxy.refusal = 502
    await expect(createTransport({ server: tls.url, timeoutMs: 20_000, network: readNetwork(both(proxy)) }).send(call)).rejects.toThrow(
      `the proxy ${proxy.url} did not connect to it (502)`
    )
  })

  it('the keys of an issuer are had', async () => {
    const [proxy, issuer] = [await startProxy(), await startOrigin(true, (_, response) => { response.end('{"keys":[]}') })]
    const facts: unknown[] = []
    const keys = createKeySource({
      url: `${issuer.url}/jwks`,
      tokenFile: undefined,
      network: readNetwork({ ...both(proxy), CORELO_CA_FILE: authority.caFile }),
      onWarning: (_, fact) => { facts.push(fact) }
    })
    expect((await keys.keys()).jwks()).toEqual({ keys: [] })
    expect(proxy.requests).toEqual([`CONNECT ${issuer.host}`])
    await expect(
      createKeySource({ url: issuer.url, tokenFile: undefined, onWarning: (_, fact) => { facts.push(fact) } }).keys()
    ).rejects.toThrow('cannot be had')
    expect(facts).toEqual([expect.objectContaining({ reason: expect.stringContaining('set CORELO_CA_FILE') })])
  })

  it('a webhook is told', async () => {
    const bodies: string[] = []
    const [proxy, receiver] = [await startProxy(), await startOrigin(true, (request, response) => {
      bodyOf(request).then(body => {
        bodies.push(body)
        response.end()
      }, () => {})
    })]
    const secretFile = join(folder, 'webhook-secret')
    writeFileSync(secretFile, `whsec_${Buffer.alloc(32).toString('base64')}`)
    const tell = async (network: Network): Promise<{ stats: () => unknown, reasons: unknown[] }> => {
      const reasons: unknown[] = []
      const pending = await openPending({ path: join(folder, 'pending'), warn: () => {} })
      pending.events.set('msg_1', { id: 'msg_1', at: new Date().toISOString(), body: '{"type":"kernel.listed"}' })
      const webhook = createWebhook({
        url: `${receiver.url}/hook`, secretFile, network, pending, warn: (_, { reason }) => { reasons.push(reason) }
      })
      onTestFinished(() => webhook.close())
      webhook.wake()
      return { stats: () => webhook.stats(), reasons }
    }
    const told = await tell(readNetwork({ ...both(proxy), CORELO_CA_FILE: authority.caFile }))
    await expect.poll(told.stats).toEqual({ delivered: 1, failed: 0, dropped: 0 })
    expect([bodies, proxy.requests]).toEqual([['{"type":"kernel.listed"}'], [`CONNECT ${receiver.host}`]])
    const untold = await tell({})
    await expect.poll(() => untold.reasons).toEqual([expect.stringContaining('set CORELO_CA_FILE')])
  })

  it('what replicas share is read and written', async () => {
    const [proxy, store] = [await startProxy(), await startS3Server()]
    const client = createS3Client(s3Settings(store), readNetwork(both(proxy)))
    onTestFinished(() => client.close())
    const bytes = Buffer.from('content')
    expect(await client.put('a/b', bytes, 'ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73')).toMatchObject({
      state: 'done'
    })
    expect(await client.head('a/b')).toEqual({ state: 'done', value: 7 })
    expect(proxy.requests).toEqual([`PUT ${store.url}/fleet/corelo/a/b`, `HEAD ${store.url}/fleet/corelo/a/b`])
    expect(await createS3Client(s3Settings(store), readNetwork({ HTTP_PROXY: 'http://127.0.0.1:2' })).head('a/b')).toMatchObject({
      state: 'failed', reason: expect.stringContaining('the proxy http://127.0.0.1:2 cannot be reached')
    })
  })

  it('nothing of another package is loaded where there is neither a proxy nor an authority', async () => {
    const { url } = await startOrigin(false)
    expect(await (await (await openFetch(readNetwork({ NO_PROXY: '*' })))(url, {})).text()).toBe('hello')
  })
})

async function bodyOf (request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString()
}
