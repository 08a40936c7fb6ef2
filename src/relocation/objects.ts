import { AppError } from '../errors.js'
import type { ContentStore } from '../store/content-store.js'
import { isSha256, sha256, type Sha256 } from '../store/sha256.js'
import { createSingleFlight } from '../store/single-flight.js'
import type { SharedContent } from '../store/shared/shared-content.js'
import { toShared } from '../store/shared-bytes.js'
import type { WorkerPool } from '../workers/pool.js'
import type { WriteObjectTypesTask, WrittenTypes } from '../workers/protocol.js'
import { createObjectMemory } from './object-memory.js'
import type { InspectAnswer } from './types.js'

export interface ObjectsOptions {
  readonly store: ContentStore
  /** What other replicas hold. */
  readonly shared?: SharedContent | undefined
  readonly pool: WorkerPool
  readonly maxBytes: number
  readonly memoryBytes: number
  /** Told of shared memory that was let go of, in bytes. */
  readonly onRelease: (bytes: number) => void
}

/** eBPF objects by content: memory, disk, then the shared store, to which those go that were put by hash. */
export interface Objects {
  /** @throws AppError `too_large` */
  requireSize(bytes: Uint8Array): void
  /** The hash of an object. Found by comparison where the object is in memory, which costs a tenth. */
  hashOf(bytes: Uint8Array): Sha256
  /**
   * In shared memory.
   *
   * @throws AppError `object_unknown`, `storage_unreadable`
   */
  get(hash: Sha256): Promise<Uint8Array>
  has(hash: Sha256): Promise<boolean>
  /** Whether `get` finds it in memory. */
  isHere(hash: Sha256): boolean
  /** Notes that an object is in use, so that it stays on disk although it is read from memory, or only its result is. */
  noteUse(hash: Sha256): void
  /**
   * Stores an object that can be read. Resolves when it is on disk, or could not be put there and is held in memory.
   *
   * @throws AppError `invalid_request` for another hash, `object_invalid`, `too_large`
   */
  put(bytes: Uint8Array, expected: Sha256): Promise<{ created: boolean }>
  inspect(bytes: Uint8Array): Promise<InspectAnswer>
  /**
   * Types that the program was compiled with, as C or as JSON.
   *
   * @throws AppError what `get` throws, and `not_found` for a type that it has not
   */
  writeTypes(hash: Sha256, wanted: WriteObjectTypesTask['wanted']): Promise<WrittenTypes>
  /** Keeps an object in shared memory that came with a request and that a worker has read: in memory, and on disk when there is time. */
  hold(hash: Sha256, bytes: Uint8Array): void
  stats(): { readonly bytes: number, readonly entries: number }
}

export function createObjects ({ store, shared, pool, maxBytes, memoryBytes, onRelease }: ObjectsOptions): Objects {
  const memory = createObjectMemory(memoryBytes, onRelease)

  const puts = createSingleFlight<{ created: boolean }>()

  const requireSize = (bytes: Uint8Array): void => {
    if (bytes.length > maxBytes) {
      throw new AppError('too_large',
        `The object has ${bytes.length} bytes; at most ${maxBytes} are taken.`,
        { bytes: bytes.length, limit: maxBytes })
    }
  }
  const hashOf = (bytes: Uint8Array): Sha256 => memory.recognise(bytes) ?? sha256(bytes)
  const has = async (hash: Sha256): Promise<boolean> =>
    memory.has(hash) || await store.sizeOf('object', hash) !== undefined || await shared?.sizeOf('object', hash) !== undefined
  /** From disk, else from another replica. What the disk has and does not give is an error only where nobody else has it. */
  const readStored = async (hash: Sha256): Promise<Uint8Array | undefined> => {
    try {
      return await store.read('object', hash) ?? await readShared(hash)
    } catch (error) {
      const elsewhere = await readShared(hash)
      if (elsewhere !== undefined) return elsewhere
      throw error
    }
  }
  const readShared = async (hash: Sha256): Promise<Uint8Array | undefined> => {
    const bytes = await shared?.read('object', hash)
    if (bytes !== undefined) store.writeBehind('object', hash, bytes)
    return bytes
  }

  const get = async (hash: Sha256): Promise<Uint8Array> => {
    const held = memory.get(hash)
    if (held !== undefined) return held
    const elsewhere = await readStored(hash)
    if (elsewhere === undefined) {
      throw objectsUnknown([hash])
    }
    const shared = elsewhere.buffer instanceof SharedArrayBuffer ? elsewhere : toShared(elsewhere)
    memory.set(hash, shared)
    return shared
  }

  const keep = async (bytes: Uint8Array, hash: Sha256): Promise<{ created: boolean }> => {
    const object = toShared(bytes)
    await pool.run({ kind: 'inspect', object, wantsInspection: false })
    const held = await has(hash).catch(() => false)
    const isIntact = await store.read('object', hash).then(read => read !== undefined, () => false) // writing tells what is wrong
    if (!isIntact) await store.write('object', hash, object)
    memory.set(hash, object)
    shared?.offer('object', hash, async () => memory.peek(hash) ?? await store.read('object', hash))
      .catch(() => {}) // tried again by whoever sends it again
    return { created: !held }
  }

  return {
    requireSize,
    hashOf,
    has,
    isHere: hash => memory.has(hash),
    noteUse (hash) { store.noteUse('object', hash) },
    hold (hash, bytes) {
      if (memory.has(hash)) return onRelease(bytes.length)
      memory.set(hash, bytes)
      store.writeBehind('object', hash, bytes)
    },
    get,
    async put (bytes, expected) {
      requireObjectHash(expected, 'hash')
      requireSize(bytes)
      const actual = hashOf(bytes)
      if (actual !== expected) {
        throw new AppError('invalid_request',
          `The bytes have the hash ${actual}, not the ${expected} of the address.`,
          { expected, actual })
      }
      // When a fleet starts, hundreds of nodes bring the same object at once. One of them stored it.
      let isFirst = false
      const { created } = await puts.run(expected, async () => {
        isFirst = true
        const isHeld = memory.has(expected) && await store.sizeOf('object', expected).catch(() => undefined) !== undefined
        return isHeld ? { created: false } : await keep(bytes, expected)
      })
      return { created: created && isFirst }
    },
    async writeTypes (hash, wanted) {
      const object = await get(hash)
      store.noteUse('object', hash)
      return await pool.run({ kind: 'writeObjectTypes', object, objectSha256: hash, wanted })
    },
    async inspect (bytes) {
      requireSize(bytes)
      const answer = await pool.run({ kind: 'inspect', object: toShared(bytes), wantsInspection: true })
      onRelease(bytes.length)
      if (answer.inspection === undefined) throw new AppError('internal_error', 'The worker did not inspect the object.')
      return { sha256: answer.sha256, bytes: bytes.length, inspection: answer.inspection }
    },
    stats: () => ({ bytes: memory.size, entries: memory.entries })
  }
}

/** Of objects that are not held, by their hashes: whoever asks with many wants to send all in one go. `objects` lists them. */
export function objectsUnknown (hashes: readonly Sha256[]): AppError {
  const [first] = hashes
  return new AppError('object_unknown',
    hashes.length === 1
      ? `The service does not hold object ${first}; send it, or PUT it first.`
      : [`The service does not hold ${hashes.length} of the objects; send them, or PUT them first:`, ...hashes].join('\n'),
    { object_sha256: first, ...(hashes.length === 1 ? {} : { objects: hashes.map(hash => ({ object_sha256: hash })) }) })
}

/** @param field of the request that names it. @throws AppError `invalid_request` where it is no hash */
export function requireObjectHash (text: string, field = 'object'): asserts text is Sha256 {
  if (!isSha256(text)) throw new AppError('invalid_request', 'An object is named by sha256: and 64 lower-case hex digits.', { field })
}
