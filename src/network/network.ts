import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { AppError } from '../errors.js'

/** How the network is reached: through which proxies, and by whose word the other end is believed. */
export interface Network {
  /** Proxies of `http:` and of `https:` addresses. Where only one of plain HTTP is given, it carries both. */
  readonly httpProxy?: string
  readonly httpsProxy?: string
  /** Hosts that are reached directly: names with all below them, with a port or without, separated by commas; `*` stands for all. */
  readonly noProxy?: string
  /** PEM certificates of all authorities that are believed. Undefined: those of Node, which reads NODE_EXTRA_CA_CERTS for itself. */
  readonly authorities?: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

/** A variable about the network, as the settings of the service and of the agent list it. */
export interface NetworkSetting {
  readonly env: string
  readonly defaultText: string
  readonly meaning: string
}

export const NETWORK_SETTINGS = {
  httpsProxy: {
    env: 'HTTPS_PROXY',
    defaultText: 'none',
    meaning: 'Proxy for https addresses, such as http://proxy.example:3128. ' +
      'If the lower-case name is set too, it wins; the same holds for the next two.'
  },
  httpProxy: {
    env: 'HTTP_PROXY',
    defaultText: 'none',
    meaning: 'Proxy for http addresses, and for https addresses if HTTPS_PROXY is not set.'
  },
  noProxy: {
    env: 'NO_PROXY',
    defaultText: 'none',
    meaning: 'Hosts to reach without a proxy, separated by commas: names (with all names below them) and addresses, ' +
      'with or without a port. *: all hosts.'
  },
  caFile: {
    env: 'CORELO_CA_FILE',
    defaultText: 'none',
    meaning: "File of certificates (PEM) of authorities to trust, such as a company's own, " +
      "besides Node's and those of NODE_EXTRA_CA_CERTS."
  }
} as const satisfies Readonly<Record<string, NetworkSetting>>

/** A request by `fetch`, with what the platform's and undici's have in common. */
export interface FetchInit {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: FormData | Uint8Array
  readonly signal?: AbortSignal
  readonly redirect?: 'error' | 'follow' | 'manual'
}

export type Fetch = (url: string, init: FetchInit) => Promise<Response>

/** Whether the platform makes such connections by itself. */
export function isPlain ({ httpProxy, httpsProxy, authorities }: Network): boolean {
  return httpProxy === undefined && httpsProxy === undefined && authorities === undefined
}

/**
 * What the usual variables and CORELO_CA_FILE say. The file is read here, once.
 *
 * @throws AppError `invalid_request` whose sentence names the variable at fault
 */
export function readNetwork (env: Environment): Network {
  const httpProxy = proxyOf(env, NETWORK_SETTINGS.httpProxy.env)
  const httpsProxy = proxyOf(env, NETWORK_SETTINGS.httpsProxy.env)
  const noProxy = given(env, NETWORK_SETTINGS.noProxy.env)
  const caFile = env[NETWORK_SETTINGS.caFile.env]
  return {
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    ...(noProxy === undefined ? {} : { noProxy }),
    ...(caFile === undefined || caFile === ''
      ? {}
      : { authorities: [...nodeAuthorities(env), ...certificatesIn(NETWORK_SETTINGS.caFile.env, caFile)] })
  }
}

/** A proxy's address as it may be shown: without the user and the password that it may have. */
export function shownProxy (proxy: string): string {
  const { protocol, host } = new URL(proxy)
  return `${protocol}//${host}`
}

/** As curl and others do: the lower-case name first. */
function given (env: Environment, name: string): string | undefined { return env[name.toLowerCase()] || env[name] || undefined }

function proxyOf (env: Environment, name: string): string | undefined {
  const value = given(env, name)
  if (value === undefined) return undefined
  const url = URL.canParse(value) ? new URL(value) : undefined
  // The value is not shown, since it may have a password in it.
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw wrong(name, `${name} must be the http or https address of a proxy, such as http://proxy.example:3128.`)
  }
  return value
}

/**
 * The authorities that Node believes by itself. Who gives a connection others has to give it these too, since the one list takes
 * the place of the other: Kubernetes' API server is believed by NODE_EXTRA_CA_CERTS.
 *
 * @throws AppError `invalid_request` where NODE_EXTRA_CA_CERTS is no such file
 */
export function nodeAuthorities (env: Environment = process.env): string[] {
  const extra = env['NODE_EXTRA_CA_CERTS']
  return [...rootCertificates, ...(extra === undefined || extra === '' ? [] : certificatesIn('NODE_EXTRA_CA_CERTS', extra))]
}

function certificatesIn (name: string, path: string): string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw wrong(name, `${name} names ${path}, which cannot be read: ${error instanceof Error ? error.message : String(error)}.`)
  }
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (certificates.length === 0 || !certificates.every(isCertificate)) {
    throw wrong(name, `${name} names ${path}, which has no certificates in PEM, or a broken one.`)
  }
  return certificates
}

function isCertificate (pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}

function wrong (setting: string, message: string): AppError { return new AppError('invalid_request', message, { setting }) }
