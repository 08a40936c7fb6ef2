import { LRUCache } from 'lru-cache'
import type { Asking } from '../kernels/layout-tables.js'
import { atMost } from '../store/at-most.js'
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
  /**
   * For each object the keys of kernels, made when they are come to. Called with some hundred kernels at a time, and for the same fleet
   * with the same lists of them.
   */
  of(objects: readonly CheckedObject[], kernels: readonly KernelContent[], asking: Asking): KeysOfObjects | Promise<KeysOfObjects>
  /** The key of a kernel whose outcome is of its BTF alone. */
  alone(object: CheckedObject, kernel: KernelContent): OutcomeKey
  /** Notes that kernels of a scope do not have one outcome, so that `of` gives each of them a key of its own. */
  noteAlone(object: CheckedObject, scope: string): void
  /** Memory that is held, as an estimate from above. */
  readonly bytes: number
}

type KeysOfObjects = Iterable<PlacedKeys>

/** Keys of kernels for an object: of hundreds few differ. */
export interface PlacedKeys {
  /** Mostly each once. More may come behind them. */
  readonly keys: readonly OutcomeKey[]
  /** The place of each kernel's key. */
  readonly places: Int32Array
}

/** By content: kernels of one BTF, as far as the verdict reads the same of their releases. */
export function createContentKeys (): OutcomeKeys {
  const alone: OutcomeKeys['alone'] = (object, kernel) => contentKey(kernel, readsVersion(object))
  return {
    alone,
    of: (objects, kernels) => objects.map(object => placeKeys(kernels.map(kernel => alone(object, kernel)))),
    noteAlone: () => {},
    bytes: 0
  }
}

/** One behind the other, as they are. */
export function placeKeys (keys: readonly OutcomeKey[]): PlacedKeys { return { keys, places: Int32Array.from(keys, (_key, i) => i) } }

/** Of a kernel by itself, whatever others have. */
export function contentKey ({ btf, modules, release }: KernelContent, version: boolean): OutcomeKey {
  return keyIn(`${btf} ${modules.join()}`, release, version)
}

function keyIn (scope: string, release: string, version: boolean): OutcomeKey {
  return { scope, text: `${scope} ${verdictText(release, version)}` }
}

/** Of releases that were asked for, which each object of a check asks for again: to read one takes longer than all else about its row. */
const verdictTexts = new LRUCache<string, { readonly [readsVersion in 'true' | 'false']?: string }>(atMost(50_000))

export function verdictText (release: string, readsVersion: boolean): string {
  const known = verdictTexts.get(release)
  const text = known?.[`${readsVersion}`]
  if (text !== undefined) return text
  const made = verdictKey(release, { readsVersion })
  verdictTexts.set(release, { ...known, [`${readsVersion}`]: made })
  return made
}
