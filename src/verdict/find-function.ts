import type { ElfFunction } from '../elf/functions.js'
import { once } from './code.js'

/** Finds the first function that has the byte at `offset` of a section, by the section's name. */
export type FunctionAt = (section: string, offset: number) => ElfFunction | undefined

/** The functions of one section. */
interface Section {
  readonly functions: ElfFunction[]
  /** Of each function and those before it: where the last of them ends, so that it ascends even where functions overlap. */
  readonly ends: number[]
}

/**
 * Reads the list when it is first asked.
 *
 * @param functions by section, and by start within each
 */
export function functionFinder (functions: readonly ElfFunction[]): FunctionAt {
  const byName = once(() => readSections(functions))
  return (name, offset) => {
    for (const section of byName().get(name) ?? []) {
      const fn = section.functions[firstAbove(section.ends, offset)]
      if (fn !== undefined && fn.start <= offset) return fn
    }
    return undefined
  }
}

/** By name, which several sections may have. */
function readSections (functions: readonly ElfFunction[]): ReadonlyMap<string, readonly Section[]> {
  const byName = new Map<string, Section[]>()
  let last: ElfFunction | undefined
  for (const fn of functions) {
    let sections = byName.get(fn.section.name)
    if (sections === undefined) byName.set(fn.section.name, sections = [])
    if (fn.section !== last?.section) sections.push({ functions: [], ends: [] })
    const section = sections.at(-1)
    section?.functions.push(fn)
    section?.ends.push(Math.max(section.ends.at(-1) ?? 0, fn.start + fn.size))
    last = fn
  }
  return byName
}

/** Index of the first of ascending numbers that is above a limit. */
function firstAbove (ascending: readonly number[], limit: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] ?? 0) <= limit) low = middle + 1
    else high = middle
  }
  return low
}
