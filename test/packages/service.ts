import { createService } from '../../src/service/service.js'
import type { ServiceSettings, SourceSettings } from '../../src/settings/service-options.js'
import type { Service } from '../../src/service/types.js'

/** A service that has its kernels from the repositories of a file, and from nowhere else. Resolves when it is ready. */
export async function startWithRepositories (file: string, cacheDir: string, sources: SourceSettings = {}, more: Pick<ServiceSettings, 'catalogMs'> = {}): Promise<Service> {
  const service = createService({
    cacheDir,
    memoryBytes: 512 * 1024 * 1024,
    workers: 1,
    deadlineMs: 60_000,
    maxObjectBytes: 1 << 24,
    maxBtfBytes: 1 << 26,
    localKernel: false,
    trustUploads: false,
    packages: [file],
    sources,
    ...more
  })
  await service.ready()
  return service
}
