import { AppError } from '../errors.js'
import { LIMITS } from '../limits.js'
import type { BtfAccess } from '../kernels/btf-access.js'
import { abortable } from '../store/abortable.js'
import { residentBytes, type SharedBtf } from '../store/btf-memory.js'
import type { Sha256 } from '../store/sha256.js'
import { toShared } from '../store/shared-bytes.js'
import { mapInTurn } from '../workers/in-turn.js'
import type { WorkerPool } from '../workers/pool.js'
import { loadBtfs } from './load-btfs.js'
import { objectsUnknown, requireObjectHash, type Objects } from './objects.js'
import type { TargetRequest, Targets } from './targets.js'
import type { Deadline } from './types.js'

/** What a minimised BTF is asked for: objects by their bytes or by their hash, and at least one way to name the kernel. */
export interface MinimiseRequest extends TargetRequest {
  readonly objects: ReadonlyArray<Uint8Array | Sha256>
}

export interface MinimiseAnswer {
  /** Raw BTF. */
  readonly bytes: Uint8Array
  readonly sha256: Sha256
  /** Of the kernel. */
  readonly btfSha256: Sha256
  /** As RelocateAnswer has it. */
  readonly kernel: string | null
}

export interface MinimisingOptions {
  readonly targets: Targets
  readonly objects: Objects
  readonly btfs: BtfAccess
  readonly pool: WorkerPool
  /** Told of shared memory that was let go of, in bytes. */
  readonly onRelease: (bytes: number) => void
}

/** Cuts a kernel's BTF down to what objects need of it. */
export interface Minimising {
  /**
   * @throws AppError what Relocations.relocate throws for the kernel and for objects, and `relocation_failed` where libbpf would
   *   refuse one of them
   */
  minimise(request: MinimiseRequest, deadline?: Deadline): Promise<MinimiseAnswer>
}

export function createMinimising ({ targets, objects, btfs, pool, onRelease }: MinimisingOptions): Minimising {
  const minimise = async (request: MinimiseRequest, deadline: Deadline | undefined): Promise<MinimiseAnswer> => {
    const named = nameObjects(request.objects, objects)
    const target = await targets.find(request, deadline)
    try {
      const [btf, ...modules]: readonly SharedBtf[] = target.brought ?? await loadBtfs(btfs, target)
      if (btf === undefined) throw new AppError('internal_error', 'A target has no vmlinux BTF.')
      const taken = await takeObjects(named, objects)
      const minimised = await pool.run({ kind: 'minimise', objects: taken.map(({ sha256, bytes }) => ({ sha256, bytes })), btf, modules })
      for (const { sha256, bytes, brought } of taken) if (brought !== undefined) objects.hold(sha256, bytes)
      return { ...minimised, btfSha256: target.btf, kernel: target.kernel }
    } finally {
      target.brought?.forEach(brought => { onRelease(residentBytes(brought)) })
    }
  }
  return {
    async minimise (request, deadline) {
      const working = minimise(request, deadline)
      deadline?.keep?.(working)
      return await abortable(working, deadline?.signal)
    }
  }
}

interface TakenObject {
  readonly sha256: Sha256
  /** In shared memory. */
  readonly bytes: Uint8Array
  /** What the request has of it. */
  readonly brought: Uint8Array | undefined
}

/** @throws AppError `object_unknown` that names every object that is not held, `storage_unreadable` */
async function takeObjects (named: ReadonlyMap<Sha256, Uint8Array | undefined>, objects: Objects): Promise<TakenObject[]> {
  const unknown = new Set<Sha256>()
  const taken = await mapInTurn([...named], async ([sha256, brought]) => {
    objects.noteUse(sha256)
    try {
      return { sha256, bytes: brought === undefined || objects.isHere(sha256) ? await objects.get(sha256) : toShared(brought), brought }
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'object_unknown') throw error
      unknown.add(sha256)
      return undefined
    }
  })
  if (unknown.size > 0) throw objectsUnknown([...named.keys()].filter(hash => unknown.has(hash)))
  return taken.filter(object => object !== undefined)
}

/** Each object once, by its hash, with its bytes where the request has them. */
function nameObjects (given: MinimiseRequest['objects'], objects: Objects): ReadonlyMap<Sha256, Uint8Array | undefined> {
  if (given.length === 0 || given.length > LIMITS.minimisedObjects) {
    throw new AppError('invalid_request',
      given.length === 0
        ? 'The request has no object; send at least one.'
        : `The request has ${given.length} objects; at most ${LIMITS.minimisedObjects} can share one BTF.`,
      { field: 'object' })
  }
  const named = new Map<Sha256, Uint8Array | undefined>()
  for (const object of given) {
    if (typeof object !== 'string') {
      objects.requireSize(object)
      named.set(objects.hashOf(object), object)
      continue
    }
    requireObjectHash(object)
    if (!named.has(object)) named.set(object, undefined)
  }
  return named
}
