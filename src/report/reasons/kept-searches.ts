import type { Btf, TypeId } from '../../btf/btf.js'
import { step, type Work } from '../../btf/work.js'

/** Searches of one kernel's types that are kept. The objects of a fleet miss a few dozen members. */
const MAX_KEPT = 256

interface Kept<T> {
  readonly found: T
  readonly steps: number
}

/** A search in a type for what has a name. */
export type Search<T> = (btf: Btf, id: TypeId, name: string, work: Work) => T

/**
 * Keeps what a search finds for as long as the kernel's BTF is held: many objects miss the same member. A search that is kept takes the
 * steps that it took at first, so that an answer does not depend on what was asked before.
 */
export function keepSearches<T> (search: Search<T>): Search<T> {
  const byKernel = new WeakMap<Btf, Map<string, Kept<T>>>()
  return (btf, id, name, work) => {
    let kept = byKernel.get(btf)
    if (kept === undefined) byKernel.set(btf, kept = new Map())
    const key = `${id} ${name}`
    const known = kept.get(key)
    if (known !== undefined) {
      step(work, known.steps)
      return known.found
    }
    const before = work.left
    const found = search(btf, id, name, work)
    if (kept.size >= MAX_KEPT) kept.clear()
    kept.set(key, { found, steps: before - work.left })
    return found
  }
}
