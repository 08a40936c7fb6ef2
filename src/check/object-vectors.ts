import type { PlacedVectors } from '../kernels/layout-tables.js'
import { createInterned, type Interned } from '../store/interned.js'
import { NO_TABLE } from '../workers/protocol.js'
import type { OutcomeKey } from './outcome-keys.js'

/** What a vector that is remembered weighs: its text, and a key. */
const TEXT_BYTES = 400

/** In the place of a vector: nothing is known of the kernel yet. */
export const NOT_ASKED = -1
/** In the place of a number: the kernel is not compared. */
export const NO_NUMBER = -1
/** In the place of a key: it is not made yet; the kernel has no outcome in common with others. */
const NOT_MADE = -1
export const NOT_COMMON = -2
/** Of one object. Where the verdict reads the very release, each kernel has a key of its own. */
export const MAX_KEYS = 4096

/** Vectors of one object on kernels, which have numbers, and the keys that follow from them. */
export interface Vectors {
  /** By a kernel's number: the place of its vector. */
  places: Int32Array
  /** The vectors, each once; empty for kernels that cannot be compared. */
  readonly texts: Interned<string>
  /** Of kernels that have an outcome in common. */
  keys: OutcomeKey[]
  /** By the place of the vector, then by that of what verdicts read: the place of the key, NOT_MADE or NOT_COMMON. */
  keyPlaces: Array<Int32Array | undefined>
}

/** Notes which vectors kernels have for an object, the `i`th of so many. */
export function placeVectors ({ places, texts }: Vectors, numbers: Int32Array, found: PlacedVectors, i: number, objects: number): void {
  const own = new Int32Array(found.vectors.length).fill(NOT_ASKED)
  for (let j = 0; j < numbers.length; j++) {
    const vector = found.places[j * objects + i] ?? NO_TABLE
    if (vector === NO_TABLE) continue
    let place = own[vector] ?? NOT_ASKED
    if (place === NOT_ASKED) own[vector] = place = texts.placeOf(found.vectors[vector] ?? '')
    places[numbers[j] ?? 0] = place
  }
}

export function weigh ({ places, texts, keys, keyPlaces }: Vectors): number {
  const ofKeys = keyPlaces.reduce((bytes, list) => bytes + (list?.byteLength ?? 0), 0)
  return Math.max(1, places.byteLength + ofKeys + TEXT_BYTES * (texts.list.length + keys.length))
}

/** The same, with places for so many kernels. */
export function withRoom (vectors: Vectors | undefined, end: number): Vectors {
  if (vectors === undefined) return { places: withPlaces(undefined, end, NOT_ASKED), texts: createInterned(), keys: [], keyPlaces: [] }
  if (vectors.places.length < end) vectors.places = withPlaces(vectors.places, end, NOT_ASKED)
  return vectors
}

/** @param empty what is in places that are new */
function withPlaces (places: Int32Array = new Int32Array(), end: number, empty: number): Int32Array {
  const larger = new Int32Array(Math.max(end, 2 * places.length)).fill(empty)
  larger.set(places)
  return larger
}

/** @returns the place of a kernel's key, or NOT_COMMON for one that is not compared or has no outcome in common with others */
export function keyPlaceOf (
  { places, texts, keys, keyPlaces }: Vectors,
  number: number,
  verdict: number,
  verdicts: readonly string[],
  isAlone: (scope: string) => boolean
): number {
  const place = number === NO_NUMBER ? NOT_ASKED : places[number] ?? NOT_ASKED
  if (place === NOT_ASKED) return NOT_COMMON
  let ofVector = keyPlaces[place]
  if (ofVector === undefined || verdict >= ofVector.length) keyPlaces[place] = ofVector = withPlaces(ofVector, verdict + 1, NOT_MADE)
  const known = ofVector[verdict] ?? NOT_MADE
  if (known !== NOT_MADE) return known
  const vector = texts.list[place] ?? ''
  const scope = `layout ${vector}`
  const made = vector === '' || isAlone(scope) ? NOT_COMMON : keys.push({ scope, text: `${scope} ${verdicts[verdict] ?? ''}` }) - 1
  ofVector[verdict] = made
  return made
}

/** Those that were given stay as they are. */
export function forgetKeys (vectors: Vectors): void {
  vectors.keys = []
  vectors.keyPlaces = []
}
