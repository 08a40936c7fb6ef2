import { LRUCache } from 'lru-cache'
import type { Asking, LayoutTables, PlacedVectors } from '../kernels/layout-tables.js'
import { atMost } from '../store/at-most.js'
import { createInterned, type Interned } from '../store/interned.js'
import type { Sha256 } from '../store/sha256.js'
import { NO_TABLE } from '../workers/protocol.js'
import { readsVersion } from '../workers/reads-version.js'
import { contentKey, createContentKeys, verdictText, type OutcomeKey, type OutcomeKeys, type PlacedKeys } from './outcome-keys.js'
import type { CheckedObject, KernelContent } from './types.js'

export interface LayoutKeysOptions {
  readonly tables: Pick<LayoutTables, 'vectors' | 'noteUse'>
  /** For vectors that are remembered. */
  readonly maxBytes: number
}

/** Scopes that turned out to have more than one outcome for an object. */
const MAX_ALONE = 50_000
/** Kernels that have a number: those of the largest check, twice. Where there are more, all is asked for anew. */
const MAX_NUMBERED = 100_000
/** What a number weighs, in bytes: a place in a map, and a text. */
const NUMBER_BYTES = 128
/** What a vector that is remembered weighs: its text, and a key. */
const TEXT_BYTES = 400

/** In the place of a vector: nothing is known of the kernel yet. */
const NOT_ASKED = -1
/** In the place of a number: the kernel is not compared. */
const NO_NUMBER = -1
/** Milliseconds in which the use of a table is noted once: it is kept for months, and each check uses thousands. */
const NOTE_MS = 60_000

/** Of one object. */
interface Vectors {
  /** By a kernel's number: the place of its vector. */
  places: Int32Array
  /** The vectors, each once; empty for kernels that cannot be compared. */
  readonly texts: Interned<string>
  /** Of kernels that have an outcome in common. */
  keys: OutcomeKey[]
  /** By the place of the vector, then by that of what verdicts read: the place of the key, NOT_MADE or NOT_COMMON. */
  keyPlaces: Array<Int32Array | undefined>
}

/** What is remembered of kernels, which have numbers: a check asks for some hundred thousand rows, and each takes four bytes. */
interface Remembered {
  readonly numbers: Interned<Sha256>
  readonly verdicts: Interned<string>
  readonly byObject: LRUCache<Sha256, Vectors>
  /** By identity: checks of one fleet have the same lists, in which each kernel is looked up once. */
  readonly lists: WeakMap<readonly KernelContent[], ListedKernels>
  /** When the use of tables was noted, by the numbers of kernels. */
  notedAt: Float64Array
}

/** What is known of the kernels of a list. */
interface ListedKernels {
  readonly numbers: Int32Array
  /** More than all of them. */
  readonly end: number
  /** Places of what verdicts read, by whether the object reads the version. */
  readonly verdicts: Map<boolean, Int32Array>
}

/**
 * By layout: kernels that lay out all types that the object demands alike, as far as the verdict reads the same of their releases. A
 * kernel that cannot be compared so, and one with modules, has its content's key.
 */
export function createLayoutKeys ({ tables, maxBytes }: LayoutKeysOptions): OutcomeKeys {
  const contents = createContentKeys()
  const areAlone = new LRUCache<string, true>(atMost(MAX_ALONE))
  const createRemembered = (): Remembered => ({
    numbers: createInterned(),
    verdicts: createInterned(),
    byObject: new LRUCache<Sha256, Vectors>({ maxSize: Math.max(1, maxBytes), sizeCalculation: weigh }),
    lists: new WeakMap(),
    notedAt: new Float64Array()
  })
  let current = createRemembered()

  const findVectors = async (
    remembered: Remembered,
    objects: readonly CheckedObject[],
    kernels: readonly KernelContent[],
    { numbers, end }: ListedKernels,
    asking: Asking
  ): Promise<readonly Vectors[]> => {
    const { byObject } = remembered
    const known = objects.map(({ sha256 }) => withRoom(byObject.get(sha256), end))
    const missing = new Map<number, Sha256>()
    const lacking: Array<{ readonly object: CheckedObject, readonly vectors: Vectors }> = []
    for (const [i, object] of objects.entries()) {
      const vectors = known[i]
      if (vectors === undefined) continue
      let isLacking = false
      for (let k = 0; k < numbers.length; k++) {
        const number = numbers[k] ?? NO_NUMBER
        if (number === NO_NUMBER || vectors.places[number] !== NOT_ASKED) continue
        isLacking = true
        const kernel = missing.has(number) ? undefined : kernels[k]
        if (kernel !== undefined) missing.set(number, kernel.btf)
      }
      if (isLacking) lacking.push({ object, vectors })
    }
    if (missing.size === 0) return known
    const asked = lacking.map(({ object: { bytes: object, sha256: objectSha256 } }) => ({ object, objectSha256 }))
    const found = await tables.vectors(asked, [...missing.values()], asking)
    const missingNumbers = Int32Array.from(missing.keys())
    for (const [i, { object, vectors }] of lacking.entries()) {
      take(vectors, missingNumbers, found, i, lacking.length)
      keep(byObject, object.sha256, vectors)
    }
    noteUses(remembered, missing, end, lacking.map(({ vectors }) => vectors.places))
    return known
  }

  const noteUses = (
    remembered: Remembered, asked: ReadonlyMap<number, Sha256>, end: number, places: readonly Int32Array[]
  ): void => {
    if (remembered.notedAt.length < end) {
      const larger = new Float64Array(Math.max(end, 2 * remembered.notedAt.length)).fill(-Infinity)
      larger.set(remembered.notedAt)
      remembered.notedAt = larger
    }
    const { notedAt } = remembered
    const now = performance.now()
    for (const [number, hash] of asked) {
      if (now - (notedAt[number] ?? 0) < NOTE_MS || places.every(list => list[number] === NOT_ASKED)) continue
      notedAt[number] = now
      tables.noteUse(hash)
    }
  }

  return {
    alone: contents.alone,
    noteAlone (object, scope) {
      areAlone.set(object.sha256 + scope, true)
      const vectors = current.byObject.peek(object.sha256)
      if (vectors !== undefined) forgetKeys(vectors)
    },
    get bytes () {
      const { numbers, verdicts, byObject } = current
      return NUMBER_BYTES * (numbers.list.length + verdicts.list.length) + byObject.calculatedSize
    },
    async of (objects, kernels, asking) {
      if (current.numbers.list.length + current.verdicts.list.length > MAX_NUMBERED) current = createRemembered()
      const remembered = current
      const listed = remembered.lists.get(kernels) ?? list(remembered, kernels)
      const known = await findVectors(remembered, objects, kernels, listed, asking)
      return keysOfObjects(remembered, objects, kernels, listed, known)
    }
  }

  function * keysOfObjects (
    { verdicts, byObject }: Remembered,
    objects: readonly CheckedObject[],
    kernels: readonly KernelContent[],
    listed: ListedKernels,
    known: readonly Vectors[]
  ): Generator<PlacedKeys> {
    for (const [i, object] of objects.entries()) {
      const version = readsVersion(object)
      const ofKernels = verdictsOf(listed, kernels, version, verdicts)
      const vectors = known[i]
      if (vectors === undefined) throw new RangeError(`There are no vectors of object ${i}.`)
      const isAlone = (scope: string): boolean => areAlone.has(object.sha256 + scope)
      const before = vectors.keys.length
      if (before > MAX_KEYS) forgetKeys(vectors)
      const own: OutcomeKey[] = []
      const places = new Int32Array(kernels.length)
      for (let k = 0; k < places.length; k++) {
        const place = keyPlaceOf(vectors, listed.numbers[k] ?? NO_NUMBER, ofKernels[k] ?? 0, verdicts.list, isAlone)
        const kernel = place === NOT_COMMON ? kernels[k] : undefined
        places[k] = kernel === undefined ? place : -own.push(contentKey(kernel, version))
      }
      if (vectors.keys.length !== before) keep(byObject, object.sha256, vectors)
      yield own.length === 0 ? { keys: vectors.keys, places } : behind(vectors.keys, own, places)
    }
  }
}

/** Keys of which those of one kernel each have negative places, from -1 on. */
function behind (keys: readonly OutcomeKey[], own: readonly OutcomeKey[], places: Int32Array): PlacedKeys {
  return { keys: [...keys, ...own], places: places.map(place => place < 0 ? keys.length - place - 1 : place) }
}

function list ({ numbers, lists }: Remembered, kernels: readonly KernelContent[]): ListedKernels {
  const own = Int32Array.from(kernels, ({ btf, modules }) => modules.length === 0 ? numbers.placeOf(btf) : NO_NUMBER)
  const listed = { numbers: own, end: own.reduce((most, number) => Math.max(most, number), NO_NUMBER) + 1, verdicts: new Map() }
  lists.set(kernels, listed)
  return listed
}

function verdictsOf (
  { verdicts: known }: ListedKernels, kernels: readonly KernelContent[], version: boolean, verdicts: Interned<string>
): Int32Array {
  const places = known.get(version) ?? Int32Array.from(kernels, ({ release }) => verdicts.placeOf(verdictText(release, version)))
  known.set(version, places)
  return places
}

/** Notes which vectors kernels have for an object, the `i`th of so many. */
function take ({ places, texts }: Vectors, numbers: Int32Array, found: PlacedVectors, i: number, objects: number): void {
  const own = new Int32Array(found.vectors.length).fill(NOT_ASKED)
  for (let j = 0; j < numbers.length; j++) {
    const vector = found.places[j * objects + i] ?? NO_TABLE
    if (vector === NO_TABLE) continue
    let place = own[vector] ?? NOT_ASKED
    if (place === NOT_ASKED) own[vector] = place = texts.placeOf(found.vectors[vector] ?? '')
    places[numbers[j] ?? 0] = place
  }
}

function keep (byObject: Remembered['byObject'], object: Sha256, vectors: Vectors): void {
  byObject.delete(object) // its weight is another one now
  byObject.set(object, vectors)
}

function weigh ({ places, texts, keys, keyPlaces }: Vectors): number {
  const ofKeys = keyPlaces.reduce((bytes, list) => bytes + (list?.byteLength ?? 0), 0)
  return Math.max(1, places.byteLength + ofKeys + TEXT_BYTES * (texts.list.length + keys.length))
}

/** The same, with places for so many kernels. */
function withRoom (vectors: Vectors | undefined, end: number): Vectors {
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
function keyPlaceOf (
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
function forgetKeys (vectors: Vectors): void {
  vectors.keys = []
  vectors.keyPlaces = []
}

/** In the place of a key: it is not made yet; the kernel has no outcome in common with others. */
const NOT_MADE = -1
const NOT_COMMON = -2
/** Of one object. Where the verdict reads the very release, each kernel has a key of its own. */
const MAX_KEYS = 4096
