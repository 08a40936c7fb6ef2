import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A server in BTFHub's layout that does what a test wants of it. */
export interface Origin {
  readonly url: string
  /** Paths that were asked for, in order. */
  readonly asked: string[]
  /** Headers of the requests, in order. */
  readonly headers: Array<IncomingMessage['headers']>
  /** What it does from now on. */
  answer: (request: IncomingMessage, response: ServerResponse) => unknown
}

/** Listens on a port of its own until the test is over. */
export async function startOrigin (answer: Origin['answer'] = (_request, response) => response.writeHead(404).end()): Promise<Origin> {
  const server = createServer((request, response) => {
    origin.asked.push(request.url ?? '')
    origin.headers.push(request.headers)
    response.on('error', () => {})
    origin.answer(request, response)
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const origin: Origin = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: [], headers: [], answer }
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise(resolve => { server.close(resolve) })
  })
  return origin
}

/** Serves files by path, and 404 for others. With ETags, as GitHub and S3 do. */
export function serving (files: Readonly<Record<string, Uint8Array>>, etag = '"v1"'): Origin['answer'] {
  return (request, response) => {
    const bytes = files[decodeURIComponent(request.url ?? '')]
    if (bytes === undefined) return response.writeHead(404).end('404: Not Found')
    if (request.headers['if-none-match'] === etag) return response.writeHead(304, { etag }).end()
    return response.writeHead(200, { etag, 'content-length': bytes.length }).end(bytes)
  }
}
