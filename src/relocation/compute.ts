import { AppError } from '../errors.js'
import type { BtfAccess } from '../kernels/btf-access.js'
import type { KernelIndex } from '../kernels/kernel-index.js'
import type { Sha256 } from '../store/sha256.js'
import { toShared } from '../store/shared-bytes.js'
import type { WorkerPool } from '../workers/pool.js'
import type { RelocatedObject, RelocateTask } from '../workers/protocol.js'
import type { KeptResults } from './kept-results.js'
import { loadBtfs } from './load-btfs.js'
import type { Objects } from './objects.js'
import { loadOtherModules } from './other-modules.js'
import { isAssuming, releaseOf } from './result-keys.js'
import type { Target } from './targets.js'
import type { RelocateRequest } from './types.js'

export interface ComputeOptions {
  readonly objects: Objects
  readonly btfs: BtfAccess
  readonly index: KernelIndex
  readonly pool: WorkerPool
  /** Results that were made before, also by an earlier process. */
  readonly kept: KeptResults
  /** Where the layout table of a kernel is or would be. */
  readonly layoutPath: (btf: Sha256) => string
  /** Told of shared memory that was let go of, in bytes. */
  readonly onRelease: (bytes: number) => void
}

/** What is wanted of an object. */
export interface Wanted {
  readonly request: RelocateRequest
  readonly objectSha256: Sha256
  readonly target: Target
  readonly report: RelocateTask['report']
}

/** A result, and what it was made of. */
export interface Computed {
  readonly relocated: RelocatedObject
  /** In shared memory. */
  readonly object: Uint8Array
  /** Milliseconds until the BTF was there. */
  readonly fetchMs: number
  /** False for a report with every place, which is asked for once, by somebody who looks into something. */
  readonly isToBeHeld: boolean
}

export interface Computing {
  /**
   * A result that is not in memory: one that was kept, or what the engine makes.
   *
   * @throws AppError what loading the BTF or the object throws, and `relocation_failed`
   */
  compute(wanted: Wanted): Promise<Computed>
  /** Runs of the engine. */
  runs(): number
}

export function createComputing (options: ComputeOptions): Computing {
  const { btfs, index, pool, kept, layoutPath } = options
  let runs = 0

  /** Relocates once more where a type was not found that a module has which was not named: the report says which. */
  const run = async (task: RelocateTask, target: Target): Promise<RelocatedObject> => {
    runs++
    const first = await pool.run(task)
    const missingTypes = target.brought === undefined ? first.report?.missingTypes ?? [] : []
    const otherModules = await loadOtherModules({ index, btfs }, task.btf, target, missingTypes)
    return otherModules.length === 0 ? first : await pool.run({ ...task, otherModules }).catch(() => first)
  }

  return {
    async compute ({ request, objectSha256, target, report }) {
      const own = createOwnObject(request.object, objectSha256, options)
      // BTF that came with the request is used and forgotten, and so is what follows from it.
      const isKept = target.brought === undefined && !isAssuming(request)
      const resultOf = { btf: target.btf, modules: target.modules, release: releaseOf(request, target) }
      if (isKept) {
        const relocated = await kept.find(objectSha256, resultOf, result => hasReport(result, request), own.take)
        if (relocated !== undefined) {
          const object = await own.take()
          own.settle(true)
          return { relocated, object, fetchMs: 0, isToBeHeld: true }
        }
      }
      const started = performance.now()
      const [btf, ...modules] = target.brought ?? await loadBtfs(btfs, target)
      if (btf === undefined) throw new AppError('internal_error', 'A target has no vmlinux BTF.')
      const fetchMs = performance.now() - started
      const object = await own.take()
      const places = request.places ?? 'some'
      const relocated = await run({
        kind: 'relocate',
        object,
        objectSha256,
        btf,
        modules,
        report,
        places,
        kernelRelease: resultOf.release,
        assume: request.assume,
        ...(isKept ? { layoutPath: layoutPath(target.btf) } : {})
      }, target).catch((error: unknown) => {
        // Whatever libbpf thinks of it for this kernel, a worker could read it: it is an object worth keeping.
        own.settle(error instanceof AppError && (error.code === 'relocation_failed' || error.code === 'invalid_request'))
        throw error
      })
      own.settle(true)
      const isToBeHeld = places !== 'all'
      if (isKept && isToBeHeld) kept.keep(objectSha256, resultOf, relocated)
      return { relocated, object, fetchMs, isToBeHeld }
    },
    runs: () => runs
  }
}

/** The object of a request: the one that came with it, unless that is in memory already, or the one that it names. */
function createOwnObject (sent: Uint8Array | undefined, hash: Sha256, { objects, onRelease }: ComputeOptions) {
  let brought: Uint8Array | undefined
  return {
    async take (): Promise<Uint8Array> {
      if (brought !== undefined) return brought
      if (sent === undefined || objects.isHere(hash)) return await objects.get(hash)
      brought = toShared(sent)
      return brought
    },
    /** Keeps the one that came with the request if a worker could read it, else lets go of its memory. */
    settle (isObject: boolean): void {
      if (brought === undefined) return
      if (isObject) objects.hold(hash, brought)
      else onRelease(brought.length)
    }
  }
}

/** When a request needs its outcome explained. */
export function reportFor ({ wantsReport, onUnresolved }: RelocateRequest): RelocateTask['report'] {
  return wantsReport ? 'always' : onUnresolved === 'fail' ? 'failing' : 'never'
}

/** Whether a result has the report that a request needs. */
export function hasReport ({ report, verdict }: RelocatedObject, request: RelocateRequest): boolean {
  const wanted = reportFor(request)
  if (wanted === 'never' || (wanted === 'failing' && verdict === 'loads')) return true
  return report !== undefined && (wanted === 'failing' || request.places !== 'all' || !report.hasMorePlaces)
}
