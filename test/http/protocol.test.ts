import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { createFakeService } from '../support/fake-service.js'
import { temporaryFolder } from '../unit/service/lab.js'
import { launch, problemOf, startApp, type Harness } from './harness.js'

const OBJECT = Buffer.from('\x7fELF and more', 'latin1')

let http: Harness
beforeAll(async () => { http = await launch(createFakeService()) })
afterAll(async () => {
  http.app.server.closeAllConnections()
  await http.app.close()
})

/** Sends lines of a request without a body, and gives back the status, the headers and the problem that come. */
async function ask (...lines: readonly string[]) {
  const { hostname, port } = new URL(http.url)
  const text = await new Promise<string>((resolve, reject) => {
    let answer = ''
    const socket = connect(Number(port), hostname, () => { socket.write([...lines, 'Connection: close', '', ''].join('\r\n')) })
    socket.setEncoding('latin1')
      .on('data', (chunk: string) => { answer += chunk })
      .on('close', () => { resolve(answer) })
      .on('error', reject)
  })
  const [head = '', body = ''] = text.split('\r\n\r\n', 2)
  const [status = '', ...headers] = head.toLowerCase().split('\r\n')
  return { status: Number(status.split(' ')[1]), headers, body }
}

async function refused (status: number, ...lines: readonly string[]) {
  const answer = await ask(...lines)
  expect(answer.status, answer.body).toBe(status)
  const problem = JSON.parse(answer.body)
  expect(answer.headers).toEqual(expect.arrayContaining([`x-request-id: ${problem.request_id}`, 'content-type: application/problem+json']))
  return { ...answer, problem }
}

describe('a request of HTTP/1.1', () => {
  it.each([
    ['no Host', []],
    ['two Hosts', ['Host: a', 'host: b']]
  ])('with %s is answered with 400', async (_name, hosts) => {
    const { problem } = await refused(400, 'GET /livez HTTP/1.1', ...hosts)
    expect(problem).toMatchObject({ code: 'invalid_request', field: 'host' })
  })

  it('needs no Host as HTTP/1.0', async () => {
    expect((await ask('GET /livez HTTP/1.0')).status).toBe(200)
  })

  it('that expects what nobody can do is told so', async () => {
    const { problem } = await refused(400, 'GET /livez HTTP/1.1', 'Host: x', 'Expect: the-moon')
    expect(problem).toMatchObject({ code: 'invalid_request', field: 'expect' })
  })

  it('whose body is coded twice is not taken for what the coding makes of it', async () => {
    const { problem } = await refused(400, 'POST /relocate HTTP/1.1', 'Host: x', 'Transfer-Encoding: gzip, chunked', '', '0')
    expect(problem).toMatchObject({ code: 'invalid_request', field: 'transfer-encoding' })
  })

  it('that takes the service for a proxy is refused', async () => {
    const { headers } = await refused(405, 'CONNECT example.com:443 HTTP/1.1', 'Host: example.com:443')
    expect(headers).toContain('allow: ')
  })
})

describe('a caller that asks before it sends a body', () => {
  /** Sends the headers, and the body only after 100; gives back the statuses that came. */
  async function statuses (body: string, lines: readonly string[], url = http.url) {
    const { hostname, port } = new URL(url)
    const text = await new Promise<string>((resolve, reject) => {
      let answer = ''
      let isSent = false
      const socket = connect(Number(port), hostname, () => {
        socket.write([...lines, 'Host: x', 'Expect: 100-continue', 'Connection: close', '', ''].join('\r\n'))
      })
      socket.setEncoding('latin1')
        .on('data', (chunk: string) => {
          answer += chunk
          if (isSent || !answer.includes('HTTP/1.1 100 Continue')) return
          isSent = true
          socket.write(body, 'latin1')
        })
        .on('end', () => { resolve(answer) })
        .on('error', reject)
    })
    return [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status))
  }

  const POST_FORM = ['POST /relocate HTTP/1.1', 'Content-Type: multipart/form-data; boundary=b']
  const put = (object: Buffer): string => `PUT /objects/${sha256(object)} HTTP/1.1`

  it('is told to go on where it is going to be read', async () => {
    const object = Buffer.from('\x7fELF and something else', 'latin1')
    expect(await statuses(object.toString('latin1'), [put(object), 'Content-Type: application/x-elf', `Content-Length: ${object.length}`]))
      .toEqual([100, 201])
    const form = '--b\r\ncontent-disposition: form-data; name="nothing"\r\n\r\n\r\n--b--\r\n'
    expect(await statuses(form, [...POST_FORM, `Content-Length: ${form.length}`])).toEqual([100, 400])
  })

  it.each([
    ['too large', 413, [put(OBJECT), 'Content-Type: application/x-elf', 'Content-Length: 100000000000']],
    ['of a type that is not taken', 415, [put(OBJECT), 'Content-Type: text/plain', 'Content-Length: 5']],
    ['a form that is too large', 413, [...POST_FORM, 'Content-Length: 100000000000']],
    ['of an expectation that nobody meets', 400, [put(OBJECT), 'Expect: the-moon', 'Content-Length: 5']]
  ])('is refused at once where the body is %s', async (_name, status, lines) => {
    expect(await statuses('', lines)).toEqual([status])
  })

  it('is refused at once where it has no token', async () => {
    const tokensFile = join(await temporaryFolder(), 'tokens')
    await writeFile(tokensFile, `ci ${sha256('secret')} relocate\n`)
    const { url } = await startApp({ auth: 'token', tokensFile })
    expect(await statuses('', [put(OBJECT), 'Content-Type: application/x-elf', 'Content-Length: 5'], url)).toEqual([401])
  })
})

describe('a compressed body', () => {
  it.each(['gzip', 'br', 'zstd'])('in %s is answered with 415, and with what is taken', async coding => {
    const response = await http.request(`/objects/${sha256(OBJECT)}`, {
      method: 'PUT', body: OBJECT, headers: { 'content-type': 'application/x-elf', 'content-encoding': coding }
    })
    expect(await problemOf(response)).toMatchObject({ status: 415, code: 'unsupported_media_type' })
    expect(response.headers.get('accept-encoding')).toBe('identity')
  })

  it('is none where the coding is identity', async () => {
    const response = await http.request(`/objects/${sha256(OBJECT)}`, {
      method: 'PUT', body: OBJECT, headers: { 'content-type': 'application/x-elf', 'content-encoding': 'identity' }
    })
    expect(response.status).toBe(201)
  })
})

describe('OPTIONS', () => {
  it('says which methods an address answers', async () => {
    const response = await http.request(`/objects/${sha256(OBJECT)}`, { method: 'OPTIONS' })
    expect([response.status, response.headers.get('allow')]).toEqual([204, 'HEAD, PUT'])
    expect(response.headers.get('x-request-id')).not.toBeNull()
  })

  it('of * says which methods the service answers', async () => {
    const { status, headers } = await ask('OPTIONS * HTTP/1.1', 'Host: x')
    expect(status).toBe(204)
    expect(headers.find(line => line.startsWith('allow: '))).toMatch(/get.*post.*put|post.*get.*put/)
  })

  it('of an address where nothing is is 404', async () => {
    expect((await http.request('/nothing', { method: 'OPTIONS' })).status).toBe(404)
  })
})

describe('what is wrong with an address is said in plain words', () => {
  it.each([
    [`/kernels/a/1/x86_64/${'d'.repeat(3000)}`, 'A part of the address is longer than 256 characters.'],
    ['/objects/%zz', 'The address has a % that two hex digits do not follow, or bytes that are not UTF-8.'],
    ['/kernels?limit=0', 'The query parameter limit must be 1 or more.'],
    ['/kernels?limit=1001', 'The query parameter limit must be 1000 or less.'],
    ['/kernels?limit=many', 'The query parameter limit must be a whole number.']
  ])('%.30s', async (path, detail) => {
    expect(await problemOf(await http.request(path))).toMatchObject({ status: 400, code: 'invalid_request', detail })
  })
})
