import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'

/** Part of the files that a process may open which connections take. The rest is for content, sources and threads. */
const FILES_SHARE = 1 / 2
/** Where the system does not say how many files may be open: the least that common systems allow. */
const USUAL_FILES = 1024
/** More are never taken: each costs memory, some 20 KiB. */
const MAX_CONNECTIONS = 16_384
const MIN_CONNECTIONS = 16
/** Part of the connections that one address may have. A proxy in front of the service is one address, and must not be starved. */
const ADDRESS_SHARE = 3 / 4
/** From this part on, connections on which no request is under way are closed to make room. */
const FULL_SHARE = 7 / 8
const MIN_SWEEP_INTERVAL_MS = 100

export interface ConnectionsOptions {
  /** Most connections at a time. Undefined: what the limit of open files leaves room for. */
  readonly max?: number | undefined
}

/**
 * Bounds the connections, so that idle ones cannot use up the files that the process may open. The one too many is closed at
 * once. Those that send nothing are closed by the server's time for headers.
 */
export const connectionsPlugin = fp<ConnectionsOptions>(async (app, { max = connectionsWithin(maxOpenFiles()) }) => {
  const { server } = app
  server.maxConnections = max
  const byAddress = new Map<string, number>()
  const most = Math.max(1, Math.floor(max * ADDRESS_SHARE))
  let open = 0
  let sweptAt = 0

  const onConnection = (socket: Socket): void => {
    const address = socket.remoteAddress ?? ''
    const held = (byAddress.get(address) ?? 0) + 1
    if (held > most) {
      socket.destroy()
      return
    }
    open++
    keepTimeout(socket)
    byAddress.set(address, held)
    socket.once('close', () => {
      open--
      const left = (byAddress.get(address) ?? 1) - 1
      if (left === 0) byAddress.delete(address)
      else byAddress.set(address, left)
    })
    if (open >= Math.min(max, most) * FULL_SHARE) sweep()
  }
  const sweep = (): void => {
    const now = performance.now()
    if (now - sweptAt < MIN_SWEEP_INTERVAL_MS) return
    sweptAt = now
    server.closeIdleConnections()
  }
  server.on('connection', onConnection)
  server.on('drop', sweep)
}, { name: 'corelo-connections' })

/**
 * Leaves a connection the time that it has now, for silence of any kind. Node sets it anew when a request begins and when it ends, which
 * costs a twentieth of a small answer.
 */
function keepTimeout (socket: Socket): void { socket.setTimeout = () => socket }

export function connectionsWithin (files: number): number {
  return Math.min(MAX_CONNECTIONS, Math.max(MIN_CONNECTIONS, Math.floor(files * FILES_SHARE)))
}

/** How many files this process may have open. Node raises the soft limit to the hard one when it starts. */
function maxOpenFiles (): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? USUAL_FILES : Number(soft)
  } catch {
    return USUAL_FILES // no Linux
  }
}
