import { createClient, type Client, type KernelListFilter } from '../../client/client.js'
import { withRetries } from '../../client/retry.js'
import { parseReference } from '../../identity/reference.js'
import { readNetwork } from '../../settings/network-settings.js'
import { untilFetched, type SyncKernel, type SyncPlace } from './sync-place.js'

/** How long the service waits before it tells how far a fetch is, and the longest time of a request beyond that. */
const WAIT_SECONDS = 5
const TIMEOUT_MS = 60_000
/** As the service calls BTF that a node handed in. It need not answer for the kernel's name: the service knows, and is asked. */
const UPLOAD = 'upload'
/** How long to try again where the service is overloaded or restarts. */
const RETRY_MS = 60_000

/** Asks a service to fetch what its own sources offer. */
export function syncRemotely (server: string, tokenFile: string | undefined): SyncPlace {
  const client = createClient({ server, tokenFile, timeoutMs: TIMEOUT_MS, network: readNetwork(process.env) })
  return {
    offeredBy: `The sources of ${server} offer`,
    async list (patterns) {
      const lists: SyncKernel[][] = []
      for (const pattern of patterns) lists.push(await listOffered(client, narrowingOf(pattern)))
      return lists.flat()
    },
    async fetch (reference, onProgress) {
      const ask = async (): ReturnType<typeof client.fetchKernel> => await client.fetchKernel(reference, WAIT_SECONDS)
      await untilFetched(async () => await withRetries(ask, { withinMs: RETRY_MS }), onProgress)
    },
    async close () {}
  }
}

async function listOffered (client: Client, filter: KernelListFilter): Promise<SyncKernel[]> {
  const all: SyncKernel[] = []
  let cursor: string | undefined
  do {
    const page = await withRetries(async () => await client.kernels(cursor, { ...filter, offered: true }), { withinMs: RETRY_MS })
    all.push(...page.kernels.map(({ reference, source, published }) => ({
      reference: parseReference(reference),
      isHeld: source !== null && source !== UPLOAD,
      package: published?.package,
      bytes: published?.bytes
    })))
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return all
}

/** What a pattern says without a star, so that the service need not list all that it knows of. */
function narrowingOf (pattern: string): KernelListFilter {
  const [distro = '*', version = '*', arch = '*'] = pattern.includes('/') ? pattern.split('/') : []
  const isPlain = (part: string): boolean => !part.includes('*')
  return {
    ...(isPlain(distro) ? { distro } : {}),
    ...(isPlain(version) ? { distro_version: version } : {}),
    ...(isPlain(arch) ? { arch } : {})
  }
}
