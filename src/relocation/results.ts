import { LRUCache } from 'lru-cache'
import type { Patches } from '../core/index.js'
import type { Sha256 } from '../store/sha256.js'
import type { RelocatedObject } from '../workers/protocol.js'
import type { Outcome } from './answers.js'

/** Results by what they follow from, the least recently used of which go first. */
export interface Results {
  get(key: string): Outcome | undefined
  /** Holds a result, and gives what is held of it: results of one object share its bytes, and equal results their patches. */
  set(key: string, objectSha256: Sha256, object: Uint8Array, relocated: RelocatedObject & { readonly fetchMs: number }): Outcome
  /** In bytes, the objects that results hold included. */
  readonly size: number
  readonly entries: number
}

export interface ResultsOptions {
  readonly memoryBytes: number
  /** Told of results that are held no more. */
  readonly onEvict: (outcome: Outcome) => void
  /** Told of objects in shared memory that no result holds any more, in bytes. */
  readonly onRelease: (bytes: number) => void
}

/**
 * What a result weighs besides its patches and its report, in bytes, as an estimate from above: counts, hashes, three views of the patches.
 */
const RESULT_OVERHEAD = 1500
const KEY_COPIES = 2

/** Something that several results hold. */
interface Shared<T> {
  readonly value: T
  holders: number
}

/**
 * Only what kernels differ in is kept for each of them: a result is a list of patches, a few hundred bytes, beside an object that
 * all its results share. The bytes are made when they are sent.
 */
export function createResults ({ memoryBytes, onEvict, onRelease }: ResultsOptions): Results {
  const objects = createShares<Uint8Array>()
  const patches = createShares<Patches>()
  let objectBytes = 0
  const names = new WeakMap<Outcome, { readonly object: Sha256, readonly patches: string }>()
  const leave = (outcome: Outcome): void => {
    const name = names.get(outcome)
    if (name === undefined) return
    patches.leave(name.patches)
    if (!objects.leave(name.object)) return
    objectBytes -= outcome.object.length
    onRelease(outcome.object.length)
  }
  const results = new LRUCache<string, Outcome>({
    maxSize: memoryBytes,
    sizeCalculation: weigh,
    dispose (outcome) {
      onEvict(outcome)
      leave(outcome)
    }
  })
  return {
    get: key => results.get(key),
    set (key, objectSha256, object, relocated) {
      const name = { object: objectSha256, patches: objectSha256 + relocated.sha256 }
      const heldObject = objects.join(name.object, object)
      if (heldObject.holders === 1) objectBytes += object.length
      const outcome: Outcome = { ...relocated, object: heldObject.value, patches: patches.join(name.patches, relocated.patches).value }
      names.set(outcome, name)
      results.set(key, outcome)
      if (results.peek(key) !== outcome) leave(outcome) // larger than all the memory there is
      while (results.calculatedSize + objectBytes > memoryBytes && results.pop() !== undefined);
      return outcome
    },
    get size () { return results.calculatedSize + objectBytes },
    get entries () { return results.size }
  }
}

function createShares<T> () {
  const shares = new Map<string, Shared<T>>()
  return {
    /** The value of that name: the one that is held, or this. */
    join (name: string, value: T): Shared<T> {
      const share = shares.get(name) ?? { value, holders: 0 }
      share.holders++
      shares.set(name, share)
      return share
    },
    /** Whether it was the last holder. */
    leave (name: string): boolean {
      const share = shares.get(name)
      if (share === undefined || --share.holders > 0) return false
      shares.delete(name)
      return true
    }
  }
}

function weigh ({ patches, report }: Outcome, key: string): number {
  return patches.offsets.length * 20 + RESULT_OVERHEAD + KEY_COPIES * key.length +
    (report === undefined ? 0 : report.members.length + report.failing.length)
}
