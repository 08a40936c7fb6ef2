import { LRUCache } from 'lru-cache'
import type { CheckOutcome } from './wire.js'

/** Outcomes by what they follow from, the least recently used of which go first. Equal outcomes are one object. */
export interface Outcomes {
  get(key: string): CheckOutcome | undefined
  /** Keeps an outcome that came as JSON, and gives the one object that stands for it. */
  set(key: string, json: string): CheckOutcome
  readonly bytes: number
  readonly entries: number
}

/** What a key weighs beside the outcome that it shares with others, in bytes, as an estimate from above. */
const KEY_OVERHEAD = 200
/** An outcome as objects takes so many times the bytes of its JSON. */
const PARSED_FACTOR = 3

interface Shared {
  readonly json: string
  readonly outcome: CheckOutcome
  holders: number
}

export function createOutcomes (maxBytes: number): Outcomes {
  const shared = new Map<string, Shared>()
  let sharedBytes = 0
  const leave = (held: Shared): void => {
    if (--held.holders > 0) return
    shared.delete(held.json)
    sharedBytes -= weigh(held.json)
  }
  const keys = new LRUCache<string, Shared>({
    maxSize: maxBytes,
    sizeCalculation: (_held, key) => KEY_OVERHEAD + 2 * key.length,
    dispose: leave
  })
  return {
    get: key => keys.get(key)?.outcome,
    set (key, json) {
      const held = shared.get(json) ?? { json, outcome: JSON.parse(json) as CheckOutcome, holders: 0 } // what a worker of ours wrote
      if (held.holders++ === 0) {
        shared.set(json, held)
        sharedBytes += weigh(json)
      }
      keys.set(key, held)
      if (keys.peek(key) !== held) leave(held) // larger than all the memory there is
      while (keys.calculatedSize + sharedBytes > maxBytes && keys.pop() !== undefined);
      return held.outcome
    },
    get bytes () { return keys.calculatedSize + sharedBytes },
    get entries () { return keys.size }
  }
}

function weigh (json: string): number { return PARSED_FACTOR * json.length }
