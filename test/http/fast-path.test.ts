import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ENGINE } from '../../src/relocation/engine.js'
import { sha256 } from '../../src/store/sha256.js'
import type { Config } from '../../src/http/config.js'
import type { Service } from '../../src/service/types.js'
import type {} from '../../src/http/plugins/lifecycle.js' // what it adds to Fastify's types
import { fooBtf, fooObject, startService, temporaryFolder } from '../unit/service/lab.js'
import { startAppWith, type Harness } from './harness.js'

const OBJECT = sha256(fooObject())
const ADDRESS = `/relocated/${OBJECT}/${sha256(fooBtf())}`
const IMMUTABLE = `${ADDRESS}?engine=${ENGINE.version}`
const TAG = 'etag'
/** Of one request alone. */
const PASSING = ['date', 'x-request-id', 'server-timing']

interface Ask {
  readonly path?: string
  readonly method?: string
  /** The value `etag` stands for the tag of the result. */
  readonly headers?: OutgoingHttpHeaders
}
interface Seen {
  readonly status: number | undefined
  readonly headers: Record<string, unknown>
  readonly body: string
  readonly line: Record<string, unknown> | undefined
  /** Whether a handler of Fastify answered. */
  readonly isHandled: boolean
}

const kernel = (release: string) => ({ distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release })
const supply = async (service: Service, release: string): Promise<unknown> =>
  await service.putKernelBtf(kernel(release), fooBtf(), { by: 'node', at: '2026-01-01T00:00:00.000Z' })

/** Paths that handlers of Fastify were called for. */
function watchHandlers (): string[] {
  const handled: string[] = []
  const note = (message: unknown): void => {
    const { request } = message as { request: { id: string } }
    handled.push(request.id)
  }
  subscribe('tracing:fastify.request.handler:start', note)
  onTestFinished(() => { unsubscribe('tracing:fastify.request.handler:start', note) })
  return handled
}

/** Two applications around one service that holds the result and has been asked for it: one with the short way, one without. */
async function lab (settings: Partial<Config> = {}, warmUp: OutgoingHttpHeaders = {}) {
  const service = await startService(await temporaryFolder())
  await supply(service, '5.4.0-42-generic')
  await service.putObject(fooObject(), OBJECT)
  await service.relocate({ objectSha256: OBJECT, btfSha256: sha256(fooBtf()), onUnresolved: 'poison', wantsReport: true })
  const apps = {
    short: await startAppWith(service, settings, { hasFastPath: true }),
    whole: await startAppWith(service, settings, { hasFastPath: false })
  }
  const handled = watchHandlers()
  let tag = ''
  let number = 0
  const see = async ({ url, logged }: Harness<Service>, { path = ADDRESS, method = 'GET', headers = {} }: Ask): Promise<Seen> => {
    const id = `ask-${process.pid}-${number++}`
    const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value).replace(TAG, tag)]))
    const asking = httpRequest(`${url}${path}`, { method, headers: { 'x-request-id': id, ...sent } }).end()
    const [response] = await once(asking, 'response') as [IncomingMessage]
    const body = Buffer.concat(await response.toArray())
    const given = String(response.headers['x-request-id'])
    const lineOf = (): Record<string, unknown> | undefined => logged.find(({ request_id: of }) => of === given)
    await expect.poll(lineOf).toBeDefined()
    const { time: _time, ms, request_id: _id, ...line } = lineOf() ?? {}
    expect(ms).toBeGreaterThanOrEqual(0)
    const left = Object.fromEntries(Object.entries(response.headers).filter(([name]) => !PASSING.includes(name)))
    const text = response.headers['content-type'] === 'application/problem+json' ? body.toString().replaceAll(given, 'ID') : sha256(body)
    return { status: response.statusCode, headers: left, body: text, line, isHandled: handled.includes(given) }
  }
  const seeBoth = async (ask: Ask): Promise<{ short: Seen, whole: Seen }> =>
    ({ short: await see(apps.short, ask), whole: await see(apps.whole, ask) })
  for (const path of [ADDRESS, IMMUTABLE]) {
    for (let i = 0; i < 2; i++) {
      const { short: { status, headers } } = await seeBoth({ path, headers: warmUp })
      expect(status).toBe(200)
      tag = String(headers['etag'])
    }
  }
  return {
    apps,
    service,
    /** What both ways answer, which must be the same; and which of them the first went. */
    async same (ask: Ask = {}): Promise<Omit<Seen, 'isHandled'> & { isShort: boolean }> {
      const { short: { isHandled, ...short }, whole: { isHandled: isWhole, ...whole } } = await seeBoth(ask)
      expect(short).toEqual(whole)
      return { ...short, isShort: !isHandled && isWhole }
    }
  }
}

describe('the short way to a held result answers as Fastify\'s does', () => {
  it('to GET and HEAD, with and without the tag of the result', async () => {
    const { same } = await lab()
    const asks: Array<[string, number, Ask]> = [
      ['a GET', 200, {}],
      ['a GET that names the engine', 200, { path: IMMUTABLE }],
      ['a HEAD', 200, { method: 'HEAD' }],
      ['a HEAD of who has it', 304, { method: 'HEAD', headers: { 'if-none-match': TAG } }],
      ['a GET of who has it', 304, { headers: { 'if-none-match': TAG } }],
      ['a weak tag', 304, { headers: { 'if-none-match': `W/${TAG}` } }],
      ['several tags', 304, { headers: { 'if-none-match': `"other", ${TAG}` } }],
      ['any tag', 304, { headers: { 'if-none-match': '*' } }],
      ['another tag', 200, { headers: { 'if-none-match': '"other"' } }],
      ['a tag without quotes', 200, { headers: { 'if-none-match': 'other' } }],
      ['a type that is accepted', 200, { headers: { accept: 'application/octet-stream' } }],
      ['several types', 200, { headers: { accept: 'application/json;q=0.5, application/x-elf' } }],
      ['an id that cannot be repeated', 200, { headers: { 'x-request-id': 'a"b' } }]
    ]
    for (const [name, status, ask] of asks) expect([name, await same(ask)]).toMatchObject([name, { status, isShort: true }])
  })

  it('and counts as that does', async () => {
    const { same, apps } = await lab()
    for (const headers of [{}, {}, { 'if-none-match': TAG }]) expect((await same({ headers })).isShort).toBe(true)
    expect((await same({ method: 'HEAD' })).isShort).toBe(true)
    const countsOf = async ({ request }: Harness<Service>): Promise<string[]> => (await (await request('/metrics')).text()).split('\n')
      .filter(line => /^corelo_(http_request_duration_seconds_count|relocations_total|problems_total|http_requests_in_flight)/.test(line))
    const counts = await countsOf(apps.short)
    expect(counts).toEqual(await countsOf(apps.whole))
    expect(counts).toContain('corelo_http_request_duration_seconds_count{method="GET",route="/relocated/:object/:btf",status="304"} 1')
  })

  it('but is not taken by what is not plainly a question for a held result', async () => {
    const { same } = await lab()
    const asks: Array<[number, Ask]> = [
      [200, { headers: { accept: 'application/json' } }],
      [406, { headers: { accept: 'text/html' } }],
      [200, { headers: { range: 'bytes=0-3' } }],
      [200, { headers: { 'content-length': '0' } }],
      [400, { path: `${ADDRESS}?unheard=of` }],
      [404, { path: `${ADDRESS}?engine=0` }],
      [404, { path: ADDRESS.replace(OBJECT, sha256('another object')) }],
      [405, { method: 'DELETE' }]
    ]
    for (const [status, ask] of asks) expect([ask, await same(ask)]).toMatchObject([ask, { status, isShort: false }])
  })

  it('names the kernel as the index has it now', async () => {
    const { same, service } = await lab()
    const before = await same()
    expect([before.headers['corelo-kernel'], before.isShort]).toEqual(['ubuntu/20.04/x86_64/5.4.0-42-generic', true])
    await supply(service, '5.4.0-43-generic')
    for (let i = 0; i < 3; i++) expect((await same()).headers['corelo-kernel']).toBe('none')
    expect((await same()).isShort).toBe(true)
  })

  it('asks each caller who it is', async () => {
    const file = join(await temporaryFolder(), 'tokens')
    await writeFile(
      file, ['a relocate', 'b upload', 'c admin'].map(line => line.replace(' ', ` ${sha256(`secret-${line[0]}`)} `)).join('\n')
    )
    const bearer = (name: string) => ({ authorization: `Bearer secret-${name}` })
    const { same } = await lab({ auth: 'token', tokensFile: file }, bearer('a'))
    const asks: Array<[number, OutgoingHttpHeaders, string | undefined]> = [
      [200, bearer('a'), 'token:a'],
      [200, bearer('c'), 'token:c'],
      [403, bearer('b'), 'token:b'],
      [401, bearer('d'), undefined],
      [401, { authorization: 'Basic YTpi' }, undefined],
      [401, {}, undefined]
    ]
    for (const [status, headers, identity] of asks) {
      for (const method of ['GET', 'HEAD']) {
        const seen = await same({ method, headers })
        expect([method, headers, seen.status, seen.line?.['identity']]).toEqual([method, headers, status, identity])
      }
    }
    await expect.poll(async () => (await same({ headers: bearer('a') })).isShort).toBe(true) // whatever time passed since the file was read
  })

  it('counts requests of a caller with all the others', async () => {
    const { same } = await lab({ rateLimit: 7 })
    const statuses: Array<number | undefined> = []
    const pick = { headers: { accept: 'application/json' } } // never short
    for (const ask of [{}, pick, {}, {}, pick]) statuses.push((await same(ask)).status)
    expect(statuses).toEqual([200, 200, 200, 429, 429]) // after four to warm up
  })

  it('and leaves a stopping service to it', async () => {
    const { same, apps } = await lab()
    for (const { app } of Object.values(apps)) app.lifecycle.state = 'draining'
    expect(await same()).toMatchObject({ status: 200, headers: { connection: 'close' }, isShort: false })
    for (const { app } of Object.values(apps)) app.lifecycle.state = 'closing'
    expect(await same()).toMatchObject({ status: 503, line: { code: 'draining' }, isShort: false })
    for (const { app } of Object.values(apps)) app.lifecycle.state = 'ready'
    expect(await same()).toMatchObject({ status: 200, isShort: true })
  })
})
