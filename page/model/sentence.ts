import type { Matrix } from './matrix.js'
import { count, counted } from './format.js'

const FAILING: ReadonlySet<string> = new Set(['fails', 'unresolvable'])

/** What a check says, in a sentence without its full stop. */
export function sentenceOf ({ columns, kernels, outcomes }: Matrix): string {
  const countOf = (column: number, isCounted: (state: string) => boolean): number =>
    [...kernels.values()].filter(cells => isCounted(outcomes[cells[column] ?? -1]?.state ?? '')).length
  const all = counted(kernels.size, 'kernel')
  const failing = columns.map((_, i) => countOf(i, state => FAILING.has(state)))
  const [first, ...others] = columns
  if (first === undefined || others.length > 0) {
    const some = failing.filter(fails => fails > 0).length
    const objects = counted(columns.length, 'object')
    if (some === 0) return `None of ${objects} fails on ${all}`
    return `${count(some)} of ${objects} ${some === 1 ? 'fails' : 'fail'} somewhere on ${all}`
  }
  const [fails = 0] = failing
  if (fails > 0) return `${first.name} fails on ${count(fails)} of ${all}`
  const loads = countOf(0, state => state === 'loads')
  if (loads < kernels.size) return `${first.name} loads on ${count(loads)} of ${all}`
  return `${first.name} loads on ${kernels.size === 1 ? '' : 'all '}${all}`
}
