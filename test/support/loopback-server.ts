import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { onTestFinished } from 'vitest'

export interface LoopbackServer {
  readonly url: string
  /** Stops listening, where it does, and cuts all connections; and listens again at the same address. */
  stop (): Promise<void>
  start (): Promise<void>
}

/** Ports that systems give to nobody who asks for any, so that nobody has one when its server starts again. */
const PORTS = [10_240, 32_768] as const
/** Ports that are tried, of which others may have some. */
const TRIES = 20

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
  }
  const startFirst = async (left: number): Promise<void> => {
    port = randomInt(...PORTS)
    try {
      await start()
    } catch (error) {
      if (left === 0) throw error
      await startFirst(left - 1)
    }
  }
  const stop = async (): Promise<void> => {
    if (!http.listening) return
    http.closeAllConnections()
    http.close()
    await once(http, 'close')
  }
  await startFirst(TRIES)
  return { url: `http://127.0.0.1:${port}`, start, stop }
}
