import { LRUCache } from 'lru-cache'
import { AppError } from '../errors.js'
import type { Catalog } from '../kernels/catalog/catalog.js'
import type { BtfAccess } from '../kernels/btf-access.js'
import type { FairShare } from '../workers/fair-share.js'
import type { Fetching } from '../kernels/fetching.js'
import type { KernelIndex } from '../kernels/kernel-index.js'
import type { Objects } from '../relocation/objects.js'
import type { KeptValues } from '../store/kept-values.js'
import type { Sha256 } from '../store/sha256.js'
import { toShared } from '../store/shared-bytes.js'
import type { Pause } from '../workers/pauses.js'
import type { WorkerPool } from '../workers/pool.js'
import type { CheckedRuns, CheckRun, CheckTask } from '../workers/protocol.js'
import { createChecks, type Checks } from './checks.js'
import { CHECK_LIMITS, type CheckLimits } from './limits.js'
import { createKeptOutcomes } from './kept-outcomes.js'
import type { LayoutTables } from '../kernels/layout-tables.js'
import { createLayoutKeys } from './layout-keys.js'
import { createOutcomes } from './outcomes.js'
import type { KernelContent, NamedObject } from './types.js'

export interface OpenChecksOptions {
  readonly index: KernelIndex
  readonly btfs: Pick<BtfAccess, 'glance' | 'loadPast' | 'keepIndex'>
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
  /** Does what is asked of them when it is the caller's turn. */
  readonly inTurn: FairShare['run']
  /** Bytes of outcomes, and of what kernels are told apart by. */
  readonly memoryBytes: { readonly outcomes: number, readonly vectors: number }
  readonly limits?: Partial<CheckLimits> | undefined
  readonly pause: Pause
}

/** Checks by the parts of a service. What they read of BTF is read past its memory, in threads that give way to all others. */
export function openChecks ({
  btfs,
  tables,
  values,
  objects,
  catalog,
  lane,
  threads,
  inTurn,
  memoryBytes,
  limits,
  ...options
}: OpenChecksOptions): Checks {
  const known = new LRUCache<Sha256, { readonly warning: NamedObject['warning'] }>({ max: MAX_KNOWN })
  const inspect = async (hash: Sha256, object: Uint8Array): Promise<NamedObject['warning']> => {
    const { warning } = known.get(hash) ?? await lane.run({ kind: 'inspect', object, wantsInspection: false })
    known.set(hash, { warning })
    return warning
  }
  const outcomes = createKeptOutcomes(createOutcomes(memoryBytes.outcomes), values)
  return createChecks({
    ...options,
    offered: () => catalog.kernels(),
    keys: createLayoutKeys({ tables, maxBytes: memoryBytes.vectors }),
    outcomes,
    concurrency: threads,
    limits: { ...CHECK_LIMITS, ...limits },
    async get (hash) {
      await outcomes.load(hash)
      const bytes = await objects.get(hash)
      return { bytes, warning: await inspect(hash, bytes) }
    },
    async take (bytes, hash) {
      objects.requireSize(bytes)
      const shared = toShared(bytes)
      const warning = await inspect(hash, shared)
      objects.hold(hash, shared)
      await outcomes.load(hash)
      return { bytes: shared, warning }
    },
    relocate: (content, runs, caller) => relocateInLane({ btfs, run: task => inTurn(caller, () => lane.run(task)) }, content, runs)
  })
}

/** Objects of which it is remembered that they can be read, and whether there is anything to relocate. */
const MAX_KNOWN = 1024

async function relocateInLane (
  { btfs, run }: Pick<OpenChecksOptions, 'btfs'> & { readonly run: (task: CheckTask) => Promise<CheckedRuns> },
  { btf, modules }: KernelContent,
  runs: readonly CheckRun[]
): Promise<CheckedRuns> {
  const here = await run({ kind: 'check', btf: btfs.glance(btf), modules: modules.map(hash => btfs.glance(hash, btf)), runs })
  if (here.state === 'ready') {
    if (here.index !== undefined) btfs.keepIndex(btf, here.index)
    return here
  }
  // Not in any file of this machine: another replica, or the source that once gave it, may have it.
  const base = await btfs.loadPast(btf)
  const split = await Promise.all(modules.map(hash => btfs.loadPast(hash, base)))
  const again = await run({ kind: 'check', btf: base, modules: split, runs })
  if (again.state !== 'ready') throw new AppError('internal_error', 'BTF in memory counts as absent.')
  return again
}
