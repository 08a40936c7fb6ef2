import { isIP } from 'node:net'
import { availableParallelism, totalmem } from 'node:os'
import { envSchema } from 'env-schema'
import { AppError } from '../errors.js'
import { isPattern } from '../identity/pattern.js'
import { NETWORK_SETTINGS, readNetwork, type Network, type NetworkSetting } from '../network/network.js'
import { PUBLIC_ARCHIVE } from '../kernels/sources/public-archive.js'
import { isS3Location, readS3Settings, type S3Settings } from '../store/shared/s3-settings.js'

const MIB = 1024 * 1024

/** The settings of the service, read from the environment and checked. */
export interface Config {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly auth: 'none' | 'token' | 'jwt'
  readonly tokensFile?: string
  /** Address or file. */
  readonly jwksUrl?: string
  readonly jwksTokenFile?: string
  readonly jwtAudience?: string
  readonly jwtIssuer?: string
  readonly jwtScopes: string
  /** Requests a minute of one caller. 0: any number. */
  readonly rateLimit: number
  readonly cacheDir: string
  /** Budget of the content store on disk. */
  readonly cacheBytes: number
  /** Budget of the memory tier. */
  readonly memoryBytes: number
  readonly localKernel: boolean
  readonly trustUploads: boolean
  /** Listing of the archive: a file, or an address. */
  readonly catalog?: string
  /** Files of the keys that sign results, separated by commas. Undefined: the one in the cache folder. */
  readonly signingKeyFile?: string
  readonly maxObjectBytes: number
  /** Bound of one BTF, and of all BTF parts of one request together. */
  readonly maxBtfBytes: number
  readonly workers: number
  readonly deadlineMs: number
  readonly shutdownMs: number
  /** Mean delay of the event loop above which requests are refused. 0: none are. */
  readonly maxDelayMs: number
  readonly logLevel: string
  /** Where the file system of the host begins, for its os-release. Undefined: the service finds out. */
  readonly hostRoot?: string
  /** Roots of BTFHub's archive and its mirrors. */
  readonly btfhubUrls: readonly string[]
  readonly btfhubDir?: string
  /** Package repositories: names of presets, and files that describe them. */
  readonly packages: readonly string[]
  readonly packageDownloads: number
  /** The most milliseconds between two looks at what sources list. */
  readonly catalogMs: number
  /** Patterns of kernels. New ones are fetched ahead. */
  readonly watch: readonly string[]
  readonly watchNewest: number
  /** Who is told of new kernels, and the file of the secrets that sign it. */
  readonly webhookUrl?: string
  readonly webhookSecretFile?: string
  /** Another service of this kind. */
  readonly upstreamUrl?: string
  /** What replicas share: the place that the setting names, and what the AWS variables say. */
  readonly sharedStore?: S3Settings
  /** Proxies, and authorities that are believed. */
  readonly network: Network
}

/** One environment variable: what `corelo serve --help` and the README list, and what it is checked against. */
export interface Setting {
  readonly name: string
  readonly key: keyof Config
  /** The default as people read it. */
  readonly defaultText: string
  readonly meaning: string
  readonly schema: Readonly<Record<string, unknown>>
  /** What the value must be, to follow "must be". */
  readonly must: string
  /** What an empty value means. Elsewhere it is as if there were none. */
  readonly empty?: string
  /** Further checks of a text; false refuses it. */
  readonly accepts?: (value: string) => boolean
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

/** All settings, in the order in which they are listed. Defaults that depend on the machine are filled in by `readConfig`. */
export const SETTINGS: readonly Setting[] = [
  text('CORELO_HOST', 'host', '127.0.0.1', 'Address to listen on (0.0.0.0 in the image).'),
  integer('CORELO_PORT', 'port', 8080, 'Port to listen on; 0 takes any free one.', 0, 65_535),
  {
    name: 'CORELO_AUTH',
    key: 'auth',
    defaultText: 'none on loopback, required elsewhere',
    meaning: 'How callers authenticate. On any address but loopback it must be set, also to `none`.',
    schema: { type: 'string', enum: ['none', 'token', 'jwt'] },
    must: 'none, token or jwt'
  },
  text('CORELO_TOKENS_FILE', 'tokensFile', undefined,
    'With `token`: the callers, one per line: name, sha256:… of the token, scopes (`corelo keys token` makes a line). ' +
    'The service reads it again when it changes.',
    'none'),
  text('CORELO_JWKS_URL', 'jwksUrl', undefined, 'With `jwt`: address or file of the public keys of the issuer.', 'none'),
  text('CORELO_JWKS_TOKEN_FILE', 'jwksTokenFile', undefined,
    'File of the token to send to CORELO_JWKS_URL. The API server of Kubernetes needs one.',
    'none'),
  text('CORELO_JWT_AUDIENCE', 'jwtAudience', undefined, 'Audience that tokens must have.', 'none'),
  text('CORELO_JWT_ISSUER', 'jwtIssuer', undefined, 'Issuer that tokens must have.', 'none'),
  text('CORELO_JWT_SCOPES', 'jwtScopes', 'relocate,upload',
    'Scopes of tokens without a `scope` claim: a list for all tokens, or `<subject>=<scopes>; …`. ' +
    'In a subject, * matches any text. The first match counts.'),
  integer('CORELO_RATE_LIMIT', 'rateLimit', 0,
    'Requests per minute and caller. A caller is an identity, or an address if there is none. 0: no limit.',
    0, 1_000_000_000),
  text('CORELO_CACHE_DIR', 'cacheDir', 'btfhub-cache', 'Folder of the content store and the index.'),
  bytes('CORELO_CACHE_BYTES', 'cacheBytes', 20 * 1024 * MIB, '20 GiB',
    'Budget of the content store on disk. ' +
    'The least recently used content is removed first, content that cannot be fetched again last.'),
  {
    ...text('CORELO_BTFHUB_URL', 'btfhubUrls', PUBLIC_ARCHIVE,
      "Base URLs in BTFHub's layout, separated by commas and asked in this order. Empty: none.",
      'the public BTFHub archive'),
    must: 'http or https addresses, comma separated, or empty',
    empty: '',
    accepts: value => listOf(value).every(isWebAddress)
  },
  text('CORELO_BTFHUB_DIR', 'btfhubDir', undefined, "Folder in BTFHub's layout.", 'none'),
  text('CORELO_PACKAGES', 'packages', undefined,
    'Package repositories to fetch kernels from, separated by commas: ' +
    'presets (debian, ubuntu, fedora, centos-stream, rocky, almalinux, oraclelinux, amazonlinux, opensuse) ' +
    'and YAML files that describe others.',
    'none'),
  integer('CORELO_PACKAGE_DOWNLOADS', 'packageDownloads', 2,
    'Number of packages to download at the same time, each in its own thread. ' +
    'Those fetched ahead make nobody wait: they may add as many.',
    1, 64),
  {
    ...text('CORELO_CATALOG', 'catalog', undefined,
      'File or address of a list of the paths in the archive. The service then knows what the archive has without asking for it.',
      'none'),
    must: 'a file, or an http or https address',
    accepts: value => !value.includes('://') || isWebAddress(value)
  },
  integer('CORELO_CATALOG_MS', 'catalogMs', 6 * 3_600_000,
    'About how often to look at what sources list: CORELO_CATALOG, the indexes of CORELO_PACKAGES, ' +
    'CORELO_BTFHUB_DIR (that one every ten minutes at least).',
    1000, 7 * 24 * 3_600_000),
  {
    ...text('CORELO_WATCH', 'watch', undefined,
      'Patterns of kernels, comma separated, such as debian/12/x86_64/*: ' +
      'new ones are fetched before anybody asks for them, and only of these CORELO_WEBHOOK is told.',
      'none'),
    must: 'patterns of kernels (<distro>/<distro_version>/<arch>/<kernel_release>, or a release, ' +
      'with * for any text within a part), comma separated',
    accepts: value => listOf(value).every(isPattern)
  },
  integer('CORELO_WATCH_NEWEST', 'watchNewest', 10,
    'Of the new kernels that one look finds, so many of each distribution, version and architecture are fetched ahead, ' +
    'the highest releases first.',
    1, 1000),
  text('CORELO_WEBHOOK', 'webhookUrl', undefined,
    'Address that is told of each new kernel, by POST, and again once its BTF is held.',
    'none'),
  text('CORELO_WEBHOOK_SECRET_FILE', 'webhookSecretFile', undefined,
    'File of the secrets that sign what CORELO_WEBHOOK is told, a line each: whsec_ and base64 of 24 to 64 random bytes. ' +
    'Read for each event.',
    'none'),
  {
    ...text('CORELO_UPSTREAM', 'upstreamUrl', undefined, 'Address of another corelo to ask for BTF.', 'none'),
    must: 'an http or https address',
    accepts: isWebAddress
  },
  {
    ...text('CORELO_SHARED_STORE', 'sharedStore', undefined,
      'Bucket that replicas share: `s3://bucket/prefix`. ' +
      'AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION and AWS_ENDPOINT_URL apply.',
      'none'),
    must: 's3://bucket/prefix',
    accepts: isS3Location
  },
  bytes('CORELO_MEMORY_BYTES', 'memoryBytes', undefined, 'a quarter of the memory limit', 'Budget of BTF, objects and results in memory.'),
  flag('CORELO_LOCAL_KERNEL', 'localKernel', true, 'Offer the BTF of the kernel that the service runs on.'),
  text('CORELO_SIGNING_KEY_FILE', 'signingKeyFile', undefined,
    'Files of Ed25519 private keys (PEM), separated by commas. ' +
    'The first key signs results; the public keys of all are published.',
    'made in the cache folder at the first start'),
  flag('CORELO_TRUST_UPLOADS', 'trustUploads', false, 'Use uploaded BTF for requests that name a kernel, not only for requests by hash.'),
  bytes('CORELO_MAX_OBJECT_BYTES', 'maxObjectBytes', 16 * MIB, '16 MiB', 'Largest eBPF object.'),
  bytes('CORELO_MAX_BTF_BYTES', 'maxBtfBytes', 64 * MIB, '64 MiB', 'Largest BTF. Also the limit for all BTF of one request together.'),
  integer('CORELO_WORKERS', 'workers', undefined, 'Number of threads that relocate.', 1, 1024, 'one per core'),
  integer('CORELO_DEADLINE_MS', 'deadlineMs', 10_000, 'Longest time that a request may take.', 1, 3_600_000),
  integer('CORELO_SHUTDOWN_MS', 'shutdownMs', 35_000, 'Longest time from the first stop signal to the exit.', 1, 3_600_000),
  integer('CORELO_MAX_DELAY_MS', 'maxDelayMs', 1000,
    'Mean delay of the event loop above which requests get 503. 0: no limit.',
    0, 3_600_000),
  {
    name: 'CORELO_LOG_LEVEL',
    key: 'logLevel',
    defaultText: 'info',
    meaning: 'Lowest level to log. Each request is one line at `info`.',
    schema: { type: 'string', enum: LOG_LEVELS, default: 'info' },
    must: LOG_LEVELS.join(', ')
  },
  text('CORELO_HOST_ROOT', 'hostRoot', undefined, "Root of the host's file system, for its os-release.", '/host where that exists, else /'),
  ...Object.values<NetworkSetting>(NETWORK_SETTINGS)
    .map(({ env, meaning, defaultText }) => text(env, 'network', undefined, meaning, defaultText))
]

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The configuration that the environment asks for.
 *
 * @throws AppError `invalid_request` whose sentence names the variable at fault
 */
export function readConfig (env: Environment = process.env): Config {
  const given = Object.fromEntries(SETTINGS.flatMap(({ name, empty }) => {
    const value = env[name]
    return value === undefined || (value === '' && empty === undefined) || isServiceLink(name, value) ? [] : [[name, value]]
  }))
  const values = check(given)
  const known = Object.fromEntries(
    SETTINGS.flatMap(({ name, key }) => values[name] === undefined ? [] : [[key, values[name]]])
  ) as unknown as Partial<Config>
  const config = {
    ...known,
    auth: known.auth ?? 'none',
    memoryBytes: known.memoryBytes ?? Math.floor(memoryLimit() / 4),
    workers: known.workers ?? availableParallelism(),
    network: readNetwork(env),
    packages: listOf(String(values['CORELO_PACKAGES'] ?? '')),
    btfhubUrls: listOf(String(values['CORELO_BTFHUB_URL'])),
    watch: listOf(String(values['CORELO_WATCH'] ?? '')),
    ...(values['CORELO_SHARED_STORE'] === undefined ? {} : { sharedStore: readS3Settings(String(values['CORELO_SHARED_STORE']), env) })
  } as Config
  requireAuth(config.host, values['CORELO_AUTH'])
  requireListing(config)
  return config
}

/** Kubernetes sets `<SERVICE>_PORT=tcp://…` for every service; one that is called corelo must not stop its own pods. */
function isServiceLink (name: string, value: string): boolean { return name === 'CORELO_PORT' && value.startsWith('tcp://') }

function check (given: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  const schema = { type: 'object', properties: Object.fromEntries(SETTINGS.map(setting => [setting.name, setting.schema])) }
  const refuse = ({ name, must }: Setting): AppError =>
    new AppError('invalid_request', `${name} must be ${must}, not ${JSON.stringify(given[name])}.`, { setting: name })
  const unfit = SETTINGS.find(({ name, accepts }) => accepts !== undefined && given[name] !== undefined && !accepts(given[name]))
  if (unfit !== undefined) throw refuse(unfit)
  try {
    return envSchema({ schema, data: given, env: false })
  } catch (error) {
    const setting = SETTINGS.find(({ name }) => pathsOf(error).includes(`/${name}`))
    if (setting === undefined) throw error
    throw refuse(setting)
  }
}

function pathsOf (error: unknown): string[] {
  const { errors } = error as { errors?: ReadonlyArray<{ instancePath: string }> }
  return (errors ?? []).map(({ instancePath }) => instancePath)
}

/** An open service on the network must be somebody's decision. */
function requireAuth (host: string, auth: unknown): void {
  if (auth === undefined && !isLoopback(host)) {
    throw new AppError('invalid_request',
      `CORELO_HOST=${host} can be reached by others; say with CORELO_AUTH who may call ` +
      '(token or jwt, or none to serve everyone), or listen on 127.0.0.1.',
      { setting: 'CORELO_AUTH' })
  }
}

/**
 * New kernels are noticed in what sources list, and are told of with a signature. The address is not shown, since it may have a
 * secret in it.
 */
function requireListing ({ watch, webhookUrl, webhookSecretFile, packages, catalog, btfhubDir }: Config): void {
  if (webhookUrl !== undefined &&
    (!isWebAddress(webhookUrl) || new URL(webhookUrl).username !== '' || new URL(webhookUrl).password !== '')) {
    throw new AppError('invalid_request',
      'CORELO_WEBHOOK must be an http or https address without user and password.',
      { setting: 'CORELO_WEBHOOK' })
  }
  if (webhookUrl !== undefined && webhookSecretFile === undefined) {
    throw new AppError('invalid_request',
      'CORELO_WEBHOOK needs CORELO_WEBHOOK_SECRET_FILE: ' +
      'the receiver tells by the signature that it is this service who speaks.',
      { setting: 'CORELO_WEBHOOK_SECRET_FILE' })
  }
  const name = watch.length > 0 ? 'CORELO_WATCH' : webhookUrl !== undefined ? 'CORELO_WEBHOOK' : undefined
  if (name === undefined || packages.length > 0 || catalog !== undefined || btfhubDir !== undefined) return
  throw new AppError('invalid_request',
    `${name} has nothing to watch: no source lists its kernels. Set CORELO_PACKAGES, CORELO_CATALOG or CORELO_BTFHUB_DIR.`,
    { setting: name })
}

function isLoopback (host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Bytes this process may use: the control group's limit where there is one, else the machine's memory. */
function memoryLimit (): number {
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}

function text (name: string, key: keyof Config, byDefault: string | undefined, meaning: string, defaultText = byDefault ?? ''): Setting {
  return { name, key, defaultText, meaning, schema: { type: 'string', ...defaultOf(byDefault) }, must: 'a text' }
}

function listOf (value: string): string[] { return value.split(',').map(part => part.trim()).filter(part => part !== '') }

function isWebAddress (value: string): boolean { return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol) }

function integer (
  name: string,
  key: keyof Config,
  byDefault: number | undefined,
  meaning: string,
  minimum: number,
  maximum: number,
  defaultText = String(byDefault)
): Setting {
  return {
    name,
    key,
    defaultText,
    meaning,
    schema: { type: 'integer', minimum, maximum, ...defaultOf(byDefault) },
    must: `a whole number from ${minimum} to ${maximum}`
  }
}

function bytes (name: string, key: keyof Config, byDefault: number | undefined, defaultText: string, meaning: string): Setting {
  return {
    name,
    key,
    defaultText,
    meaning: `${meaning} In bytes.`,
    schema: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER, ...defaultOf(byDefault) },
    must: 'a whole number of bytes above 0'
  }
}

function flag (name: string, key: keyof Config, byDefault: boolean, meaning: string): Setting {
  return { name, key, defaultText: String(byDefault), meaning, schema: { type: 'boolean', default: byDefault }, must: 'true or false' }
}

function defaultOf (value: unknown): { default?: unknown } { return value === undefined ? {} : { default: value } }
