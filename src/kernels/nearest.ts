import type { KernelRecord } from './kernel-record.js'
import { formatReference, type KernelQuery } from '../identity/reference.js'

/**
 * References of the kernels that are most like the one asked for, to show a person who mistyped or who is one update behind.
 * They are a hint and never an answer: another kernel's BTF is wrong.
 */
export function nearestKernels (records: ReadonlyArray<Pick<KernelRecord, 'reference'>>, query: KernelQuery, count: number): string[] {
  const wanted = tokensOf(query.release)
  const unique = new Map(records.map(({ reference }) => [formatReference(reference), { reference }]))
  return [...unique.values()]
    .filter(({ reference }) => query.arch === undefined || query.arch === reference.arch)
    .map(({ reference }) => ({
      reference: formatReference(reference),
      isSameDistro: query.distro === reference.distro,
      ...likeness(wanted, tokensOf(reference.release))
    }))
    .sort((a, b) => b.common - a.common || a.distance - b.distance ||
      Number(b.isSameDistro) - Number(a.isSameDistro) || (a.reference < b.reference ? -1 : 1))
    .slice(0, count)
    .map(({ reference }) => reference)
}

/** `5.4.0-42-generic` as 5, 4, 0, 42, generic. */
export function tokensOf (release: string): ReadonlyArray<string | number> {
  return (release.match(/\d+|[A-Za-z]+/g) ?? []).map(token => /^\d/.test(token) ? Number(token) : token)
}

/** How many leading tokens are the same, and how far apart the first different numbers are. */
function likeness (a: ReadonlyArray<string | number>, b: ReadonlyArray<string | number>): { common: number, distance: number } {
  let common = 0
  while (common < a.length && common < b.length && a[common] === b[common]) common++
  const [left, right] = [a[common], b[common]]
  return { common, distance: typeof left === 'number' && typeof right === 'number' ? Math.abs(left - right) : Infinity }
}
