import type { IncomingMessage, ServerResponse } from 'node:http'
import { startLoopbackServer } from '../support/loopback-server.js'

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
  const { url } = await startLoopbackServer((request, response) => {
    origin.asked.push(request.url ?? '')
    origin.headers.push(request.headers)
    response.on('error', () => {})
    origin.answer(request, response)
  })
  const origin: Origin = { url, asked: [], headers: [], answer }
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
