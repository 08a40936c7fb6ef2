import { AppError } from '../../errors.js'
import { readConfig } from '../../http/config.js'
import { UPLOAD_SOURCE } from '../../kernels/kernel-record.js'
import { createService } from '../../service/service.js'
import type { Service } from '../../service/types.js'
import { say } from '../terminal.js'
import { untilFetched, type SyncKernel, type SyncPlace } from './sync-place.js'

export interface SyncLocallyOptions {
  /** Presets and files of repositories. Empty: those of CORELO_PACKAGES. */
  readonly packages: readonly string[]
  /** Undefined: that of CORELO_CACHE_DIR. */
  readonly cacheDir: string | undefined
}

const PAGE = 1000
/** How often to look how far a fetch is. */
const WAIT_MS = 1000

/**
 * Fetches from package repositories into a cache on this machine.
 *
 * @throws AppError `invalid_request` where no repositories are known
 */
export async function syncLocally ({ packages: given, cacheDir }: SyncLocallyOptions): Promise<SyncPlace> {
  const config = readConfig(process.env)
  const packages = given.length > 0 ? given : config.packages
  if (packages.length === 0) {
    throw new AppError('invalid_request',
      'No package repositories are known; name them with --packages or CORELO_PACKAGES, such as debian, or a service with --server.')
  }
  const service = createService({ ...config, packages, btfhubUrls: [], localKernel: false, cacheDir: cacheDir ?? config.cacheDir }, {
    onWarning: (message, facts) => { say(`warning: ${message} ${JSON.stringify(facts)}`) }
  })
  try {
    await service.ready()
    await service.refreshCatalog()
  } catch (error) {
    await service.close()
    throw error
  }
  return {
    offeredBy: 'The package repositories publish',
    list: async () => await listOffered(service),
    async fetch (reference, onProgress) {
      await untilFetched(async () => await service.getKernel(reference, { waitMs: WAIT_MS }), onProgress)
    },
    close: () => service.close()
  }
}

async function listOffered (service: Service): Promise<SyncKernel[]> {
  const all: SyncKernel[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<Service['listKernels']>> =
      await service.listKernels({ offered: true, limit: PAGE, ...(cursor === null ? {} : { cursor }) })
    all.push(...page.kernels.map(kernel => ({
      reference: kernel.reference,
      isHeld: kernel.state === 'held' && kernel.source !== UPLOAD_SOURCE,
      package: kernel.published?.package,
      bytes: kernel.published?.bytes
    })))
    cursor = page.nextCursor
  } while (cursor !== null)
  return all
}
