import { ENGINE } from '../relocation/engine.js'
import { createOwnVersions } from './own-version.js'
import type { Cell, NamedObject } from './types.js'
import { STATES, type CheckOutcome, type CheckState, type CheckSummary, type CheckVerdict, type Comparison } from './wire.js'

/** Counts rows as they pass. */
export interface SummaryCounter {
  add(cell: Cell): void
  summary(): CheckSummary
}

/** What a row that is not as it was before makes of the whole. */
const VERDICTS: Readonly<Record<CheckState, CheckVerdict>> = {
  loads: 'passes',
  fails: 'fails',
  unresolvable: 'fails',
  unknown: 'undecided',
  unknown_kernel: 'undecided',
  not_fetched: 'undecided',
  error: 'undecided'
}

/** @param comparison whether rows are compared with an earlier answer */
export function createSummaryCounter (
  objects: ReadonlyArray<Pick<NamedObject, 'sha256' | 'name'>>,
  { comparison = false }: { readonly comparison?: boolean } = {}
): SummaryCounter {
  const started = performance.now()
  const states: Record<CheckState, number> = countsOf(STATES)
  const compared: Record<Comparison, number> = { same: 0, changed: 0, new: 0 }
  const kernels = new Set<string>()
  const outcomes = new Map<string, Set<CheckOutcome>>()
  const verdicts = new Set<CheckVerdict>()
  const shared = createOwnVersions()
  let rows = 0
  return {
    add ({ object, kernel, outcome, baseline }) {
      rows++
      states[outcome.state]++
      kernels.add(kernel)
      const ofObject = outcomes.get(object.sha256) ?? new Set()
      outcomes.set(object.sha256, ofObject.add(shared(outcome)))
      if (baseline !== undefined) compared[baseline]++
      verdicts.add(baseline === 'same' ? 'passes' : VERDICTS[outcome.state])
    },
    summary: () => ({
      verdict: verdicts.has('fails') ? 'fails' : verdicts.has('undecided') ? 'undecided' : 'passes',
      objects: objects.map(({ sha256, name }) => ({ sha256, name })),
      kernels: kernels.size,
      rows,
      states: { ...states },
      outcomes: [...outcomes.values()].reduce((sum, { size }) => sum + size, 0),
      baseline: comparison ? { ...compared } : null,
      engine: ENGINE,
      ms: Math.round(performance.now() - started)
    })
  }
}

function countsOf (states: readonly CheckState[]): Record<CheckState, number> {
  const counts: Partial<Record<CheckState, number>> = {}
  for (const state of states) counts[state] = 0
  const isWhole = (some: typeof counts): some is Record<CheckState, number> => states.every(state => state in some)
  if (!isWhole(counts)) throw new Error('each state was counted')
  return counts
}
