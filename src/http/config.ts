import { isIP } from 'node:net'
import type { Network } from '../network/network.js'
import { readNetwork } from '../settings/network-settings.js'
import { invalidSetting, readSettings, type Environment, type ReadOption } from '../settings/read.js'
import type { ServiceSettings } from '../settings/service-options.js'
import { SERVICE_SETTINGS, type ServiceValues } from '../settings/service-settings.js'
import { readS3Settings, type S3Settings } from '../store/shared/s3-settings.js'

/** The settings of the service, checked one by one and against each other. */
export interface Config extends Omit<ServiceValues, 'auth' | 'sharedStore'> {
  readonly auth: NonNullable<ServiceValues['auth']>
  /** What replicas share: the place that the setting names, and what the AWS variables say. */
  readonly sharedStore?: S3Settings
  /** Proxies, and authorities that are believed. */
  readonly network: Network
}

/**
 * The configuration that the environment and the command line ask for.
 *
 * @throws AppError `invalid_request` whose sentence names the setting at fault
 */
export function readConfig (env: Environment = process.env, readOption?: ReadOption): Config {
  const { auth, sharedStore, ...values } = readSettings(SERVICE_SETTINGS, env, readOption)
  requireAuth(values.host, auth)
  requireSecret(values)
  requireListing(values)
  return {
    ...values,
    auth: auth ?? 'none',
    network: readNetwork(env),
    ...(sharedStore === undefined ? {} : { sharedStore: readS3Settings(sharedStore, env) })
  }
}

/** The operator decides who may call a service that others can reach. */
function requireAuth (host: string, auth: ServiceValues['auth']): void {
  if (auth !== undefined || isLoopback(host)) return
  throw invalidSetting(SERVICE_SETTINGS.auth,
    `CORELO_HOST=${host} can be reached by others; say with CORELO_AUTH who may call ` +
    '(token or jwt, or none to serve everyone), or listen on 127.0.0.1.')
}

/** Events are signed. */
function requireSecret ({ webhookUrl, webhookSecretFile }: Pick<ServiceValues, 'webhookUrl' | 'webhookSecretFile'>): void {
  if (webhookUrl === undefined || webhookSecretFile !== undefined) return
  throw invalidSetting(SERVICE_SETTINGS.webhookSecretFile,
    'CORELO_WEBHOOK needs CORELO_WEBHOOK_SECRET_FILE: the receiver tells by the signature that this service sent the event.')
}

/** New kernels are noticed in what sources list. */
function requireListing ({ watch, webhookUrl, packages, catalog, btfhubDir }: Omit<ServiceValues, 'auth' | 'sharedStore'>): void {
  const needing = watch.length > 0 ? SERVICE_SETTINGS.watch : webhookUrl !== undefined ? SERVICE_SETTINGS.webhookUrl : undefined
  if (needing === undefined || packages.length > 0 || catalog !== undefined || btfhubDir !== undefined) return
  throw invalidSetting(needing,
    `${needing.env} has nothing to watch: no source lists its kernels. Set CORELO_PACKAGES, CORELO_CATALOG or CORELO_BTFHUB_DIR.`)
}

function isLoopback (host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** What the service is made with. */
export function toServiceSettings (config: Config): ServiceSettings { return { ...config, ...watchingOf(config) } }

function watchingOf ({ watch, watchNewest, webhookUrl, webhookSecretFile }: Config): Pick<ServiceSettings, 'watching'> {
  if (watch.length === 0 && webhookUrl === undefined) return {}
  const webhook = webhookUrl === undefined || webhookSecretFile === undefined
    ? {}
    : { webhook: { url: webhookUrl, secretFile: webhookSecretFile } }
  return { watching: { patterns: watch, newest: watchNewest, ...webhook } }
}
