import type { Warn } from '../settings/service-options.js'

/** How often a warning of the same words is passed on. A full disk would otherwise fill the log too. */
const WARNING_PAUSE_MS = 10_000

/** Passes warnings on, each of the same words once in a while: the next one says how many were suppressed. */
export function withoutFloods (warn: Warn): Warn {
  const last = new Map<string, { at: number, suppressed: number }>()
  return (message, facts) => {
    const known = last.get(message)
    const now = performance.now()
    if (known !== undefined && now - known.at < WARNING_PAUSE_MS) {
      known.suppressed++
      return
    }
    last.set(message, { at: now, suppressed: 0 })
    warn(message, known === undefined || known.suppressed === 0 ? facts : { ...facts, suppressed: known.suppressed })
  }
}
