import { KERNEL_NOTES } from '../identity/build-id.js'
import { isSegment } from '../identity/reference.js'
import { KERNEL_BTF_DIR } from '../identity/running-kernel.js'
import { choice, FLAG, integer, isWebAddress, matching, PORT, TEXT } from './kinds.js'
import { optional, required, setting, type ValuesOf } from './setting.js'
import { SHARED_SETTINGS } from './shared-settings.js'

const MAX_MS = 24 * 3_600_000
const SEGMENT = matching('a name of letters, digits and . _ + ~ -, as in a kernel reference', isSegment)
const KEYS = matching('a file or an address (http, https)', text => !/^https?:\/\//.test(text) || isWebAddress(text))
/** A bpf file system accepts no dots in names. */
const BPFFS_FOLDER = matching('a folder of a bpf file system without a dot in its path', path => !path.includes('.'))

/** The settings of the agent, without those of the network. */
export const AGENT_SETTINGS = {
  server: required('CORELO_AGENT_SERVER', TEXT, {
    requiredBy: 'agent',
    option: { name: 'server', value: 'URL' },
    meaning: 'Address of the service.'
  }),
  objects: required('CORELO_AGENT_OBJECTS', TEXT, {
    requiredBy: 'agent',
    option: { name: 'objects', value: 'DIR' },
    meaning: 'Folder with the eBPF objects (*.bpf.o, *.o).'
  }),
  out: required('CORELO_AGENT_OUT', TEXT, {
    requiredBy: 'agent',
    option: { name: 'out', value: 'DIR' },
    meaning: 'Folder for the results. It belongs to the agent, which removes files for other kernels from it.'
  }),
  pin: optional('CORELO_AGENT_PIN', BPFFS_FOLDER, {
    option: { name: 'pin', value: 'BPFFS_DIR' },
    defaultText: 'nothing is loaded',
    meaning: 'Load each result with bpftool and pin its programs and maps in this folder of a bpf file system.'
  }),
  keys: optional('CORELO_AGENT_KEYS', KEYS, {
    option: { name: 'keys', value: 'FILE|URL' },
    defaultText: 'the keys that the service shows at the first contact',
    meaning: 'Public keys (JWKS) to trust: one of them must have signed each result. A file is read again for each answer. Keys of ' +
      'an address are fetched once and kept, which protects only from then on.'
  }),
  tokenFile: optional('CORELO_AGENT_TOKEN_FILE', TEXT, {
    option: { name: 'token-file', value: 'FILE' },
    defaultText: 'no token',
    meaning: 'File with the token to send. The agent reads it for each request, because Kubernetes replaces tokens.'
  }),
  uploadBtf: setting('CORELO_AGENT_UPLOAD_BTF', choice('auto', 'never'), {
    option: { name: 'upload-btf', value: 'auto|never' },
    byDefault: 'auto',
    meaning: "Whether to upload the node's own BTF if the service does not have it."
  }),
  once: setting('CORELO_AGENT_ONCE', FLAG, {
    option: { name: 'once' },
    byDefault: false,
    meaning: 'Relocate the objects that are there, and exit.'
  }),
  lastGoodOk: setting('CORELO_AGENT_LAST_GOOD_OK', FLAG, {
    option: { name: 'last-good-ok' },
    byDefault: false,
    meaning: 'With --once: exit with 0 if the service could not be asked, but every object has a good copy for this kernel.'
  }),
  insecureSkipVerify: setting('CORELO_AGENT_INSECURE_SKIP_VERIFY', FLAG, {
    option: { name: 'insecure-skip-verify' },
    byDefault: false,
    meaning: 'Accept results without verifying their signatures.'
  }),
  host: setting('CORELO_AGENT_HOST', TEXT, { byDefault: '127.0.0.1', meaning: 'Address for health and metrics; in a pod, 0.0.0.0.' }),
  port: setting('CORELO_AGENT_PORT', PORT, { byDefault: 8081, meaning: 'Port for health and metrics; 0 takes any free one.' }),
  refreshMs: setting('CORELO_AGENT_REFRESH_MS', integer(100, MAX_MS), {
    byDefault: 600_000,
    meaning: 'How often to ask for newer results, and again about a kernel that was unknown.'
  }),
  pollMs: setting('CORELO_AGENT_POLL_MS', integer(10, MAX_MS), {
    byDefault: 2000,
    meaning: 'How often to look for changes of the objects folder and of the kernel.'
  }),
  retryMs: setting('CORELO_AGENT_RETRY_MS', integer(10, MAX_MS), {
    byDefault: 60_000,
    meaning: 'Longest wait between tries while the service does not answer.'
  }),
  waitMs: setting('CORELO_AGENT_WAIT_MS', integer(0, MAX_MS), {
    byDefault: 30_000,
    meaning: 'With --once: how long to keep trying while the service does not answer, or is still fetching the kernel.'
  }),
  spreadMs: setting('CORELO_AGENT_SPREAD_MS', integer(0, MAX_MS), {
    byDefault: 10_000,
    meaning: 'An agent that starts with good copies waits a random time up to this before it asks about them, so that a fleet does ' +
      'not ask all at once.'
  }),
  timeoutMs: setting('CORELO_AGENT_TIMEOUT_MS', integer(1, MAX_MS), { byDefault: 30_000, meaning: 'Longest time of one request.' }),
  ...SHARED_SETTINGS,
  distro: optional('CORELO_AGENT_DISTRO', SEGMENT, {
    option: { name: 'distro', value: 'NAME' },
    defaultText: "what the host's os-release says",
    meaning: 'Distribution of the running kernel (debian, rhel), if the host has no os-release or another distribution built the kernel.'
  }),
  distroVersion: optional('CORELO_AGENT_DISTRO_VERSION', SEGMENT, {
    option: { name: 'distro-version', value: 'VERSION' },
    defaultText: "what the host's os-release says",
    meaning: 'Version of that distribution (12, 9).'
  }),
  kernelBtfDir: setting('CORELO_AGENT_KERNEL_BTF_DIR', TEXT, {
    byDefault: KERNEL_BTF_DIR,
    meaning: 'Folder in which the kernel shows its BTF.'
  }),
  kernelRelease: optional('CORELO_AGENT_KERNEL_RELEASE', matching('the output of uname -r', isSegment), {
    defaultText: 'that of the kernel',
    meaning: 'Replaces uname -r, for tests. If it is not the running kernel, programs read wrong values.'
  }),
  kernelNotes: optional('CORELO_AGENT_KERNEL_NOTES', TEXT, {
    defaultText: KERNEL_NOTES,
    meaning: 'File in which the kernel shows its notes, with its build-id.'
  })
}

export type AgentValues = ValuesOf<typeof AGENT_SETTINGS>
