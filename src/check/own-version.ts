import type { ReportProgram } from '../wire/report.js'
import type { CheckOutcome } from './wire.js'

/** As src/verdict writes it: which version, follows from the kernel and says nothing that its name does not. */
const VERSION = /^LINUX_KERNEL_VERSION = /
const OWN_VERSION = 'LINUX_KERNEL_VERSION = that of each kernel'

/**
 * Outcomes as groups have them. A verdict that rests on LINUX_KERNEL_VERSION assumes another value on each release, so that no two
 * kernels would ever be one group.
 *
 * @returns gives one object for outcomes that are equal apart from the kernel's own version
 */
export function createOwnVersions (): (outcome: CheckOutcome) => CheckOutcome {
  const known = new WeakMap<CheckOutcome, CheckOutcome>()
  const byText = new Map<string, CheckOutcome>()
  return outcome => {
    let shared = known.get(outcome)
    if (shared === undefined) {
      shared = outcome.programs.some(readsVersion) ? { ...outcome, programs: outcome.programs.map(withOwnVersion) } : outcome
      if (shared !== outcome) {
        const text = JSON.stringify(shared)
        shared = byText.get(text) ?? shared
        byText.set(text, shared)
      }
      known.set(outcome, shared)
    }
    return shared
  }
}

function readsVersion ({ assumes }: ReportProgram): boolean { return assumes.some(text => VERSION.test(text)) }

function withOwnVersion (program: ReportProgram): ReportProgram {
  return readsVersion(program) ? { ...program, assumes: program.assumes.map(text => VERSION.test(text) ? OWN_VERSION : text) } : program
}
