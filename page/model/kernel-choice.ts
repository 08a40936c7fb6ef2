import type { KernelJson } from '../../src/wire/kernel.js'
import { compareKernels } from './groups.js'

/** A kernel that can be chosen. */
export interface ListedKernel extends Pick<KernelJson, 'reference' | 'distro' | 'arch' | 'release' | 'state'> {
  readonly distroVersion: string
  /** Null where it is not held, or where its name has several contents. */
  readonly btfSha256: string | null
}

/** Which kernels are meant. */
export interface KernelChoice {
  /** Words that a reference must have; `*` in a word is any text. */
  readonly text: string
  /** Any of these; all where it is empty. */
  readonly distros: readonly string[]
  readonly arches: readonly string[]
  /** By reference. Where there are any, they alone are meant. */
  readonly picked: readonly string[]
  /** Whether kernels are meant that sources offer and the service does not hold. */
  readonly offered: boolean
}

export const WHOLE_FLEET: KernelChoice = { text: '', distros: [], arches: [], picked: [], offered: false }

/** By name, and by number: 5.4 before 5.10. */
export function inOrder (kernels: readonly ListedKernel[]): readonly ListedKernel[] {
  return kernels.toSorted((a, b) => compareKernels(a.reference, b.reference))
}

/** Whether nothing was narrowed down. */
export function isWholeFleet ({ text, distros, arches, picked, offered }: KernelChoice): boolean {
  return text.trim() === '' && distros.length === 0 && arches.length === 0 && picked.length === 0 && !offered
}

export interface Facet {
  readonly value: string
  /** Kernels that have it among those that everything else of the choice means. */
  readonly count: number
}

/** The kernels that a choice means as far as its search and facets go: what the list shows. */
export function listChoice (kernels: readonly ListedKernel[], { text, distros, arches, offered }: KernelChoice): readonly ListedKernel[] {
  const matches = matcherOf(text)
  return kernels.filter(kernel => (offered || kernel.state === 'held') &&
    (distros.length === 0 || distros.includes(kernel.distro)) &&
    (arches.length === 0 || arches.includes(kernel.arch)) &&
    matches(kernel.reference))
}

/** The values of a facet, the most frequent first. One that is chosen stays, whatever its count. */
export function countFacet (kernels: readonly ListedKernel[], choice: KernelChoice, facet: 'distro' | 'arch'): readonly Facet[] {
  const chosen = facet === 'distro' ? choice.distros : choice.arches
  const others = { ...choice, ...(facet === 'distro' ? { distros: [] } : { arches: [] }) }
  const counts = new Map(chosen.map(value => [value, 0]))
  for (const kernel of listChoice(kernels, others)) counts.set(kernel[facet], (counts.get(kernel[facet]) ?? 0) + 1)
  return [...counts].map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
}

/** With a value that was not there, or without one that was. */
export function toggleIn<T> (values: readonly T[], value: T): readonly T[] {
  return values.includes(value) ? values.filter(other => other !== value) : [...values, value]
}

/** Patterns that one check takes. */
const MAX_PATTERNS = 20_000

/** Patterns of `POST /check`: names, or where facets say it all a few that mean just as many kernels. */
export function patternsOf (kernels: readonly ListedKernel[], choice: KernelChoice): readonly string[] {
  if (choice.picked.length > 0) return choice.picked
  if (isWholeFleet(choice)) return ['*']
  const listed = listChoice(kernels, choice)
  // A pattern of four parts means what sources offer too.
  const isAllMeant = choice.offered ||
    (listed.length > MAX_PATTERNS && listChoice(kernels, { ...choice, offered: true }).length === listed.length)
  if (choice.text.trim() !== '' || !isAllMeant) return listed.map(({ reference }) => reference)
  const [hasDistros, hasArches] = [choice.distros.length > 0, choice.arches.length > 0]
  return [...new Set(listed.map(({ distro, arch }) => `${hasDistros ? distro : '*'}/*/${hasArches ? arch : '*'}/*`))]
}

/**
 * Each name once, in order: the service has an entry for each content of a name.
 *
 * @param byName what came before, which takes these too
 */
export function mergeNames (
  kernels: readonly ListedKernel[],
  byName = new Map<string, ListedKernel>()
): readonly ListedKernel[] {
  for (const kernel of kernels) {
    const known = byName.get(kernel.reference)
    // A name with several contents has none that could be asked for by itself.
    const content = known === undefined || known.btfSha256 === kernel.btfSha256 ? kernel : { ...known, btfSha256: null }
    byName.set(kernel.reference, { ...content, state: known?.state === 'held' ? 'held' : kernel.state })
  }
  return [...byName.values()]
}

function matcherOf (text: string): (reference: string) => boolean {
  const words = text.toLowerCase().split(/\s+/).filter(word => word !== '')
  const tests = words.map(word => {
    if (!word.includes('*')) return (name: string) => name.includes(word)
    const pattern = new RegExp(word.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('[^/]*'))
    return (name: string) => pattern.test(name)
  })
  return reference => {
    const name = reference.toLowerCase()
    return tests.every(test => test(name))
  }
}
