import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, beforeAll } from 'vitest'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLoopbackServer, startLoopbackServer, type LoopbackServer } from '../support/loopback-server.js'
import { COMPILE_LATER } from '../support/compile-later.js'
import { spawnService, TEST_SETTINGS, type ServiceProcess, type Settings } from '../../scripts/service.mjs'

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

const NOTHING: Origin['answer'] = (_request, response) => response.writeHead(404).end()

/** Listens on a port of its own until the test is over. */
export async function startOrigin (answer = NOTHING): Promise<Origin> { return (await listenAs(startLoopbackServer, answer)).origin }

async function listenAs (listen: typeof startLoopbackServer, answer: Origin['answer']): Promise<{
  readonly origin: Origin
  readonly server: LoopbackServer
}> {
  const server = await listen((request, response) => {
    origin.asked.push(request.url ?? '')
    origin.headers.push(request.headers)
    response.on('error', () => {})
    origin.answer(request, response)
  })
  const origin: Origin = { url: server.url, asked: [], headers: [], answer }
  return { origin, server }
}

/** What the tests of a group have together. */
export interface Shared {
  /** The only archive of the service. Each test gives it its answer, and asks for kernels of its own. */
  readonly origin: Origin
  readonly service: ServiceProcess
}

/**
 * One service in a process of its own for all tests of a group, with an origin that is its archive: a start costs more than most of what
 * is asked of it. To be called once in the group; what it gives is there once the first test runs.
 */
export function shareProcess (settings: Settings = {}): () => Shared {
  let shared: Shared & { readonly server: LoopbackServer, readonly folder: string } | undefined
  beforeAll(async () => {
    const { origin, server } = await listenAs(openLoopbackServer, NOTHING)
    const folder = await mkdtemp(join(tmpdir(), 'corelo-process-'))
    const service = spawnService(
      { ...TEST_SETTINGS, CORELO_BTFHUB_URL: origin.url, CORELO_CACHE_DIR: folder, ...settings }, { execArgv: COMPILE_LATER }
    )
    shared = { origin, server, folder, service }
    await service.ready()
  })
  afterAll(async () => {
    await shared?.service.stop('SIGKILL')
    await shared?.server.stop()
    if (shared !== undefined) await rm(shared.folder, { recursive: true, force: true, maxRetries: 10 })
  })
  return () => {
    if (shared === undefined) throw new Error('the service starts before the first test')
    shared.origin.asked.length = 0
    return shared
  }
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
