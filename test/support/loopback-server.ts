import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface LoopbackServer {
  readonly url: string
  /** Stops listening and cuts all connections; and listens again at the same address. */
  stop (): Promise<void>
  start (): Promise<void>
}

/** Listens on a port of its own until the test is over. */
export async function startLoopbackServer (answer: RequestListener): Promise<LoopbackServer> {
  const http = createServer(answer)
  let port = 0
  const start = async (): Promise<void> => {
    http.listen(port, '127.0.0.1')
    await once(http, 'listening')
    port = (http.address() as AddressInfo).port
  }
  const stop = async (): Promise<void> => {
    http.closeAllConnections()
    http.close()
    await once(http, 'close')
  }
  await start()
  onTestFinished(async () => { if (http.listening) await stop() })
  return { url: `http://127.0.0.1:${port}`, start, stop }
}
