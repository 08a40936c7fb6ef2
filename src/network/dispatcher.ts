import { createSecureContext, type SecureContext } from 'node:tls'
import { Agent, buildConnector, EnvHttpProxyAgent, Pool, type Dispatcher } from 'undici'
import { proxyRefused, proxyUnreachable } from './failure.js'
import { nodeAuthorities, type Network } from './network.js'

/** A certificate that the client shows, and an authority beside those that are believed anyway. PEM. */
export interface ClientTls {
  readonly cert?: string
  readonly key?: string
  readonly ca?: string
}

export interface DispatcherOptions {
  /** Longest time that a connection may take, in milliseconds. */
  readonly connectMs: number
  readonly connections?: number
  readonly headersTimeout?: number
  readonly bodyTimeout?: number
  readonly tls?: ClientTls
  /** Makes what connects without a proxy. Undefined: undici's own. */
  readonly direct?: (options: buildConnector.BuildOptions) => buildConnector.connector
}

/**
 * What sends requests over this network. `http:` goes to a proxy as a request with the whole address, since many proxies let
 * CONNECT through to port 443 only; `https:` goes through a tunnel, so that the proxy sees the host and nothing else.
 */
export function createDispatcher (network: Network, { connectMs, tls, direct = buildConnector, ...limits }: DispatcherOptions): Dispatcher {
  const build = { timeout: connectMs, ...secured(network, tls) }
  const connect = direct(build)
  const { httpProxy, httpsProxy, noProxy = '' } = network
  if (httpProxy === undefined && httpsProxy === undefined) return new Agent({ ...limits, connect })
  const toProxy = { timeout: connectMs, ...secured(network) } // a client's certificate is for the other end
  const proxies = new Map([httpProxy, httpsProxy].flatMap(proxy => proxy === undefined ? [] : [[new URL(proxy).href, proxy] as const]))
  return new EnvHttpProxyAgent({
    ...limits,
    // Undefined would make it look into the environment.
    httpProxy: httpProxy ?? '',
    httpsProxy: httpsProxy ?? '',
    noProxy,
    connect,
    requestTls: build,
    proxyTls: toProxy,
    proxyTunnel: false,
    clientFactory: (proxy, options) => createTunnels(proxy, { ...limits, ...options }),
    factory (origin, options) {
      const proxy = proxies.get(new URL(origin).href)
      return new Pool(origin, {
        ...limits,
        ...options,
        ...(proxy === undefined ? {} : { connect: naming(proxy, buildConnector(toProxy)) })
      })
    }
  })
}

/** Connections to a proxy that are made into tunnels. What goes wrong there is the proxy's fault, and says so. */
function createTunnels (proxy: URL, options: Pool.Options): Dispatcher {
  const pool = new Pool(proxy, options)
  const connect = pool.connect.bind(pool)
  pool.connect = async (request: Parameters<typeof connect>[0]): Promise<Dispatcher.ConnectData> => {
    const answer = await connect(request).catch((error: unknown) => { throw proxyUnreachable(proxy.href, error) })
    if (answer.statusCode === 200) return answer
    answer.socket.on('error', () => {}).destroy()
    throw proxyRefused(proxy.href, answer.statusCode)
  }
  return pool
}

function naming (proxy: string, connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    connect(options, (...[error, socket]) => {
      if (error === null) callback(null, socket)
      else callback(proxyUnreachable(proxy, error), null)
    })
  }
}

/** One context for all connections: reading some 150 authorities for each would take longer than its handshake. */
function secured ({ authorities }: Network, { ca, ...own }: ClientTls = {}): buildConnector.BuildOptions {
  if (ca === undefined && own.cert === undefined) return authorities === undefined ? {} : { secureContext: believing(authorities) }
  const believed = ca === undefined ? authorities : [...authorities ?? nodeAuthorities(), ca]
  return { secureContext: createSecureContext({ ...own, ...(believed === undefined ? {} : { ca: [...believed] }) }) }
}

/** All that is sent over a network shares a context, as long as nothing of its own is shown or believed. */
function believing (authorities: NonNullable<Network['authorities']>): SecureContext {
  const held = contexts.get(authorities)
  if (held !== undefined) return held
  const made = createSecureContext({ ca: [...authorities] })
  contexts.set(authorities, made)
  return made
}

const contexts = new WeakMap<NonNullable<Network['authorities']>, SecureContext>()
