import type { KeptValues } from '../store/kept-values.js'
import { isSha256, type Sha256 } from '../store/sha256.js'
import type { Outcomes } from './outcomes.js'

/** Outcomes that outlive the process: each is kept with its object, and those of an object are there once it was loaded. */
export interface KeptOutcomes extends Outcomes {
  /** Reads what earlier checks found out about an object. */
  load(object: Sha256): Promise<void>
}

/** Before the keys of outcomes, among other values that are kept of an object. */
const PREFIX = 'outcome '

/** @param outcomes those in memory, whose keys begin with the object's hash and a space */
export function createKeptOutcomes (outcomes: Outcomes, values: KeptValues): KeptOutcomes {
  return {
    get: key => outcomes.get(key),
    set (key, json) {
      const space = key.indexOf(' ')
      const object = key.slice(0, space)
      if (isSha256(object)) values.keep(object, PREFIX + key.slice(space + 1), Buffer.from(json))
      return outcomes.set(key, json)
    },
    async load (object) {
      for (const [name, json] of await values.of(object)) {
        const key = `${object} ${name.slice(PREFIX.length)}`
        if (name.startsWith(PREFIX) && outcomes.get(key) === undefined) outcomes.set(key, Buffer.from(json).toString())
      }
    },
    get bytes () { return outcomes.bytes },
    get entries () { return outcomes.entries }
  }
}
