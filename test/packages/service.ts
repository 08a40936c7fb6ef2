import { AppError } from '../../src/errors.js'
import type { KernelReference } from '../../src/identity/reference.js'
import { createService } from '../../src/service/service.js'
import type { ServiceSettings, SourceSettings } from '../../src/settings/service-options.js'
import type { Service } from '../../src/service/types.js'

/** A service that has its kernels from the repositories of a file, and from nowhere else. Resolves when it is ready. */
export async function startWithRepositories (
  file: string, cacheDir: string, sources: SourceSettings = {}, more: Pick<ServiceSettings, 'catalogMs'> = {}
): Promise<Service> {
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

interface Asked {
  /** `uname -v` of the build that is meant. */
  readonly kernelVersion?: string
}

/** A kernel's BTF, however long that takes. */
export async function ask (service: Service, reference: KernelReference, asked: Asked = {}): ReturnType<Service['getKernelBtf']> {
  return await service.getKernelBtf(reference, undefined, { waitMs: 300_000, ...asked })
}

/** Why a service does not give a kernel's BTF. */
export async function refusalOf (service: Service, reference: KernelReference, asked: Asked = {}): Promise<AppError> {
  const error: unknown = await ask(service, reference, asked).then(() => undefined, (reason: unknown) => reason)
  if (!(error instanceof AppError)) throw new Error(`It was not refused: ${String(error)}`)
  return error
}
