import { LRUCache } from 'lru-cache'
import type { Asking, LayoutTables } from '../kernels/layout-tables.js'
import { atMost } from '../store/at-most.js'
import { createInterned, type Interned } from '../store/interned.js'
import type { Sha256 } from '../store/sha256.js'
import { readsVersion } from '../workers/reads-version.js'
import {
  forgetKeys, keyPlaceOf, MAX_KEYS, NO_NUMBER, NOT_ASKED, NOT_COMMON, placeVectors, weigh, withRoom, type Vectors
} from './object-vectors.js'
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
/** Milliseconds in which the use of a table is noted once: it is kept for months, and each check uses thousands. */
const NOTE_MS = 60_000

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
      placeVectors(vectors, missingNumbers, found, i, lacking.length)
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

function keep (byObject: Remembered['byObject'], object: Sha256, vectors: Vectors): void {
  byObject.delete(object) // its weight is another one now
  byObject.set(object, vectors)
}
