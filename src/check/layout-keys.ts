import { LRUCache } from 'lru-cache'
import type { Asking, LayoutTables } from '../kernels/layout-tables.js'
import { atMost } from '../store/at-most.js'
import { createInterned, type Interned } from '../store/interned.js'
import type { Sha256 } from '../store/sha256.js'
import { readsVersion } from '../workers/reads-version.js'
import { contentKey, createContentKeys, verdictText, type OutcomeKey, type OutcomeKeys } from './outcome-keys.js'
import type { CheckedObject, KernelContent } from './types.js'

export interface LayoutKeysOptions {
  readonly tables: Pick<LayoutTables, 'vectors'>
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

/** Of one object. */
interface Vectors {
  /** By a kernel's number: the place of its vector. */
  places: Int32Array
  /** The vectors, each once; empty for kernels that cannot be compared. */
  readonly texts: Interned<string>
  /** By the places of vector and verdict. Undefined for kernels that have no outcome in common. */
  readonly keys: Map<number, OutcomeKey | undefined>
}

/** What is remembered of kernels, which have numbers: a check asks for some hundred thousand rows, and each takes four bytes. */
interface Remembered {
  readonly numbers: Interned<Sha256>
  readonly verdicts: Interned<string>
  readonly byObject: LRUCache<Sha256, Vectors>
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
    byObject: new LRUCache<Sha256, Vectors>({ maxSize: Math.max(1, maxBytes), sizeCalculation: weigh })
  })
  let current = createRemembered()

  /** @param numbers of kernels, undefined for those that are not compared */
  const findVectors = async (
    { byObject }: Remembered,
    objects: readonly CheckedObject[],
    kernels: readonly KernelContent[],
    numbers: ReadonlyArray<number | undefined>,
    asking: Asking
  ): Promise<readonly Vectors[]> => {
    const end = numbers.reduce<number>((most, number = -1) => Math.max(most, number), -1) + 1
    const known = objects.map(({ sha256 }) => withRoom(byObject.get(sha256), end))
    const missing = new Map<number, Sha256>()
    for (let k = 0; k < kernels.length; k++) {
      const number = numbers[k]
      const btf = kernels[k]?.btf
      if (number === undefined || btf === undefined) continue
      if (known.some(({ places }) => places[number] === NOT_ASKED)) missing.set(number, btf)
    }
    if (missing.size === 0) return known
    const missingNumbers = [...missing.keys()]
    const isLacking = ({ places }: Vectors): boolean => missingNumbers.some(number => places[number] === NOT_ASKED)
    const lacking = objects.flatMap((object, i) => {
      const vectors = known[i]
      return vectors !== undefined && isLacking(vectors) ? [{ object, vectors }] : []
    })
    const asked = lacking.map(({ object: { bytes: object, sha256: objectSha256 } }) => ({ object, objectSha256 }))
    const found = await tables.vectors(asked, [...missing.values()], asking)
    for (const [i, { object, vectors }] of lacking.entries()) {
      missingNumbers.forEach((number, j) => {
        const vector = found[i]?.[j]
        if (vector !== undefined) vectors.places[number] = vectors.texts.placeOf(vector)
      })
      keep(byObject, object.sha256, vectors)
    }
    return known
  }

  return {
    alone: contents.alone,
    noteAlone (object, scope) {
      areAlone.set(object.sha256 + scope, true)
      current.byObject.peek(object.sha256)?.keys.clear()
    },
    get bytes () {
      const { numbers, verdicts, byObject } = current
      return NUMBER_BYTES * (numbers.list.length + verdicts.list.length) + byObject.calculatedSize
    },
    async of (objects, kernels, asking) {
      if (current.numbers.list.length + current.verdicts.list.length > MAX_NUMBERED) current = createRemembered()
      const remembered = current
      const numbers = kernels.map(({ btf, modules }) => modules.length === 0 ? remembered.numbers.placeOf(btf) : undefined)
      const known = await findVectors(remembered, objects, kernels, numbers, asking)
      const verdicts = new Map<boolean, readonly number[]>()
      return objects.map((object, i) => {
        const version = readsVersion(object)
        const ofKernels = verdicts.get(version) ??
          kernels.map(({ release }) => remembered.verdicts.placeOf(verdictText(release, version)))
        verdicts.set(version, ofKernels)
        const vectors = known[i]
        if (vectors === undefined) return kernels.map(kernel => contentKey(kernel, version))
        const isAlone = (scope: string): boolean => areAlone.has(object.sha256 + scope)
        const before = vectors.keys.size
        const keys = kernels.map((kernel, k) =>
          keyOf(vectors, numbers[k], ofKernels[k], remembered.verdicts.list, isAlone) ?? contentKey(kernel, version))
        if (vectors.keys.size !== before) keep(remembered.byObject, object.sha256, vectors)
        return keys
      })
    }
  }
}

function keep (byObject: Remembered['byObject'], object: Sha256, vectors: Vectors): void {
  byObject.delete(object) // its weight is another one now
  byObject.set(object, vectors)
}

function weigh ({ places, texts, keys }: Vectors): number {
  return Math.max(1, places.byteLength + TEXT_BYTES * (texts.list.length + keys.size))
}

/** The same, with places for so many kernels. */
function withRoom (vectors: Vectors | undefined, end: number): Vectors {
  const { places = new Int32Array(), texts = createInterned<string>(), keys = new Map<number, OutcomeKey | undefined>() } = vectors ?? {}
  if (vectors !== undefined && places.length >= end) return vectors
  const larger = new Int32Array(Math.max(end, 2 * places.length)).fill(NOT_ASKED)
  larger.set(places)
  if (vectors === undefined) return { places: larger, texts, keys }
  vectors.places = larger
  return vectors
}

/** @returns undefined for a kernel that is not compared, or that has no outcome in common with others */
function keyOf (
  { places, texts, keys }: Vectors,
  number: number | undefined,
  verdict: number | undefined,
  verdicts: readonly string[],
  isAlone: (scope: string) => boolean
): OutcomeKey | undefined {
  const place = number === undefined ? NOT_ASKED : places[number] ?? NOT_ASKED
  if (place === NOT_ASKED || verdict === undefined) return undefined
  const both = MAX_VERDICTS * place + verdict
  const known = keys.get(both)
  if (known !== undefined || keys.has(both)) return known
  const vector = texts.list[place] ?? ''
  const scope = `layout ${vector}`
  const key = vector === '' || isAlone(scope) ? undefined : { scope, text: `${scope} ${verdicts[verdict] ?? ''}` }
  if (keys.size >= MAX_KEYS) keys.clear()
  keys.set(both, key)
  return key
}

/** More than there are texts that verdicts read. */
const MAX_VERDICTS = 2 ** 18
/** Of one object. Where the verdict reads the very release, each kernel has a key of its own. */
const MAX_KEYS = 4096
