import { nameOf, referencedType } from '../btf/btf.js'
import { listedKinds } from '../btf/listed-kinds.js'
import type { BpfObject } from '../core/object.js'
import type { ElfFunction } from '../elf/functions.js'
import { once, placeOf, type Functions } from './code.js'

/** Which functions belong to which program, as libbpf puts them together. */
export interface CallGraph {
  /** Functions that are loaded by themselves: all but those of `.text`, unless there is but one. */
  readonly programs: readonly ElfFunction[]
  /**
   * The function, its exception callback, and all that they call or take the address of, directly or not; the function alone where no
   * subprogram is poisoned, since then nothing is asked of them.
   */
  readonly reachedFrom: (fn: ElfFunction) => ReadonlySet<ElfFunction>
  /** Whether one of those is poisoned. */
  readonly hasPoison: (fn: ElfFunction) => boolean
  /** The function that a declaration tag names as the program's exception callback. */
  readonly exceptionCallback: (fn: ElfFunction) => ElfFunction | undefined
}

export function callGraph (object: BpfObject, functions: Functions): CallGraph {
  const { elf: { functions: all } } = object
  const programs = all.filter(({ section }) => section.name !== '.text' || all.length === 1)
  const closures = new Map<string, ReadonlySet<ElfFunction>>()
  const exceptions = once(() => exceptionCallbacks(object))

  const exceptionCallback = (fn: ElfFunction): ElfFunction | undefined => exceptions().get(fn.name)
  const referredFrom = (fn: ElfFunction): ReadonlySet<ElfFunction> => {
    const references = functions.references(fn)
    if (references.length === 0) return new Set([fn])
    const key = placeOf(fn)
    let callees = closures.get(key)
    if (callees === undefined) {
      const found = new Set(references.map(reference => reference.fn))
      for (const member of found) for (const reference of functions.references(member)) found.add(reference.fn)
      closures.set(key, callees = found)
    }
    return new Set([fn, ...callees])
  }
  /** libbpf loads the exception callback with its program, which need not refer to it. */
  const findReached = (fn: ElfFunction): ReadonlySet<ElfFunction> => {
    if (!functions.hasPoisonedSubprogram()) return new Set([fn])
    const callback = exceptionCallback(fn)
    return callback === undefined ? referredFrom(fn) : new Set([...referredFrom(fn), ...referredFrom(callback)])
  }
  // What is asked of a function is asked at once; to keep it of all would take names times functions.
  let last: { readonly fn: ElfFunction, readonly reached: ReadonlySet<ElfFunction> } | undefined
  const reachedFrom = (fn: ElfFunction): ReadonlySet<ElfFunction> => {
    if (last?.fn !== fn) last = { fn, reached: findReached(fn) }
    return last.reached
  }
  const isAnyPoisoned = (fns: ReadonlySet<ElfFunction>): boolean => {
    for (const fn of fns) if (functions.hasPoison(fn)) return true
    return false
  }
  const poisoned = new Map<ElfFunction, boolean>()
  const hasPoison = (fn: ElfFunction): boolean => {
    let answer = poisoned.get(fn)
    if (answer === undefined) poisoned.set(fn, answer = functions.hasPoison(fn) || isAnyPoisoned(reachedFrom(fn)))
    return answer
  }
  return {
    programs,
    reachedFrom,
    hasPoison,
    exceptionCallback
  }
}

const EXCEPTION_TAG = 'exception_callback:'

/** By name of the program. */
function exceptionCallbacks ({ btf, elf }: BpfObject): ReadonlyMap<string, ElfFunction> {
  const callbacks = new Map<string, ElfFunction>()
  const byName = once(() => new Map(elf.functions.map(fn => [fn.name, fn])))
  for (const id of listedKinds(btf).declTags) {
    if (!nameOf(btf, id).startsWith(EXCEPTION_TAG)) continue
    const callback = byName().get(nameOf(btf, id).slice(EXCEPTION_TAG.length))
    if (callback !== undefined) callbacks.set(nameOf(btf, referencedType(btf, id)), callback)
  }
  return callbacks
}
