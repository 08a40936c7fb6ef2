import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as tls from 'node:tls'
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

/** A proxy's address as it may be shown: without the user and the password that it may have. */
export function shownProxy (proxy: string): string {
  const { protocol, host } = new URL(proxy)
  return `${protocol}//${host}`
}

/**
 * The authorities that Node believes by itself. A connection that is given others needs these too, because its list replaces Node's:
 * Kubernetes' API server is believed by NODE_EXTRA_CA_CERTS.
 *
 * @throws AppError `invalid_request` where NODE_EXTRA_CA_CERTS is no such file
 */
export function nodeAuthorities (env: Readonly<Record<string, string | undefined>> = process.env): string[] {
  const extra = env['NODE_EXTRA_CA_CERTS']
  return [...ownAuthorities(), ...(extra === undefined || extra === '' ? [] : readCertificates('NODE_EXTRA_CA_CERTS', extra))]
}

/** Node's list, and the system's where Node was told to believe that (--use-system-ca), which only its later versions tell. */
function ownAuthorities (): readonly string[] {
  const list: unknown = 'getCACertificates' in tls ? tls.getCACertificates : undefined
  return isLister(list) ? list('default') : tls.rootCertificates
}

function isLister (value: unknown): value is (type: 'default') => readonly string[] { return typeof value === 'function' }

/**
 * The certificates of a PEM file.
 *
 * @param name the setting that names the file
 * @throws AppError `invalid_request` whose sentence names the setting
 */
export function readCertificates (name: string, path: string): string[] {
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
