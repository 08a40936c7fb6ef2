import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Metrics } from './metrics.js'
import { isUsable, type ObjectStatus } from './status.js'

/** The agent's own little server: `/livez`, `/readyz`, `/metrics`. */
export interface Health {
  readonly port: number
  close(): Promise<void>
}

export interface HealthOptions {
  readonly host: string
  readonly port: number
  readonly metrics: Metrics
  /** Undefined until every object was looked at once. */
  readonly statuses: () => ReadonlyMap<string, ObjectStatus> | undefined
}

const MAX_CONNECTIONS = 64
const TIMEOUT_MS = 10_000

/**
 * Ready: every object has a good result for this kernel, so that what waits for the agent can start. An outage of the service does not
 * change that.
 */
export async function startHealth ({ host, port, metrics, statuses }: HealthOptions): Promise<Health> {
  const answer = async (path: string, response: ServerResponse): Promise<void> => {
    switch (path) {
      case '/livez': return json(response, 200, { status: 'live' })
      case '/readyz': {
        const known = statuses()
        const lacking = [...known ?? []].filter(([, status]) => !isUsable(status))
        if (known !== undefined && lacking.length === 0) return json(response, 200, { status: 'ready' })
        const objects = lacking.map(([object, { failure }]) => ({ object, reason: failure?.message ?? 'not settled yet' }))
        return json(response, 503, { status: known === undefined ? 'starting' : 'not_ready', objects })
      }
      case '/metrics': {
        const { type, text } = await metrics.render()
        response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(text)
        return
      }
      default: return json(response, 404, { status: 'not_found', available: ['/livez', '/readyz', '/metrics'] })
    }
  }
  const timeouts = { requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS }
  const server = createServer(timeouts, (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      json(response, 405, { status: 'method_not_allowed' }, { allow: 'GET, HEAD' })
      return
    }
    answer((request.url ?? '').split('?', 1)[0] ?? '', response).catch(() => { response.destroy() })
  })
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    async close () {
      server.closeAllConnections()
      await new Promise(resolve => { server.close(resolve) })
    }
  }
}

function json (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers }).end(JSON.stringify(body))
}
