import { AppError } from '../errors.js'
import type { Catalog } from '../kernels/catalog/catalog.js'
import type { BtfAccess } from '../kernels/btf-access.js'
import type { Fetching } from '../kernels/fetching.js'
import type { KernelIndex } from '../kernels/kernel-index.js'
import type { Objects } from '../relocation/objects.js'
import type { KeptValues } from '../store/kept-values.js'
import { toShared } from '../store/shared-bytes.js'
import type { WorkerPool } from '../workers/pool.js'
import type { CheckedRuns, CheckRun } from '../workers/protocol.js'
import { createChecks, type Checks } from './checks.js'
import { CHECK_LIMITS, type CheckLimits } from './limits.js'
import { createKeptOutcomes } from './kept-outcomes.js'
import type { LayoutTables } from '../kernels/layout-tables.js'
import { createLayoutKeys } from './outcome-keys.js'
import { createOutcomes } from './outcomes.js'
import type { KernelContent } from './types.js'

export interface OpenChecksOptions {
  readonly index: KernelIndex
  readonly btfs: Pick<BtfAccess, 'glance' | 'loadPast'>
  /** By which kernels are compared without their BTF. */
  readonly tables: LayoutTables
  /** What earlier checks found out, also those of an earlier process. */
  readonly values: KeptValues
  readonly objects: Pick<Objects, 'get' | 'hold' | 'requireSize'>
  readonly fetching: Pick<Fetching, 'obtain'>
  readonly catalog: Pick<Catalog, 'kernels'>
  readonly trustUploads: boolean
  /** Whether there is a source of BTF at all. */
  readonly hasSources: boolean
  /** Threads of the background: nothing else has them. */
  readonly lane: WorkerPool
  readonly threads: number
  readonly memoryBytes: number
  readonly limits?: Partial<CheckLimits> | undefined
}

/** An object on each of 100,000 kernels, or 100 objects on 1,000. */
const MAX_VECTORS = 100_000

/** Checks by the parts of a service. What they read of BTF is read past its memory, in threads that give way to all others. */
export function openChecks (
  { btfs, tables, values, objects, catalog, lane, threads, memoryBytes, limits, ...options }: OpenChecksOptions
): Checks {
  const outcomes = createKeptOutcomes(createOutcomes(memoryBytes), values)
  return createChecks({
    ...options,
    offered: () => catalog.kernels(),
    keys: createLayoutKeys({ tables, pool: lane, maxVectors: MAX_VECTORS }),
    outcomes,
    concurrency: threads,
    limits: { ...CHECK_LIMITS, ...limits },
    async get (hash) {
      await outcomes.load(hash)
      return await objects.get(hash)
    },
    async take (bytes, hash) {
      objects.requireSize(bytes)
      const shared = toShared(bytes)
      await lane.run({ kind: 'inspect', object: shared, wantsInspection: false })
      objects.hold(hash, shared)
      await outcomes.load(hash)
      return shared
    },
    relocate: (content, runs) => relocateInLane({ btfs, lane }, content, runs)
  })
}

async function relocateInLane (
  { btfs, lane }: Pick<OpenChecksOptions, 'btfs' | 'lane'>,
  { btf, modules }: KernelContent,
  runs: readonly CheckRun[]
): Promise<CheckedRuns> {
  const here = await lane.run({ kind: 'check', btf: btfs.glance(btf), modules: modules.map(hash => btfs.glance(hash, btf)), runs })
  if (here.state === 'ready') return here
  // Not in any file of this machine: another replica, or the source that once gave it, may have it.
  const base = await btfs.loadPast(btf)
  const split = await Promise.all(modules.map(hash => btfs.loadPast(hash, base)))
  const again = await lane.run({ kind: 'check', btf: base, modules: split, runs })
  if (again.state !== 'ready') throw new AppError('internal_error', 'BTF in memory counts as absent.')
  return again
}
