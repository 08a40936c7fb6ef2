import { AppError } from '../errors.js'
import { searchKernelTypes, writeKernelTypes } from '../kernel-types/kernel-types.js'
import { diffKernelTypes } from '../kernel-types/type-diff.js'
import type { ServiceHooks, ServiceSettings } from '../settings/service-options.js'
import { isSha256, type Sha256 } from '../store/sha256.js'
import type { StartThreads } from '../workers/threads.js'
import { openParts, type Parts } from './parts.js'
import { collectStats } from './statistics.js'
import { createThreads } from './threads.js'
import type { Service } from './types.js'
import { withoutFloods } from './warnings.js'

export type { ServiceHooks, ServiceSettings } from '../settings/service-options.js'

/** What a service is given beside its settings. */
export interface ServiceParts extends ServiceHooks {
  /** Where the threads of its workers come from. Undefined: they are its own. */
  readonly startThreads?: StartThreads
}

/** Starts a service: threads, store, running kernel. It takes requests at once; ready() tells when they need not wait for the start. */
export function createService (settings: ServiceSettings, { onWarning, ...more }: ServiceParts = {}): Service {
  const warn = withoutFloods(onWarning ?? (() => {}))
  const threads = createThreads(settings, { ...more, onWarning: warn })
  const { pool } = threads
  let parts: Parts | undefined
  const opening = openParts(settings, threads, warn).then(opened => { parts = opened; return opened })
  opening.catch(() => {}) // each request that waits for it is told
  let closing: Promise<void> | undefined

  return {
    relocate: (request, deadline) => parts === undefined
      ? opening.then(({ relocations }) => relocations.relocate(request, deadline))
      : parts.relocations.relocate(request, deadline),
    findHeld: question => parts?.relocations.findHeld(question),
    check: async (request, signal) => await (parts ?? await opening).checks.begin(request, signal),
    minimiseBtf: async (request, deadline) => await (parts ?? await opening).minimising.minimise(request, deadline),
    inspect: async object => await (parts ?? await opening).objects.inspect(object),
    putObject: async (bytes, expected) => await (parts ?? await opening).objects.put(bytes, expected),
    hasObject: async hash => await (parts ?? await opening).objects.has(requireHash(hash)),
    writeObjectTypes: async (object, wanted) => await (parts ?? await opening).objects.writeTypes(requireHash(object), wanted),
    listKernels: async filter => await (parts ?? await opening).kernels.list(filter),
    getKernel: async (reference, question) => await (parts ?? await opening).kernels.get(reference, question),
    getKernelBtf: async (reference, module, question) => await (parts ?? await opening).kernels.getBtf(reference, module, question),
    writeTypes: async (reference, wanted, question) =>
      await writeKernelTypes({ kernels: (parts ?? await opening).kernels, pool }, reference, wanted, question),
    searchTypes: async (reference, search, question) =>
      await searchKernelTypes({ kernels: (parts ?? await opening).kernels, pool }, reference, search, question),
    async diffTypes (request, deadline) {
      const { targets, btfs } = parts ?? await opening
      return await diffKernelTypes({ targets, btfs, pool }, request, deadline)
    },
    typeHistory: async (request, signal) => await (parts ?? await opening).histories.find(request, signal),
    putKernelBtf: async (reference, bytes, provenance, module, facts) =>
      await (parts ?? await opening).kernels.putBtf(reference, bytes, provenance, module, facts),
    async getBtf (hash) {
      const { btfs } = parts ?? await opening
      const bytes = await btfs.read(requireHash(hash))
      if (bytes === undefined) throw new AppError('btf_unknown', `The service does not hold BTF ${hash}.`, { btf_sha256: hash })
      return bytes
    },
    async hasBtf (hash) {
      const { btfs } = parts ?? await opening
      const bytes = await btfs.sizeOf(requireHash(hash))
      return bytes === undefined ? undefined : { bytes }
    },
    publicKeys: async () => (parts ?? await opening).attestations.jwks,
    async refreshCatalog () { await (parts ?? await opening).catalog.refresh() },
    stats: () => collectStats(threads, parts),
    ready: async () => { await opening },
    async close () {
      closing ??= (async () => {
        const opened = await opening.catch(() => undefined)
        await (opened ?? threads).close()
      })()
      await closing
    }
  }
}

function requireHash (hash: Sha256): Sha256 {
  if (!isSha256(hash)) throw new AppError('invalid_request', 'Content is named by sha256: and 64 lower-case hex digits.', { field: 'hash' })
  return hash
}
