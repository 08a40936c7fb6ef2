import type { CheckOutcome, CheckState } from './wire.js'

/** Outcomes of what was not relocated: a state and a sentence. Equal ones are the same object. */
export type StateOutcomes = (state: Exclude<CheckState, 'loads' | 'fails' | 'unresolvable'>, reason: string) => CheckOutcome

export function createStateOutcomes (): StateOutcomes {
  const known = new Map<string, CheckOutcome>()
  return (state, reason) => {
    const key = `${state} ${reason}`
    const outcome = known.get(key) ?? { state, reason, programs: [], failures: [], failures_total: 0 }
    known.set(key, outcome)
    return outcome
  }
}
