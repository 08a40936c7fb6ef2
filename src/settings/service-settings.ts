import { availableParallelism, totalmem } from 'node:os'
import { isPattern } from '../identity/pattern.js'
import { PUBLIC_ARCHIVE } from '../kernels/sources/public-archive.js'
import { isS3Location } from '../store/shared/s3-settings.js'
import { BYTES, choice, FLAG, integer, isWebAddress, listMatching, matching, PORT, TEXT, type Kind } from './kinds.js'
import { computed, optional, setting, type ValuesOf } from './setting.js'
import { SHARED_SETTINGS } from './shared-settings.js'

const MIB = 1024 * 1024
const HOUR_MS = 3_600_000

const WEB_ADDRESS = matching('an http or https address', isWebAddress)
const WEB_ADDRESSES = listMatching('http or https addresses, comma separated, or empty', isWebAddress)
const FILE_OR_ADDRESS = matching('a file, or an http or https address', text => !text.includes('://') || isWebAddress(text))
/** Addresses that receive events often contain a secret. */
const HOOK: Kind<string> = { ...matching('an http or https address without user and password', isWithoutCredentials), isSecret: true }
const TEXTS = listMatching('texts, comma separated', () => true)
const PATTERNS = listMatching(
  'patterns of kernels (<distro>/<distro_version>/<arch>/<kernel_release>, or a release, with * for any text within a part), ' +
    'comma separated',
  isPattern
)

/** The settings of the service, without those of the network. */
export const SERVICE_SETTINGS = {
  host: setting('CORELO_HOST', TEXT, { byDefault: '127.0.0.1', meaning: 'Address to listen on (0.0.0.0 in the image).' }),
  port: setting('CORELO_PORT', PORT, { byDefault: 8080, meaning: 'Port to listen on; 0 takes any free one.' }),
  auth: optional('CORELO_AUTH', choice('none', 'token', 'jwt'), {
    defaultText: 'none on loopback, required elsewhere',
    meaning: 'How callers authenticate. On any address but loopback it must be set, also to `none`.'
  }),
  tokensFile: optional('CORELO_TOKENS_FILE', TEXT, {
    meaning: 'With `token`: the callers, one per line: name, sha256:… of the token, scopes (`corelo keys token` makes a line). ' +
      'The service reads it again when it changes.'
  }),
  jwksUrl: optional('CORELO_JWKS_URL', TEXT, { meaning: 'With `jwt`: address or file of the public keys of the issuer.' }),
  jwksTokenFile: optional('CORELO_JWKS_TOKEN_FILE', TEXT, {
    meaning: 'File of the token to send to CORELO_JWKS_URL. The API server of Kubernetes needs one.'
  }),
  jwtAudience: optional('CORELO_JWT_AUDIENCE', TEXT, { meaning: 'Audience that tokens must have.' }),
  jwtIssuer: optional('CORELO_JWT_ISSUER', TEXT, { meaning: 'Issuer that tokens must have.' }),
  jwtScopes: setting('CORELO_JWT_SCOPES', TEXT, {
    byDefault: 'relocate,upload',
    meaning: 'Scopes of tokens without a `scope` claim: a list for all tokens, or `<subject>=<scopes>; …`. ' +
      'In a subject, * matches any text. The first match counts.'
  }),
  rateLimit: setting('CORELO_RATE_LIMIT', integer(0, 1_000_000_000), {
    byDefault: 0,
    meaning: 'Requests per minute and caller. A caller is an identity, or an address if there is none. 0: no limit.'
  }),
  cacheDir: setting('CORELO_CACHE_DIR', TEXT, { byDefault: 'btfhub-cache', meaning: 'Folder of the content store and the index.' }),
  cacheBytes: setting('CORELO_CACHE_BYTES', BYTES, {
    byDefault: 20 * 1024 * MIB,
    defaultText: '20 GiB',
    meaning: 'Budget of the content store on disk. ' +
      'The least recently used content is removed first, content that cannot be fetched again last. In bytes.'
  }),
  btfhubUrls: setting('CORELO_BTFHUB_URL', WEB_ADDRESSES, {
    byDefault: [PUBLIC_ARCHIVE],
    defaultText: 'the public BTFHub archive',
    takesEmpty: true,
    meaning: "Base URLs in BTFHub's layout, separated by commas and asked in this order. Empty: none."
  }),
  btfhubDir: optional('CORELO_BTFHUB_DIR', TEXT, { meaning: "Folder in BTFHub's layout." }),
  packages: setting('CORELO_PACKAGES', TEXTS, {
    byDefault: [],
    defaultText: 'none',
    meaning: 'Package repositories to fetch kernels from, separated by commas: ' +
      'presets (debian, ubuntu, fedora, centos-stream, rocky, almalinux, oraclelinux, amazonlinux, opensuse) ' +
      'and YAML files that describe others.'
  }),
  packageDownloads: setting('CORELO_PACKAGE_DOWNLOADS', integer(1, 64), {
    byDefault: 2,
    meaning: 'Number of packages to download at the same time, each in its own thread. ' +
      'Packages that are fetched ahead may add as many.'
  }),
  packageModules: setting('CORELO_PACKAGE_MODULES', choice('asked', 'all'), {
    byDefault: 'asked',
    meaning: 'Which modules to take from the packages of a kernel when a request names one: that one, or all that have BTF.'
  }),
  catalog: optional('CORELO_CATALOG', FILE_OR_ADDRESS, {
    meaning: 'File or address of a list of the paths in the archive. The service then knows what the archive has without asking for it.'
  }),
  catalogMs: setting('CORELO_CATALOG_MS', integer(1000, 7 * 24 * HOUR_MS), {
    byDefault: 6 * HOUR_MS,
    meaning: 'About how often to look at what sources list: CORELO_CATALOG, the indexes of CORELO_PACKAGES, ' +
      'CORELO_BTFHUB_DIR (that one every ten minutes at least).'
  }),
  watch: setting('CORELO_WATCH', PATTERNS, {
    option: { name: 'watch', value: 'PATTERNS' },
    byDefault: [],
    defaultText: 'none',
    meaning: 'Patterns of kernels, comma separated, such as debian/12/x86_64/*: ' +
      'new ones are fetched before a request needs them, and CORELO_WEBHOOK is told only of these.'
  }),
  watchNewest: setting('CORELO_WATCH_NEWEST', integer(1, 1000), {
    byDefault: 10,
    meaning: 'Of the new kernels that one look finds, so many of each distribution, version and architecture are fetched ahead, ' +
      'the highest releases first.'
  }),
  webhookUrl: optional('CORELO_WEBHOOK', HOOK, {
    meaning: 'Address that is told of each new kernel, by POST, and again once its BTF is held.'
  }),
  webhookSecretFile: optional('CORELO_WEBHOOK_SECRET_FILE', TEXT, {
    meaning: 'File of the secrets that sign what CORELO_WEBHOOK is told, a line each: whsec_ and base64 of 24 to 64 random bytes. ' +
      'Read for each event.'
  }),
  upstreamUrl: optional('CORELO_UPSTREAM', WEB_ADDRESS, { meaning: 'Address of another corelo to ask for BTF.' }),
  sharedStore: optional('CORELO_SHARED_STORE', matching('s3://bucket/prefix', isS3Location), {
    meaning: 'Bucket that replicas share: `s3://bucket/prefix`. ' +
      'AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION and AWS_ENDPOINT_URL apply.'
  }),
  memoryBytes: computed('CORELO_MEMORY_BYTES', BYTES, {
    byDefault: () => Math.floor(memoryLimit() / 4),
    defaultText: 'a quarter of the memory limit',
    meaning: 'Budget of BTF, objects and results in memory. In bytes.'
  }),
  localKernel: setting('CORELO_LOCAL_KERNEL', FLAG, {
    byDefault: true,
    meaning: 'Offer the BTF of the kernel that the service runs on.'
  }),
  signingKeyFile: optional('CORELO_SIGNING_KEY_FILE', TEXT, {
    defaultText: 'made in the cache folder at the first start',
    meaning: 'Files of Ed25519 private keys (PEM), separated by commas. ' +
      'The first key signs results; the public keys of all are published.'
  }),
  trustUploads: setting('CORELO_TRUST_UPLOADS', FLAG, {
    byDefault: false,
    meaning: 'Use uploaded BTF for requests that name a kernel, not only for requests by hash.'
  }),
  maxObjectBytes: setting('CORELO_MAX_OBJECT_BYTES', BYTES, {
    byDefault: 16 * MIB,
    defaultText: '16 MiB',
    meaning: 'Largest eBPF object. In bytes. One with variables in an arena, such as a sched_ext scheduler, can have 26 MB without DWARF.'
  }),
  maxBtfBytes: setting('CORELO_MAX_BTF_BYTES', BYTES, {
    byDefault: 64 * MIB,
    defaultText: '64 MiB',
    meaning: 'Largest BTF. Also the limit for all BTF of one request together. In bytes.'
  }),
  workers: computed('CORELO_WORKERS', integer(1, 1024), {
    byDefault: availableParallelism,
    defaultText: 'one per core',
    meaning: 'Number of threads that relocate.'
  }),
  deadlineMs: setting('CORELO_DEADLINE_MS', integer(1, HOUR_MS), {
    byDefault: 10_000,
    meaning: 'Longest time that a request may take.'
  }),
  shutdownMs: setting('CORELO_SHUTDOWN_MS', integer(1, HOUR_MS), {
    byDefault: 35_000,
    meaning: 'Longest time from the first stop signal to the exit.'
  }),
  maxDelayMs: setting('CORELO_MAX_DELAY_MS', integer(0, HOUR_MS), {
    byDefault: 1000,
    meaning: 'Mean delay of the event loop above which requests get 503. 0: no limit.'
  }),
  ...SHARED_SETTINGS
}

export type ServiceValues = ValuesOf<typeof SERVICE_SETTINGS>

function isWithoutCredentials (text: string): boolean {
  if (!isWebAddress(text)) return false
  const { username, password } = new URL(text)
  return username === '' && password === ''
}

/** Bytes that this process may use: the control group's limit where there is one, else the machine's memory. */
function memoryLimit (): number {
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}
