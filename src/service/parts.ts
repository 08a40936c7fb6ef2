import { randomUUID } from 'node:crypto'
import type { Checks } from '../check/checks.js'
import { openChecks } from '../check/open-checks.js'
import { createTypeHistories, type TypeHistories } from '../kernel-types/type-history.js'
import { createAnswers } from '../relocation/answers.js'
import { createAttestations, type Attestations } from '../relocation/attestations.js'
import { ownEngineBuild } from '../relocation/engine-build.js'
import { createKeptResults } from '../relocation/kept-results.js'
import { createMinimising, type Minimising } from '../relocation/minimising.js'
import { createObjects, type Objects } from '../relocation/objects.js'
import { createRelocations, type Relocations } from '../relocation/relocations.js'
import { openSigner } from '../relocation/signing.js'
import { createTargets, type Targets } from '../relocation/targets.js'
import type { ServiceSettings, Warn } from '../settings/service-options.js'
import { createKeptValues, type KeptValues } from '../store/kept-values.js'
import type { Sha256 } from '../store/sha256.js'
import { openKernelParts, type KernelParts } from './kernel-parts.js'
import { countReleases, shareMemory, type MemoryShares } from './memory-shares.js'
import { openStorage, type Storage } from './storage.js'
import type { Threads } from './threads.js'

/** What a service consists of, once it is open. */
export interface Parts extends Omit<KernelParts, 'start' | 'close' | 'hasSources'> {
  readonly storage: Storage
  readonly attestations: Attestations
  readonly objects: Objects
  readonly targets: Targets
  readonly values: KeptValues
  readonly relocations: Relocations
  readonly checks: Checks
  readonly histories: TypeHistories
  readonly minimising: Minimising
  /** Closes all parts and the threads, each before those that it needs. */
  close(): Promise<void>
}

/** Opens the parts, each after those that it needs, and waits until requests are answered without waiting for the start. */
export async function openParts (settings: ServiceSettings, threads: Threads, warn: Warn): Promise<Parts> {
  const onRelease = countReleases(settings.memoryBytes, threads.collectGarbage)
  const building = ownEngineBuild().catch((error: unknown) => {
    warn('The code of the engine cannot be read; results that were kept are made anew.', { error: String(error) })
    return randomUUID()
  })
  const signer = await openSigner(settings, warn)
  const memoryBytes = shareMemory(settings.memoryBytes)
  const storage = await openStorage({ settings, pool: threads.pool, memoryBytes: memoryBytes.btf, onRelease, warn })
  try {
    return await openOnStorage({ settings, threads, storage, signer, engine: await building, memoryBytes, onRelease, warn })
  } catch (error) {
    await storage.closeShared()
    await storage.close()
    throw error
  }
}

interface StorageParts {
  readonly settings: ServiceSettings
  readonly threads: Threads
  readonly storage: Storage
  readonly signer: Awaited<ReturnType<typeof openSigner>>
  /** Tells the code of the engine apart: what another one found out does not count. */
  readonly engine: string
  readonly memoryBytes: MemoryShares
  readonly onRelease: (bytes: number) => void
  readonly warn: Warn
}

async function openOnStorage (
  { settings, threads, storage, signer, engine, memoryBytes, onRelease, warn }: StorageParts
): Promise<Parts> {
  const { pool, lane, laneThreads, turns, pause } = threads
  const { index, store, shared } = storage
  const { sealKeys } = signer
  const attestations = createAttestations(signer)
  const { start, close: closeKernels, hasSources, ...kernelParts } =
    await openKernelParts({ settings, threads, storage, sealKeys, onRelease, warn })
  const { btfs, tables, local, fetching, catalog, presetFor } = kernelParts
  const { trustUploads } = settings

  const objects = createObjects({
    store,
    shared,
    pool,
    maxBytes: settings.maxObjectBytes,
    memoryBytes: memoryBytes.objects,
    onRelease
  })
  const targets = createTargets({ index, btfs, local, fetching, catalog, trustUploads, presetFor })
  const layoutPath = (btf: Sha256): string => store.pathOf('layout', btf)
  const values = createKeptValues({ store, sealKeys, engine, memoryBytes: memoryBytes.kept })
  const relocations = createRelocations({
    targets,
    objects,
    btfs,
    index,
    pool,
    answers: createAnswers(attestations),
    kept: createKeptResults({ values, pool, layoutPath }),
    layoutPath,
    memoryBytes: memoryBytes.results,
    onRelease
  })
  const checks = openChecks({
    index,
    btfs,
    tables,
    values,
    objects,
    fetching,
    catalog,
    trustUploads,
    hasSources,
    lane,
    threads: laneThreads,
    inTurn: turns.run,
    pause,
    memoryBytes: { outcomes: memoryBytes.checks, vectors: memoryBytes.vectors },
    limits: settings.checks
  })
  const histories = createTypeHistories({
    index,
    trustUploads,
    tables,
    pool: lane,
    glance: hash => btfs.glance(hash),
    loadPast: hash => btfs.loadPast(hash),
    concurrency: laneThreads,
    limits: settings.histories
  })
  const minimising = createMinimising({ targets, objects, btfs, pool, onRelease })
  await Promise.all([pool.ready(), start()])

  return {
    ...kernelParts,
    storage,
    attestations,
    objects,
    targets,
    values,
    relocations,
    checks,
    histories,
    minimising,
    async close () {
      await closeKernels()
      await storage.closeShared()
      await tables.close()
      await threads.close()
      await storage.close()
    }
  }
}
