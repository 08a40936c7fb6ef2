import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface LoopbackServer {
  readonly url: string
  /** Stops listening, where it does, and cuts all connections; and listens again at the same address. */
  stop (): Promise<void>
  start (): Promise<void>
}

/** Listens on a port of its own until the test is over. */
export async function startLoopbackServer (answer: RequestListener): Promise<LoopbackServer> {
  const server = await openLoopbackServer(answer)
  onTestFinished(server.stop)
  return server
}

/** The same until it is stopped: for several tests. */
export async function openLoopbackServer (answer: RequestListener): Promise<LoopbackServer> {
  const http = createServer(answer)
  let port = 0
  const start = async (): Promise<void> => {
    http.listen(port, '127.0.0.1')
    await once(http, 'listening')
    port = (http.address() as AddressInfo).port
  }
  const stop = async (): Promise<void> => {
    if (!http.listening) return
    http.closeAllConnections()
    http.close()
    await once(http, 'close')
  }
  await start()
  return { url: `http://127.0.0.1:${port}`, start, stop }
}
