import { setTimeout } from 'node:timers/promises'
import type { ContentStore } from '../store/content-store.js'
import type { Sha256 } from '../store/sha256.js'
import type { FairShare } from '../workers/fair-share.js'
import type { WorkerPool } from '../workers/pool.js'
import { createInterned } from '../store/interned.js'
import {
  hasEndedWorker, NO_TABLE, NOT_COMPARABLE, type CheckedBtf, type LayoutSource, type LayoutVectorsTask
} from '../workers/protocol.js'

/**
 * Layout tables of kernels, by the hash of their BTF: on disk beside it, and read by threads of the background, which keep nothing of
 * them. They never come from a shared store, whose content only its hash vouches for.
 *
 * A table that is missing, damaged or of another format is made when it is asked for, since it spares relocating all but the first of
 * the kernels that are alike. Those of kernels that are taken in are made in the background.
 */
export interface LayoutTables {
  /**
   * What tells kernels apart for objects: kernels with equal vectors are alike.
   *
   * @throws AppError `object_invalid`, and whatever the signal says
   */
  vectors(objects: LayoutVectorsTask['objects'], hashes: readonly Sha256[], asking: Asking): Promise<PlacedVectors>
  /** Notes that the table of a kernel is of use, so that it is not the next one to be removed. */
  noteUse(hash: Sha256): void
  /**
   * What tells kernels apart by the types of one name: see TaskValues. Null also where there is no table: it is made soon, where the BTF
   * is held.
   */
  typeDigests(name: string, hashes: readonly Sha256[], signal: AbortSignal): Promise<ReadonlyArray<string | null>>
  /** Makes the table of a kernel that was taken in, unless it is there. */
  prepare(hash: Sha256): void
  stats(): { readonly made: number }
  /** Makes the table that is the next one, or being made, and no more. */
  close(): Promise<void>
}

/** Vectors of objects on kernels, which are many thousands, and of which few differ. */
export interface PlacedVectors {
  /** Each once. Empty for kernels that cannot be compared for an object. */
  readonly vectors: readonly string[]
  /** Place of the vector for each object, of one kernel after the other. NO_TABLE where there is none, nor BTF of which one can be made. */
  readonly places: Int32Array
}

/** Who asks, and until when. */
export interface Asking {
  readonly caller: string
  readonly signal: AbortSignal
}

export interface LayoutTablesOptions {
  readonly store: Pick<ContentStore, 'pathOf' | 'write' | 'noteUse'>
  /** Where BTF can be had without keeping it in memory. Undefined: tables are only read. */
  readonly glance?: (hash: Sha256) => CheckedBtf
  readonly pool: Pick<WorkerPool, 'run'>
  /** Does what is asked of the pool when it is the caller's turn. */
  readonly inTurn?: FairShare['run']
  /** Tasks that are asked of the pool at a time. */
  readonly threads: number
  /** Whether there is work for requests and checks, which comes before making tables. */
  readonly isBusy?: () => boolean
}

/** Tables that one task reads for a name, each of which takes some 0.3 ms. */
const READ_AT_ONCE = 64
/**
 * The same for objects, so many of them. A task takes as much of the event loop as some tables take of the thread, so that it is to have
 * many; but threads share what one check asks for, callers take turns by tasks, and what comes back is gone through in one go. A power of
 * two, so that checks of a fleet go through it in few ways.
 */
export function vectorsAtOnce (objects: number): number {
  return Math.min(MOST_AT_ONCE, Math.max(READ_AT_ONCE, 2 ** Math.floor(Math.log2(VECTORS_OF_TASK / objects))))
}

const MOST_AT_ONCE = 256
const VECTORS_OF_TASK = 8192
/** Kernels that wait for their tables to be made. */
const MAX_WAITING = 100_000
/** Other work comes first, but not for ever. */
const GIVE_WAY_MS = 100
const GIVE_WAY_TIMES = 50

export function createLayoutTables ({
  store,
  glance,
  pool,
  inTurn = async (_caller, work) => await work(),
  threads,
  isBusy = () => false
}: LayoutTablesOptions): LayoutTables {
  const waiting = new Set<Sha256>()
  const closing = new AbortController()
  let making: Promise<void> | undefined
  let made = 0

  const pathOf = (hash: Sha256): string => store.pathOf('layout', hash)
  const keep = async (hash: Sha256, bytes: Uint8Array): Promise<void> => {
    made++
    await store.write('layout', hash, bytes)
  }
  const giveWay = async (): Promise<void> => {
    for (let i = 0; i < GIVE_WAY_TIMES && isBusy() && !closing.signal.aborted; i++) {
      await setTimeout(GIVE_WAY_MS, undefined, { signal: closing.signal, ref: false }).catch(() => {}) // it ends the waiting
    }
  }
  const make = async (hash: Sha256, btf: CheckedBtf): Promise<void> => {
    const { made: [table] } = await pool.run({ kind: 'layoutVectors', objects: [], sources: [{ sha256: hash, path: pathOf(hash), btf }] })
    if (table !== undefined) await keep(hash, table.bytes)
  }
  const makeAll = async (find: (hash: Sha256) => CheckedBtf): Promise<void> => {
    for (const hash of waiting) {
      if (closing.signal.aborted) break
      waiting.delete(hash)
      await giveWay()
      await make(hash, find(hash)).catch(() => {}) // BTF that a thread dies over has no table; it shows where the BTF is used
    }
    making = undefined
  }
  const prepare = (hash: Sha256): void => {
    if (glance === undefined || closing.signal.aborted || waiting.size === MAX_WAITING) return
    waiting.add(hash)
    making ??= makeAll(glance)
  }
  return {
    async vectors (objects, hashes, { caller, signal }) {
      const vectors = createInterned<string>()
      const found = new Int32Array(objects.length * hashes.length).fill(NO_TABLE)
      /** @returns the places of those that have no table */
      const ask = async (places: readonly number[], findBtf?: (hash: Sha256) => CheckedBtf): Promise<readonly number[]> => {
        const lacking: number[] = []
        for (let at = 0; at < places.length;) {
          const part: Array<{ readonly place: number, readonly sha256: Sha256 }> = []
          for (const place of places.slice(at)) {
            const sha256 = hashes[place]
            if (sha256 !== undefined) part.push({ place, sha256 })
          }
          const sources: LayoutSource[] = part.map(({ sha256 }) => findBtf === undefined
            ? { sha256, path: pathOf(sha256) }
            : { sha256, path: pathOf(sha256), btf: findBtf(sha256) })
          const answer = await inTurn(caller, async () => {
            signal.throwIfAborted()
            return await pool.run({ kind: 'layoutVectors', objects, sources })
          })
          for (const { source, bytes } of answer.made) {
            const hash = part[source]?.sha256
            if (hash !== undefined) await keep(hash, bytes)
          }
          const known = answer.vectors.map(vector => vectors.placeOf(vector))
          const placeOf = (vector: number): number => {
            if (vector === NO_TABLE) return NO_TABLE
            return (vector === NOT_COMPARABLE ? undefined : known[vector]) ?? vectors.placeOf('')
          }
          for (let i = 0; i < answer.read; i++) {
            const place = part[i]?.place
            if (place === undefined) continue
            let isLacking = false
            for (let o = 0; o < objects.length; o++) {
              const vector = answer.places[i * objects.length + o] ?? NO_TABLE
              found[place * objects.length + o] = placeOf(vector)
              isLacking ||= vector === NO_TABLE
            }
            if (isLacking) lacking.push(place)
          }
          at += answer.read
        }
        return lacking
      }
      const take = async (places: readonly number[]): Promise<void> => {
        // Where BTF is takes longer to say than all else, and nearly all kernels have a table.
        const lacking = await ask(places)
        if (glance === undefined || lacking.length === 0) return
        await ask(lacking, glance).catch((error: unknown) => {
          if (!hasEndedWorker(error)) throw error // BTF that a thread dies over has no table; others have theirs
        })
      }
      const atOnce = vectorsAtOnce(objects.length)
      let next = 0
      await Promise.all(Array.from({ length: threads }, async () => {
        while (next < hashes.length) {
          const from = next
          next += atOnce
          await take(Array.from({ length: Math.min(next, hashes.length) - from }, (_, i) => from + i))
        }
      }))
      return { vectors: vectors.list, places: found }
    },
    noteUse (hash) { store.noteUse('layout', hash) },
    async typeDigests (name, hashes, signal) {
      const found: Array<string | null> = []
      for (let at = 0; at < hashes.length; at += READ_AT_ONCE) {
        signal.throwIfAborted()
        const part = hashes.slice(at, at + READ_AT_ONCE)
        const digests = await pool.run({ kind: 'typeDigests', name, sources: part.map(sha256 => ({ sha256, path: pathOf(sha256) })) })
        found.push(...digests)
        part.forEach((hash, i) => {
          if (typeof digests[i] === 'string') store.noteUse('layout', hash)
          else prepare(hash)
        })
      }
      return found
    },
    prepare,
    stats: () => ({ made }),
    async close () {
      closing.abort()
      await making
    }
  }
}
