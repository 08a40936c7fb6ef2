import { LRUCache } from 'lru-cache'
import type { Asking, LayoutTables } from '../kernels/layout-tables.js'
import { atMost } from '../store/at-most.js'
import type { Sha256 } from '../store/sha256.js'
import { verdictKey } from '../verdict/verdict-key.js'
import { readsVersion } from '../workers/reads-version.js'
import type { CheckedObject, KernelContent } from './types.js'

/** What the outcome of an object on a kernel follows from, as texts. */
export interface OutcomeKey {
  /** All but the verifier: kernels of one scope have the same patches for the object. */
  readonly scope: string
  /**
   * With what a verdict reads of the release. Kernels with the same text have the same outcome (state, verdicts with reasons and
   * assumptions, failing places with their sentences and suggestions), unless the first of them shows that its outcome is of its BTF alone.
   */
  readonly text: string
}

/** Tells which kernels have one outcome, before any is relocated. */
export interface OutcomeKeys {
  /** For each object a key for each kernel, in their order. Called with some hundred kernels at a time. */
  of(objects: readonly CheckedObject[], kernels: readonly KernelContent[], asking: Asking): KeysOfObjects | Promise<KeysOfObjects>
  /** The key of a kernel whose outcome is of its BTF alone. */
  alone(object: CheckedObject, kernel: KernelContent): OutcomeKey
  /** Notes that kernels of a scope do not have one outcome, so that `of` gives each of them a key of its own. */
  noteAlone(object: CheckedObject, scope: string): void
  /** Memory that is held, as an estimate from above. */
  readonly bytes: number
}

type KeysOfObjects = ReadonlyArray<readonly OutcomeKey[]>

/** By content: kernels of one BTF, as far as the verdict reads the same of their releases. */
export function createContentKeys (): OutcomeKeys {
  const alone: OutcomeKeys['alone'] = (object, kernel) => contentKey(kernel, readsVersion(object))
  return {
    alone,
    of: (objects, kernels) => objects.map(object => kernels.map(kernel => alone(object, kernel))),
    noteAlone: () => {},
    bytes: 0
  }
}

export interface LayoutKeysOptions {
  readonly tables: Pick<LayoutTables, 'vectors'>
  /** For vectors that are remembered, one for each object on each kernel. */
  readonly maxBytes: number
}

/** Scopes that turned out to have more than one outcome for an object. */
const MAX_ALONE = 50_000
/** A vector that is remembered: a place in a map, with texts that it shares with others. */
const VECTOR_BYTES = 64

/**
 * By layout: kernels that lay out all types that the object demands alike, as far as the verdict reads the same of their releases. A
 * kernel that cannot be compared so, and one with modules, has its content's key.
 */
export function createLayoutKeys ({ tables, maxBytes }: LayoutKeysOptions): OutcomeKeys {
  const contents = createContentKeys()
  /** By object: empty for a kernel that cannot be compared. */
  const remembered = new LRUCache<Sha256, Map<Sha256, string>>({
    maxSize: Math.max(1, Math.floor(maxBytes / VECTOR_BYTES)),
    sizeCalculation: vectors => 1 + vectors.size
  })
  const areAlone = new LRUCache<string, true>(atMost(MAX_ALONE))

  /** For each object, of kernels with a table. */
  const findVectors = async (
    objects: readonly CheckedObject[], btfs: ReadonlySet<Sha256>, asking: Asking
  ): Promise<ReadonlyArray<ReadonlyMap<Sha256, string>>> => {
    const known = objects.map(({ sha256 }) => remembered.get(sha256) ?? new Map<Sha256, string>())
    const missing = [...btfs].filter(btf => known.some(vectors => !vectors.has(btf)))
    if (missing.length === 0) return known
    const lacking = objects.flatMap((object, i) => {
      const vectors = known[i]
      return vectors === undefined || missing.every(btf => vectors.has(btf)) ? [] : [{ object, vectors }]
    })
    const asked = lacking.map(({ object: { bytes: object, sha256: objectSha256 } }) => ({ object, objectSha256 }))
    const found = await tables.vectors(asked, missing, asking)
    lacking.forEach(({ object, vectors }, i) => {
      missing.forEach((btf, j) => {
        const vector = found[i]?.[j]
        if (vector !== undefined) vectors.set(btf, vector)
      })
      remembered.delete(object.sha256) // its weight is another one now
      remembered.set(object.sha256, vectors)
    })
    return known
  }

  return {
    alone: contents.alone,
    noteAlone (object, scope) { areAlone.set(object.sha256 + scope, true) },
    get bytes () { return VECTOR_BYTES * remembered.calculatedSize },
    async of (objects, kernels, asking) {
      const known = await findVectors(objects, new Set(kernels.flatMap(({ modules, btf }) => modules.length === 0 ? [btf] : [])), asking)
      const verdicts = new Map<boolean, readonly string[]>()
      return objects.map((object, i) => {
        const version = readsVersion(object)
        const ofKernels = verdicts.get(version) ?? kernels.map(({ release }) => verdictText(release, version))
        verdicts.set(version, ofKernels)
        const vectors = known[i]
        const keys = createKeys(scope => areAlone.size > 0 && areAlone.has(object.sha256 + scope))
        return kernels.map((kernel, k) => {
          const vector = kernel.modules.length === 0 ? vectors?.get(kernel.btf) ?? '' : ''
          const key = vector === '' ? undefined : keys(vector, ofKernels[k] ?? verdictText(kernel.release, version))
          return key ?? contentKey(kernel, version)
        })
      })
    }
  }
}

/**
 * Keys of one object by vector and what its verdict reads of the release. Few of them differ, and texts that are one and the same need not
 * be hashed for each kernel.
 *
 * @returns undefined for kernels of a scope that have no outcome in common
 */
function createKeys (isAlone: (scope: string) => boolean): (vector: string, verdict: string) => OutcomeKey | undefined {
  const scopes = new Map<string, { readonly scope: string, readonly keys: Map<string, OutcomeKey> } | undefined>()
  return (vector, verdict) => {
    let known = scopes.get(vector)
    if (known === undefined && !scopes.has(vector)) {
      const scope = `layout ${vector}`
      known = isAlone(scope) ? undefined : { scope, keys: new Map() }
      scopes.set(vector, known)
    }
    if (known === undefined) return undefined
    let key = known.keys.get(verdict)
    if (key === undefined) {
      key = { scope: known.scope, text: `${known.scope} ${verdict}` }
      known.keys.set(verdict, key)
    }
    return key
  }
}

function contentKey ({ btf, modules, release }: KernelContent, version: boolean): OutcomeKey {
  return keyIn(`${btf} ${modules.join()}`, release, version)
}

function keyIn (scope: string, release: string, version: boolean): OutcomeKey {
  return { scope, text: `${scope} ${verdictText(release, version)}` }
}

/** Of releases that were asked for, which each object of a check asks for again: to read one takes longer than all else about its row. */
const verdictTexts = new LRUCache<string, { readonly [readsVersion in 'true' | 'false']?: string }>(atMost(50_000))

function verdictText (release: string, readsVersion: boolean): string {
  const known = verdictTexts.get(release)
  const text = known?.[`${readsVersion}`]
  if (text !== undefined) return text
  const made = verdictKey(release, { readsVersion })
  verdictTexts.set(release, { ...known, [`${readsVersion}`]: made })
  return made
}
