import { realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../errors.js'
import { KERNEL_NOTES } from '../identity/build-id.js'
import { isSegment } from '../identity/reference.js'
import { NETWORK_SETTINGS, readNetwork, type Network } from '../network/network.js'
import { KERNEL_BTF_DIR } from '../identity/running-kernel.js'

/** What the agent was told to do. */
export interface AgentSettings {
  readonly server: string
  readonly objects: string
  readonly out: string
  readonly pin: string | undefined
  readonly keys: string | undefined
  readonly tokenFile: string | undefined
  readonly uploadBtf: boolean
  readonly once: boolean
  readonly lastGoodOk: boolean
  readonly insecureSkipVerify: boolean
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly refreshMs: number
  readonly pollMs: number
  readonly retryMs: number
  readonly waitMs: number
  readonly spreadMs: number
  readonly timeoutMs: number
  readonly logLevel: string
  readonly hostRoot: string | undefined
  readonly distro: string | undefined
  readonly distroVersion: string | undefined
  readonly kernelBtfDir: string
  readonly kernelRelease: string | undefined
  readonly kernelNotes: string | undefined
  /** Proxies, and authorities that are believed. */
  readonly network: Network
}

/** One setting: an environment variable, and an option of the same meaning where it has one. */
export interface AgentSetting {
  readonly env: string
  readonly option?: string
  /** What stands for the value in the help. A setting without one is a switch. */
  readonly value?: string
  readonly defaultText: string
  readonly meaning: string
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']
const MAX_MS = 24 * 3_600_000

/** `network` is what several variables come to. */
type SettingName = Exclude<keyof AgentSettings, 'network'> | keyof typeof NETWORK_SETTINGS

/** All settings, in the order in which they are listed. */
export const AGENT_SETTINGS: Readonly<Record<SettingName, AgentSetting>> = {
  server: { env: 'CORELO_AGENT_SERVER', option: 'server', value: 'URL', defaultText: 'required', meaning: 'Address of the service.' },
  objects: {
    env: 'CORELO_AGENT_OBJECTS',
    option: 'objects',
    value: 'DIR',
    defaultText: 'required',
    meaning: 'Folder with the eBPF objects (*.bpf.o, *.o).'
  },
  out: {
    env: 'CORELO_AGENT_OUT',
    option: 'out',
    value: 'DIR',
    defaultText: 'required',
    meaning: 'Folder for the results. It belongs to the agent, which removes files for other kernels from it.'
  },
  pin: {
    env: 'CORELO_AGENT_PIN',
    option: 'pin',
    value: 'BPFFS_DIR',
    defaultText: 'nothing is loaded',
    meaning: 'Load each result with bpftool and pin its programs and maps in this folder of a bpf file system.'
  },
  keys: {
    env: 'CORELO_AGENT_KEYS',
    option: 'keys',
    value: 'FILE|URL',
    defaultText: 'the keys that the service shows at the first contact',
    meaning: 'Public keys (JWKS) to trust: one of them must have signed each result. A file is read again for each answer. Keys of ' +
      'an address are fetched once and kept, which protects only from then on.'
  },
  tokenFile: {
    env: 'CORELO_AGENT_TOKEN_FILE',
    option: 'token-file',
    value: 'FILE',
    defaultText: 'no token',
    meaning: 'File with the token to send. The agent reads it for each request, because Kubernetes replaces tokens.'
  },
  uploadBtf: {
    env: 'CORELO_AGENT_UPLOAD_BTF',
    option: 'upload-btf',
    value: 'auto|never',
    defaultText: 'auto',
    meaning: "Whether to upload the node's own BTF if the service does not have it."
  },
  once: { env: 'CORELO_AGENT_ONCE', option: 'once', defaultText: 'false', meaning: 'Relocate the objects that are there, and exit.' },
  lastGoodOk: {
    env: 'CORELO_AGENT_LAST_GOOD_OK',
    option: 'last-good-ok',
    defaultText: 'false',
    meaning: 'With --once: exit with 0 if the service could not be asked, but every object has a good copy for this kernel.'
  },
  insecureSkipVerify: {
    env: 'CORELO_AGENT_INSECURE_SKIP_VERIFY',
    option: 'insecure-skip-verify',
    defaultText: 'false',
    meaning: 'Accept results without verifying their signatures.'
  },
  host: { env: 'CORELO_AGENT_HOST', defaultText: '127.0.0.1', meaning: 'Address for health and metrics; in a pod, 0.0.0.0.' },
  port: { env: 'CORELO_AGENT_PORT', defaultText: '8081', meaning: 'Port for health and metrics; 0 takes any free one.' },
  refreshMs: {
    env: 'CORELO_AGENT_REFRESH_MS',
    defaultText: '600000',
    meaning: 'How often to ask for newer results, and again about a kernel that was unknown.'
  },
  pollMs: {
    env: 'CORELO_AGENT_POLL_MS',
    defaultText: '2000',
    meaning: 'How often to look for changes of the objects folder and of the kernel.'
  },
  retryMs: { env: 'CORELO_AGENT_RETRY_MS', defaultText: '60000', meaning: 'Longest wait between tries while the service does not answer.' },
  waitMs: {
    env: 'CORELO_AGENT_WAIT_MS',
    defaultText: '30000',
    meaning: 'With --once: how long to keep trying while the service does not answer.'
  },
  spreadMs: {
    env: 'CORELO_AGENT_SPREAD_MS',
    defaultText: '10000',
    meaning: 'An agent that starts with good copies waits a random time up to this before it asks about them, so that a fleet does ' +
      'not ask all at once.'
  },
  timeoutMs: { env: 'CORELO_AGENT_TIMEOUT_MS', defaultText: '30000', meaning: 'Longest time of one request.' },
  logLevel: { env: 'CORELO_LOG_LEVEL', defaultText: 'info', meaning: 'Lowest level to log.' },
  hostRoot: {
    env: 'CORELO_HOST_ROOT',
    defaultText: '/host where that exists, else /',
    meaning: "Root of the host's file system, for its os-release."
  },
  distro: {
    env: 'CORELO_AGENT_DISTRO',
    option: 'distro',
    value: 'NAME',
    defaultText: "what the host's os-release says",
    meaning: 'Distribution of the running kernel (debian, rhel), if the host has no os-release or another distribution built the kernel.'
  },
  distroVersion: {
    env: 'CORELO_AGENT_DISTRO_VERSION',
    option: 'distro-version',
    value: 'VERSION',
    defaultText: "what the host's os-release says",
    meaning: 'Version of that distribution (12, 9).'
  },
  kernelBtfDir: { env: 'CORELO_AGENT_KERNEL_BTF_DIR', defaultText: KERNEL_BTF_DIR, meaning: 'Folder in which the kernel shows its BTF.' },
  kernelRelease: {
    env: 'CORELO_AGENT_KERNEL_RELEASE',
    defaultText: 'that of the kernel',
    meaning: 'Replaces uname -r, for tests. If it is not the running kernel, programs read wrong values.'
  },
  kernelNotes: {
    env: 'CORELO_AGENT_KERNEL_NOTES',
    defaultText: KERNEL_NOTES,
    meaning: 'File in which the kernel shows its notes, with its build-id.'
  },
  ...NETWORK_SETTINGS
}

/** The value of a setting's option on the command line: `''` for a switch, undefined where it was not given. */
type Options = (option: string) => string | undefined

/**
 * The settings that the command line and the environment give. An option wins over its variable.
 *
 * @throws AppError `invalid_request` whose sentence names the setting at fault
 */
export function readAgentSettings (options: Options, env: NodeJS.ProcessEnv): AgentSettings {
  const given = (key: SettingName): { readonly value: string | undefined, readonly name: string } => {
    const { option, env: variable } = AGENT_SETTINGS[key]
    const value = option === undefined ? undefined : options(option)
    return value === undefined
      ? { value: env[variable] || undefined, name: variable }
      : { value: value === '' ? 'true' : value, name: `--${option}` }
  }
  const text = (key: SettingName): string | undefined => given(key).value
  const required = (key: 'server' | 'objects' | 'out'): string => {
    const value = text(key)
    const { option, env: variable, value: stand } = AGENT_SETTINGS[key]
    if (value === undefined) throw wrong(`The agent needs --${option} ${stand} (or ${variable}).`, key)
    return value
  }
  const flag = (key: SettingName): boolean => {
    const { value, name } = given(key)
    if (value !== undefined && value !== 'true' && value !== 'false') {
      throw wrong(`${name} must be true or false, not ${JSON.stringify(value)}.`, key)
    }
    return value === 'true'
  }
  const choice = (key: SettingName, choices: readonly string[]): string => {
    const { value = AGENT_SETTINGS[key].defaultText, name } = given(key)
    if (!choices.includes(value)) throw wrong(`${name} must be ${choices.join(' or ')}, not ${JSON.stringify(value)}.`, key)
    return value
  }
  const integer = (key: SettingName, minimum: number, maximum: number): number => {
    const { value = AGENT_SETTINGS[key].defaultText, name } = given(key)
    // Kubernetes sets CORELO_AGENT_PORT=tcp://… for a service that is called corelo-agent.
    const number = value.startsWith('tcp://') ? Number(AGENT_SETTINGS[key].defaultText) : /^\d{1,15}$/.test(value) ? Number(value) : NaN
    if (!(number >= minimum && number <= maximum)) {
      throw wrong(`${name} must be a whole number from ${minimum} to ${maximum}, not ${JSON.stringify(value)}.`, key)
    }
    return number
  }

  const settings: AgentSettings = {
    server: required('server'),
    objects: required('objects'),
    out: required('out'),
    pin: text('pin'),
    keys: text('keys'),
    tokenFile: text('tokenFile'),
    uploadBtf: choice('uploadBtf', ['auto', 'never']) === 'auto',
    once: flag('once'),
    lastGoodOk: flag('lastGoodOk'),
    insecureSkipVerify: flag('insecureSkipVerify'),
    host: text('host') ?? AGENT_SETTINGS.host.defaultText,
    port: integer('port', 0, 65_535),
    refreshMs: integer('refreshMs', 100, MAX_MS),
    pollMs: integer('pollMs', 10, MAX_MS),
    retryMs: integer('retryMs', 10, MAX_MS),
    waitMs: integer('waitMs', 0, MAX_MS),
    spreadMs: integer('spreadMs', 0, MAX_MS),
    timeoutMs: integer('timeoutMs', 1, MAX_MS),
    logLevel: choice('logLevel', LOG_LEVELS),
    hostRoot: text('hostRoot'),
    kernelBtfDir: text('kernelBtfDir') ?? KERNEL_BTF_DIR,
    distro: text('distro'),
    distroVersion: text('distroVersion'),
    kernelRelease: text('kernelRelease'),
    kernelNotes: text('kernelNotes'),
    network: readNetwork(env)
  }
  checkFolders(settings)
  if (settings.pin?.includes('.') === true) {
    throw wrong(`--pin ${settings.pin} has a dot in it, which a bpf file system does not take; give another folder.`, 'pin')
  }
  for (const key of ['distro', 'distroVersion'] as const) {
    const value = settings[key]
    if (value !== undefined && !isSegment(value)) {
      throw wrong(`--${AGENT_SETTINGS[key].option ?? ''} must be a name of letters, digits and . _ + ~ -, ` +
        `as in a kernel reference, not ${JSON.stringify(value)}.`, key)
    }
  }
  if (settings.kernelRelease !== undefined && !isSegment(settings.kernelRelease)) {
    throw wrong(`${AGENT_SETTINGS.kernelRelease.env} must be the output of uname -r.`, 'kernelRelease')
  }
  return settings
}

/** The folder for what the agent remembers. */
export function stateFolderOf ({ out }: AgentSettings): string { return join(out, '.corelo') }

function checkFolders ({ objects, out }: AgentSettings): void {
  if (realFolder(objects, 'objects') === undefined) {
    throw wrong(`The objects folder ${objects} is not there; mount it, or give another one with --objects.`, 'objects')
  }
  if (realFolder(out, 'out') === realFolder(objects, 'objects')) {
    throw wrong('--objects and --out are the same folder; ' +
      'results have the names of their objects, so give them a folder of their own.', 'out')
  }
}

/** Where a folder really is; undefined where it is not there. */
function realFolder (path: string, setting: 'objects' | 'out'): string | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? realpathSync(path) : undefined
  } catch (error) {
    throw wrong(`The folder ${path} cannot be used: ${error instanceof Error ? error.message : String(error)}.`, setting)
  }
}

function wrong (message: string, setting: SettingName): AppError {
  return new AppError('invalid_request', message, { setting: AGENT_SETTINGS[setting].env })
}
