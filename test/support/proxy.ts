import { once } from 'node:events'
import { createServer, request as forward } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Proxy {
  readonly url: string
  /** What it was asked, in order: `CONNECT host:port`, or `GET http://host:port/path`. */
  readonly requests: string[]
  /** `proxy-authorization` of those. */
  readonly credentials: Array<string | undefined>
  /** When set, its answer to everything. */
  refusal: number | undefined
}

/** A proxy on loopback until the test is over: it forwards what has a whole address, and makes tunnels. */
export async function startProxy (): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const server = createServer((incoming, response) => {
    note(`${incoming.method ?? ''} ${incoming.url ?? ''}`, incoming.headers['proxy-authorization'])
    if (proxy.refusal !== undefined) {
      response.writeHead(proxy.refusal).end()
      return
    }
    const onward = forward(incoming.url ?? '', { method: incoming.method, headers: incoming.headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => { response.writeHead(502).end() })
    incoming.pipe(onward)
  })
  server.on('connection', socket => { sockets.add(socket) })
  server.on('connect', (incoming, socket: Socket, head: Buffer) => {
    note(`CONNECT ${incoming.url ?? ''}`, incoming.headers['proxy-authorization'])
    socket.on('error', () => {})
    if (proxy.refusal !== undefined) {
      socket.end(`HTTP/1.1 ${proxy.refusal} Refused\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    const { hostname, port } = new URL(`http://${incoming.url ?? ''}`)
    const onward = connect(Number(port || 443), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.write(head)
      onward.pipe(socket).pipe(onward)
    })
    sockets.add(onward)
    onward.on('error', () => { socket.destroy() })
  })
  const note = (line: string, credentials: string | undefined): void => {
    proxy.requests.push(line)
    proxy.credentials.push(credentials)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests: [], credentials: [], refusal: undefined
  }
  onTestFinished(async () => {
    server.close()
    for (const socket of sockets) socket.destroy()
    await once(server, 'close')
  })
  return proxy
}
