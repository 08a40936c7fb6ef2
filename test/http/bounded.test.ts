import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import fastify from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connectionsPlugin, connectionsWithin } from '../../src/http/plugins/connections.js'
import { createPressure, underPressurePlugin } from '../../src/http/plugins/under-pressure.js'
import { temporaryFolder } from '../unit/service/lab.js'
import { problemOf, startApp } from './harness.js'

const CHUNKS = '1\r\na\r\n'.repeat(1000)

/** A connection on which a request begins that never ends. `seen` is what was answered when it was closed. */
function sendWithoutEnd (url: string, head: string): { socket: Socket, closed: Promise<string> } {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let seen = ''
  const send = (): void => { while (!socket.destroyed && socket.write(CHUNKS)); }
  socket.setEncoding('latin1').on('data', (text: string) => { seen += text }).on('drain', send).on('error', () => {})
  socket.write(head)
  send()
  return { socket, closed: once(socket, 'close').then(() => seen) }
}

describe('an upload that is refused', () => {
  it.each([
    ['that is longer than the address takes', 'PUT /nowhere', 413],
    ['of a type that is not taken', `PUT /objects/sha256:${'a'.repeat(64)}`, 415]
  ])('%s is answered, and its connection closed though the caller goes on sending', async (_name, line, status) => {
    const { url } = await startApp()
    const { closed } = sendWithoutEnd(url, `${line} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n`)
    const answer = await closed
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toMatch(/^connection: close\r$/m)
  })

  it('because nobody knows who sends it is answered, and its connection closed though the caller goes on sending', async () => {
    const tokensFile = join(await temporaryFolder(), 'tokens')
    await writeFile(tokensFile, `somebody sha256:${'0'.repeat(64)} relocate\n`)
    const { url } = await startApp({ auth: 'token', tokensFile })
    const { closed } = sendWithoutEnd(
      url, 'POST /relocate?kernel_release=6.1 HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-elf\r\ntransfer-encoding: chunked\r\n\r\n'
    )
    const answer = await closed
    expect(answer).toMatch(/^HTTP\/1.1 401 /)
    expect(answer).toMatch(/^connection: close\r$/m)
  })

  it('leaves the connection open where there is no upload', async () => {
    const { url } = await startApp()
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    for (let i = 0; i < 2; i++) {
      socket.write('GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n')
      const [answer] = await once(socket, 'data') as [Buffer]
      expect(answer.toString()).toMatch(/^HTTP\/1.1 404 /)
      expect(answer.toString()).not.toMatch(/^connection: close/m)
    }
    socket.destroy()
  })
})

describe('connections', () => {
  const listen = async (max: number) => {
    const app = fastify()
    await app.register(connectionsPlugin, { max })
    app.get('/', async () => 'here')
    onTestFinished(() => app.close())
    const port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port)
    return {
      app,
      open: async () => {
        const socket = connect(port, '127.0.0.1').on('error', () => {})
        onTestFinished(() => { socket.destroy() })
        await once(socket, 'connect')
        return socket
      }
    }
  }
  const ask = async (socket: Socket): Promise<string> => {
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    const [answer] = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [Buffer.from('closed')])]) as [Buffer]
    return answer.toString().slice(0, 15)
  }

  it('that are too many from one address are closed, and the others go on', async () => {
    const { open } = await listen(8)
    const first = await open()
    for (let i = 0; i < 20; i++) await open()
    expect(await ask(first)).toBe('HTTP/1.1 200 OK')
    expect(await ask(await open())).toBe('closed')
  })

  it('on which nothing is asked make room for others', async () => {
    const { open } = await listen(8)
    const idle = []
    for (let i = 0; i < 5; i++) {
      const socket = await open()
      await ask(socket)
      idle.push(once(socket, 'close'))
    }
    expect(await ask(await open())).toBe('HTTP/1.1 200 OK')
    await Promise.all(idle)
  })

  it('take half of the files that may be open, within bounds', () => {
    expect([64, 1024, 1_048_576, 10].map(connectionsWithin)).toEqual([32, 512, 16_384, 16])
  })
})

describe('the time that a connection may be silent', () => {
  it('is longer than the work of a request may take', async () => {
    const { app } = await startApp({ deadlineMs: 600_000 })
    expect(app.server.timeout).toBeGreaterThan(600_000)
  })
})

describe('a plus in a query', () => {
  it('is a plus', async () => {
    const http = await startApp()
    const response = await http.request(
      '/relocate?kernel_release=6.12.107+deb13-amd64',
      { method: 'POST', body: Buffer.from('\x7fELF', 'latin1'), headers: { 'content-type': 'application/x-elf' } }
    )
    expect(response.status).toBe(200)
    expect(http.service.requests[0]?.kernel).toMatchObject({ release: '6.12.107+deb13-amd64' })
    expect((await http.request('/kernels?release=6.12.107+deb13-amd64')).status).toBe(200)
  })

  it('does not make a parameter that is given twice pass for one', async () => {
    const http = await startApp()
    const response = await http.request('/kernels?release=a+b&release=c')
    expect(await problemOf(response)).toMatchObject({ status: 400, field: 'release' })
  })
})

describe('an event loop that is late', () => {
  it('has requests refused until it is in time again', async () => {
    const app = fastify()
    await app.register(underPressurePlugin, { pressure: createPressure(200) })
    app.get('/', async () => 'here')
    onTestFinished(() => app.close())
    await app.ready()
    const block = (): void => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500) }
    await expect.poll(async () => { block(); return (await app.inject('/')).statusCode }, { interval: 1 }).toBe(503)
    await expect.poll(async () => (await app.inject('/')).statusCode).toBe(200)
  })
})
