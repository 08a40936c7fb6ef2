import { shownProxy } from './network.js'

/** A proxy could not be reached, or did not do what it was asked. */
export class ProxyFailed extends Error {
  override readonly name = 'ProxyFailed'
  readonly code = 'CORELO_PROXY_FAILED'

  constructor (message: string, cause?: unknown) { super(message, { cause }) }
}

/** Errors of a certificate chain that does not end in an authority that is believed. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_UNTRUSTED',
  'INVALID_CA'
])

/** What OpenSSL makes of an answer in plain HTTP; versions of Node differ. */
const NO_TLS: ReadonlySet<string> = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'])

/** What a connection to a proxy failed with. */
export function proxyUnreachable (proxy: string, error: unknown): ProxyFailed {
  const reason = tlsFailure(error) ?? (codeOf(error) || String(error))
  return new ProxyFailed(`the proxy ${shownProxy(proxy)} cannot be reached (${reason})`, error)
}

/** What a proxy answered in the place of connecting. */
export function proxyRefused (proxy: string, status: number): ProxyFailed {
  return new ProxyFailed(status === 407
    ? `the proxy ${shownProxy(proxy)} asks for a user and a password (407), which its address in HTTPS_PROXY or HTTP_PROXY has to have`
    : `the proxy ${shownProxy(proxy)} did not connect to it (${status})`)
}

/**
 * One clause on a failure that the way to the other end is to blame for, and that somebody can put right: a proxy, a certificate that
 * is not believed, or an end without TLS. Undefined for every other one.
 */
export function wayFailure (error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at instanceof ProxyFailed) return at.message
    if (codeOf(at) === 'UND_ERR_INVALID_ARG' && at.message.includes('(407)')) {
      return 'the proxy in HTTP_PROXY asks for a user and a password (407), which its address there has to have'
    }
    const tls = tlsFailure(at)
    if (tls !== undefined) return tls
  }
  return undefined
}

function tlsFailure (error: unknown): string | undefined {
  const code = codeOf(error)
  if (UNKNOWN_AUTHORITY.has(code)) {
    return `its certificate is not by an authority that is believed here (${code}); ` +
      'set CORELO_CA_FILE or NODE_EXTRA_CA_CERTS to a PEM file with the certificate of that authority'
  }
  if (code === 'CERT_HAS_EXPIRED') return `its certificate has expired (${code})`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `its certificate is for another name (${code})`
  if (NO_TLS.has(code)) return `it does not speak TLS (${code}); its address may be one of http://`
  return undefined
}

function codeOf (error: unknown): string { return error instanceof Error && 'code' in error ? String(error.code) : '' }
