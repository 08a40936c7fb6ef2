import { lookup } from 'node:dns'
import { lookup as lookupAll } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildConnector, type Dispatcher } from 'undici'
import { createDispatcher, type ClientTls } from '../network/dispatcher.js'
import type { Network } from '../network/network.js'
import type { FetchLimits } from './limits.js'
import { isPublicAddress } from './public-address.js'

/** The connections to origins: those that the operator named, wherever they are, and any others, in the public Internet only. */
export interface Agents {
  readonly configured: Dispatcher
  readonly elsewhere: Dispatcher
  /**
   * To be asked before `elsewhere` is: through a proxy, connecting there does not show the address.
   *
   * @throws AddressRefused
   */
  check(url: URL): Promise<void>
  close(): Promise<void>
}

/** A name or number that leads to where a redirect must not. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
  readonly code = 'CORELO_ADDRESS_REFUSED'

  constructor (address: string) { super(`${address} is not a public address`) }
}

export function createAgents (
  limits: FetchLimits,
  { network = {}, tls }: { readonly network?: Network | undefined, readonly tls?: ClientTls } = {}
): Agents {
  const options = {
    connections: limits.connections,
    headersTimeout: limits.headersMs,
    bodyTimeout: limits.stallMs,
    connectMs: limits.connectMs
  }
  const configured = createDispatcher(network, { ...options, ...(tls === undefined ? {} : { tls }) })
  const elsewhere = createDispatcher(network, {
    ...options,
    direct: build => publicOnly(buildConnector({ ...build, lookup: lookupPublic }))
  })
  const hasProxy = network.httpProxy !== undefined || network.httpsProxy !== undefined
  return {
    configured,
    elsewhere,
    async check ({ hostname }) { if (hasProxy) await requirePublicName(hostname, limits.connectMs) },
    async close () { await Promise.all([configured.destroy(), elsewhere.destroy()]) }
  }
}

/**
 * A proxy looks names up by itself, and does not say what it found. What this machine knows of the name still counts; where it
 * knows nothing, which is usual behind a proxy, only the proxy's own rules keep a redirect out of its network.
 *
 * @throws AddressRefused
 */
async function requirePublicName (hostname: string, timeoutMs: number): Promise<void> {
  const known = await Promise.race([
    lookupAll(hostname.replace(/^\[|\]$/g, ''), { all: true }).catch(() => []),
    sleep(timeoutMs, [], { ref: false })
  ])
  const refused = known.find(({ address }) => !isPublicAddress(address))
  if (refused !== undefined) throw new AddressRefused(`${hostname} (${refused.address})`)
}

/**
 * Checks what is dialled: a literal before the dial, because names alone are looked up; the names' addresses in the lookup; and
 * the peer that answered, before anything is said to it.
 */
function publicOnly (connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    const literal = options.hostname.replace(/^\[|\]$/g, '')
    if (isIP(literal) !== 0 && !isPublicAddress(literal)) {
      callback(new AddressRefused(literal), null)
      return
    }
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      const peer = socket.remoteAddress ?? 'a peer without an address'
      if (isPublicAddress(peer)) {
        callback(null, socket)
        return
      }
      socket.destroy()
      callback(new AddressRefused(peer), null)
    })
  }
}

const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, found) => {
    const addresses = error === null ? found : []
    const refused = addresses.find(({ address }) => !isPublicAddress(address))
    const [first] = addresses
    if (error !== null) callback(error, '')
    else if (refused !== undefined) callback(new AddressRefused(`${hostname} (${refused.address})`), '')
    else if (options.all === true || first === undefined) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}
