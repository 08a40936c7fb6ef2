import { lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { rootCertificates } from 'node:tls'
import { Agent, buildConnector, type Dispatcher } from 'undici'
import type { FetchLimits } from './limits.js'
import { isPublicAddress } from './public-address.js'

/** The connections to origins: those that the operator named, wherever they are, and any others, in the public Internet only. */
export interface Agents {
  readonly configured: Dispatcher
  readonly elsewhere: Dispatcher
  close(): Promise<void>
}

/** A name or number that leads to where a redirect must not. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
  readonly code = 'CORELO_ADDRESS_REFUSED'

  constructor (address: string) { super(`${address} is not a public address`) }
}

/** A certificate that the client shows, and an authority beside the system's own. PEM. */
export interface ClientTls {
  readonly cert?: string
  readonly key?: string
  readonly ca?: string
}

export function createAgents (limits: FetchLimits, tls: ClientTls = {}): Agents {
  const options = { connections: limits.connections, headersTimeout: limits.headersMs, bodyTimeout: limits.stallMs }
  const connect = buildConnector({ timeout: limits.connectMs, ...tls, ...(tls.ca === undefined ? {} : { ca: [...rootCertificates, tls.ca] }) })
  const configured = new Agent({ ...options, connect })
  const elsewhere = new Agent({ ...options, connect: publicOnly(buildConnector({ timeout: limits.connectMs, lookup: lookupPublic })) })
  return {
    configured,
    elsewhere,
    async close () { await Promise.all([configured.destroy(), elsewhere.destroy()]) }
  }
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
