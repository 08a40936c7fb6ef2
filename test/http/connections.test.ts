import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { AppError } from '../../src/errors.js'
import type {} from '../../src/http/plugins/lifecycle.js' // what it adds to Fastify's types
import { form, problemOf, startApp, type Harness } from './harness.js'

const OBJECT = Buffer.from('\x7fELF and more', 'latin1')
const WHOLE = { object: OBJECT, kernel_release: '5.4.0-42-generic' }
const relocate = async (http: Harness, init: RequestInit = {}): Promise<Response> =>
  await http.request('/relocate', { method: 'POST', body: form(WHOLE), ...init })

/** A promise, and the function that fulfils it. */
function gate (): { readonly passed: Promise<void>, readonly open: () => void } {
  let open = (): void => {}
  const passed = new Promise<void>(resolve => { open = resolve })
  return { passed, open: () => { open() } }
}

/** Sends text over a socket of its own and gives back all that comes. */
async function exchange (http: Harness, text: string): Promise<string> {
  const { hostname, port } = new URL(http.url)
  return await new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(Number(port), hostname, () => { socket.write(text) })
    socket.setEncoding('latin1')
      .on('data', (chunk: string) => { answer += chunk })
      .on('close', () => { resolve(answer) })
      .on('error', reject)
  })
}

describe('what is no HTTP request', () => {
  it('is answered with a problem', async () => {
    const answer = await exchange(await startApp(), 'hello\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).toContain('"code":"invalid_request"')
    expect(answer).toMatch(/^x-request-id: /m)
  })

  it('for its headers are too long is answered with 431', async () => {
    const answer = await exchange(await startApp(), `GET /livez HTTP/1.1\r\nhost: x\r\nx-long: ${'a'.repeat(17_000)}\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 431 /)
    expect(answer).toContain('"code":"headers_too_large"')
  })

  it('for its address cannot be decoded is answered with 400', async () => {
    const { request } = await startApp()
    for (const path of ['/objects/%zz', `/kernels/a/b/c/${'d'.repeat(300)}`, `/kernels/a/b/c/${'d'.repeat(200)}`]) {
      const response = await request(path)
      expect(await problemOf(response), path).toMatchObject({
        status: path.includes('objects') ? 400 : expect.any(Number), request_id: response.headers.get('x-request-id')
      })
      expect([400, 404], path).toContain(response.status)
    }
  })
})

describe('a caller that goes away', () => {
  it('ends the waiting for its relocation, and is counted', async () => {
    const http = await startApp()
    const { passed, open } = gate()
    http.service.hold = passed
    const controller = new AbortController()
    const request = relocate(http, { signal: controller.signal })
    await expect.poll(() => http.service.requests.length).toBe(1)
    controller.abort()
    await expect(request).rejects.toThrow()
    await expect.poll(() => http.service.deadlines[0]?.signal.aborted).toBe(true)
    await expect.poll(() => http.logged.map(line => line['msg'])).toContain('request whose caller left')
    const metrics = await (await http.request('/metrics')).text()
    expect(metrics).toMatch(/corelo_http_request_duration_seconds_count\{[^}]*status="499"[^}]*\} 1/)
    expect(metrics).toContain('corelo_http_requests_in_flight 1\n') // this one
    expect(metrics).toContain(`corelo_upload_bytes ${OBJECT.length}\n`) // the work goes on with them
    open()
    await expect.poll(async () => await (await http.request('/metrics')).text()).toContain('corelo_upload_bytes 0\n')
  })

  it('within its upload leaves nothing behind', async () => {
    const http = await startApp()
    const { hostname, port } = new URL(http.url)
    const metrics = async (): Promise<string> => await (await http.request('/metrics')).text()
    for (const [path, type, body] of [
      ['/relocate?kernel_release=x', 'application/x-elf', '\x7fELF'],
      ['/relocate', 'multipart/form-data; boundary=b', '--b\r\ncontent-disposition: form-data; name="object"; filename="x"\r\n\r\nabc']
    ] as const) {
      const socket = connect(Number(port), hostname)
      socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: 1000\r\n\r\n${body}`)
      await expect.poll(metrics).toContain('corelo_http_requests_in_flight 2\n') // it, and the one that asks
      socket.destroy()
      await expect.poll(metrics).toContain('corelo_http_requests_in_flight 1\n')
    }
    await expect.poll(() => http.logged.filter(line => line['msg'] === 'request whose caller left')).toHaveLength(2)
    expect(await metrics()).toContain('corelo_upload_bytes 0\n')
    expect(http.service.requests).toEqual([])
  })
})

describe('the deadline', () => {
  it('is answered with 504 while the work goes on', async () => {
    const http = await startApp({ deadlineMs: 30 })
    const { passed, open } = gate()
    http.service.hold = passed
    const response = await relocate(http)
    expect(response.status).toBe(504)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await problemOf(response)).toMatchObject({ code: 'deadline_exceeded', deadline_ms: 30 })
    open()
  })
})

describe('a connection on which nothing moves', () => {
  /** An application, and the server's side of the connections to it. */
  async function watched (settings: Parameters<typeof startApp>[0] = {}) {
    const http = await startApp(settings)
    const sockets: Socket[] = []
    http.app.server.on('connection', (socket: Socket) => sockets.push(socket))
    return { http, sockets }
  }

  it('has the same time within a request and between two, of which its callers are told', async () => {
    const { http, sockets } = await watched()
    const { passed, open } = gate()
    http.service.hold = passed
    const asking = relocate(http)
    await expect.poll(() => http.service.requests.length).toBe(1)
    const within = sockets.map(({ timeout }) => timeout)
    open()
    const answer = await asking
    await answer.arrayBuffer()
    expect(answer.headers.get('keep-alive')).toBe('timeout=72')
    expect([within, sockets.map(({ timeout }) => timeout)]).toEqual([[73_000], [73_000]])
  })

  it('is closed between two requests', async () => {
    const { http, sockets } = await watched()
    await (await http.request('/livez')).arrayBuffer()
    const [socket] = sockets
    socket?.emit('timeout')
    await expect.poll(() => socket?.destroyed).toBe(true)
  })

  it('stays open while its caller waits for an answer that has its own time', async () => {
    const { http, sockets } = await watched()
    const { passed, open } = gate()
    http.service.hold = passed
    const asking = relocate(http, { headers: { prefer: 'wait=300' } })
    await expect.poll(() => http.service.requests.length).toBe(1)
    for (const socket of sockets) socket.emit('timeout')
    open()
    expect((await asking).status).toBe(200)
  })
})

describe('an error that says when to come back', () => {
  it.each([
    [new AppError('overloaded', 'All workers are busy.', { retry_after: 2.2 }), 503, '3'],
    [new AppError('overloaded', 'All workers are busy.'), 503, '1'],
    [new AppError('rate_limited', 'Too many requests.', { retry_after: 30 }), 429, '30']
  ])('says so in Retry-After', async (error, status, retryAfter) => {
    const http = await startApp()
    http.service.failure = error
    const response = await relocate(http)
    expect([response.status, response.headers.get('retry-after')]).toEqual([status, retryAfter])
  })
})

describe('the metrics', () => {
  it('count relocations by verdict, and time the steps that were taken', async () => {
    const http = await startApp()
    await relocate(http)
    await expect
      .poll(async () => await (await http.request('/metrics')).text())
      .toMatch(/corelo_relocations_total\{verdict="loads",cached="false"\} 1/)
    const text = await (await http.request('/metrics')).text()
    expect(text).toMatch(/corelo_relocation_phase_duration_seconds_count\{phase="relocate"\} 1/)
    expect(text).not.toContain('phase="fetch"')
    expect(text).toContain('corelo_cache_events_total{event="result_hits"} 7\n')
    expect(text).toMatch(/corelo_build_info\{version="[\d.]+",semantics="libbpf [\d.]+",node="v[\d.]+"\} 1/)
    expect(text).toContain('process_cpu_user_seconds_total')
  })

  it('take no label from a request', async () => {
    const http = await startApp()
    for (const path of ['/secret-path', '/kernels/secret/1/x/y', '/kernels?release=secret']) await http.request(path)
    expect(await (await http.request('/metrics')).text()).not.toContain('secret')
  })
})

describe('the log', () => {
  it('has one line for a request, with what it was about', async () => {
    const http = await startApp()
    const response = await relocate(http)
    await expect.poll(() => linesOf(http)).toHaveLength(1)
    expect(linesOf(http)[0]).toMatchObject({
      level: 30,
      request_id: response.headers.get('x-request-id'),
      method: 'POST',
      route: '/relocate',
      status: 200,
      ms: expect.any(Number),
      object: response.headers.get('corelo-object'),
      btf: response.headers.get('corelo-btf'),
      kernel: '5.4.0-42-generic',
      verdict: 'loads',
      cached: false
    })
  })

  it('has the code of a problem', async () => {
    const http = await startApp()
    await http.request('/kernels/a/b/c/d')
    await expect
      .poll(() => linesOf(http))
      .toMatchObject([{ route: '/kernels/:distro/:version/:arch/:release', status: 404, code: 'kernel_unknown' }])
  })

  it('has probes only at level debug', async () => {
    const http = await startApp()
    await http.request('/livez')
    await expect.poll(() => linesOf(http)).toMatchObject([{ level: 20, route: '/livez' }])
  })

  it('never has what a header said', async () => {
    const http = await startApp()
    const headers = { authorization: 'Bearer hunter2', cookie: 'session=hunter2', 'x-other': 'hunter2' }
    await relocate(http, { headers })
    await http.request('/nowhere', { headers })
    http.service.failure = new Error('unforeseen')
    await relocate(http, { headers })
    await expect.poll(() => linesOf(http)).toHaveLength(3)
    expect(http.logged.map(line => line['msg'])).toEqual(expect.arrayContaining(['Providing options to busboy', 'request failed']))
    expect(JSON.stringify(http.logged)).not.toContain('hunter2')
  })

  const linesOf = (http: Harness) => http.logged.filter(line => line['msg'] === 'request')
})

describe('an instance that stops', () => {
  it('fails readiness first and still answers, asking callers to connect elsewhere', async () => {
    const http = await startApp()
    expect((await http.request('/readyz')).status).toBe(200)
    http.app.lifecycle.state = 'draining'
    const ready = await http.request('/readyz')
    expect([ready.status, ready.headers.get('retry-after'), ready.headers.get('connection')]).toEqual([503, '5', 'close'])
    expect(await problemOf(ready)).toMatchObject({ code: 'draining', state: 'draining' })
    const response = await relocate(http)
    expect([response.status, response.headers.get('connection')]).toEqual([200, 'close'])
    expect((await http.request('/livez')).status).toBe(200)
  })

  it('finishes what it has when it closes, and turns the rest away', async () => {
    const http = await startApp()
    const { passed, open } = gate()
    http.service.hold = passed
    const { hostname, port } = new URL(http.url)
    const answers = exchangeTwice(Number(port), hostname)
    const first = relocate(http)
    await expect.poll(() => http.service.requests.length).toBe(1)
    await answers.first
    http.app.lifecycle.state = 'closing' // as the server sets it when it begins to close
    expect(await answers.second()).toMatch(/^HTTP\/1.1 503 [\s\S]*"code":"draining"/)
    open()
    expect((await first).status).toBe(200)
    expect((await http.request('/livez')).status).toBe(200)
  })

  /** A connection that was open before: two requests over it, the second when the caller says so. */
  function exchangeTwice (port: number, hostname: string) {
    const socket = connect(port, hostname)
    socket.setEncoding('latin1')
    const next = (): Promise<string> => new Promise(resolve => { socket.once('data', resolve) })
    socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
    return {
      first: next(),
      second: async () => {
        const answer = next()
        socket.write('GET /kernels HTTP/1.1\r\nhost: x\r\n\r\n')
        return await answer
      }
    }
  }
})
